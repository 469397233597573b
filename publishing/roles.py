"""What each role may do with sources and items, and the scopes of API keys: see `jobs.roles`."""

ROLES = {
    "viewer": ("view_source", "view_feeditem"),
    "operator": ("poll_source", "test_source", "enable_source", "replay_feeditem"),
    "editor": ("add_source", "change_source", "delete_source", "reset_source", "delete_feeditem"),
}

SCOPES = {
    "sources:read": ("view_source", "view_feeditem"),
    "sources:control": ("view_source", "poll_source", "test_source", "enable_source"),
    "sources:write": ("view_source", "add_source", "change_source", "delete_source", "reset_source"),
    "items:write": ("view_feeditem", "replay_feeditem", "delete_feeditem"),
}
