"""What each role may do with sources and items, and the scopes of API keys: see `jobs.roles`."""

ROLES = {
    "viewer": ("view_source", "view_feeditem", "view_post", "view_publication", "view_publisher"),
    "operator": (
        "poll_source",
        "test_source",
        "enable_source",
        "replay_feeditem",
        "test_publisher",
        "enable_publisher",
    ),
    "editor": (
        "add_post",
        "change_post",
        "delete_post",
        "review_post",
        "publish_post",
        "add_publisher",
        "change_publisher",
        "delete_publisher",
        "add_source",
        "change_source",
        "delete_source",
        "reset_source",
        "add_feeditem",
        "delete_feeditem",
    ),
}

SCOPES = {
    "sources:read": ("view_source", "view_feeditem"),
    "sources:control": ("view_source", "poll_source", "test_source", "enable_source"),
    "sources:write": ("view_source", "add_source", "change_source", "delete_source", "reset_source"),
    "posts:read": ("view_post", "view_publication", "view_publisher"),
    "posts:write": ("view_post", "add_post", "change_post", "delete_post"),
    "posts:publish": ("view_post", "view_publication", "view_publisher", "review_post", "publish_post"),
    "publishers:write": (
        "view_publisher",
        "add_publisher",
        "change_publisher",
        "delete_publisher",
        "test_publisher",
        "enable_publisher",
    ),
    "items:write": ("view_feeditem", "add_feeditem", "replay_feeditem", "delete_feeditem"),
}
