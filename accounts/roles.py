"""What each role may do with accounts: see `jobs.roles`."""

ROLES = {
    "operator": ("add_apikey", "view_apikey"),
    "admin": (
        "manage_apikey",
        "auth.view_user",
        "auth.add_user",
        "auth.change_user",
        "auth.delete_user",
        "auth.view_group",
        "auth.add_group",
        "auth.change_group",
        "auth.delete_group",
    ),
}
