"""What each role may do here; a role may also do what the roles before it may. `accounts` gives it to their groups.

A new permission joins by one line. Permissions of other packages are written in full.
"""

ROLES = {
    "viewer": (
        "view_jobrun",
        "view_schedule",
        "view_alert",
        "view_processheartbeat",
        "view_system",
        "django_celery_results.view_taskresult",
    ),
    "operator": (
        "run_job",
        "cancel_run",
        "run_schedule",
        "pause_schedule",
        "add_alert",
        "acknowledge_alert",
        "snooze_alert",
        "resolve_alert",
        "dismiss_alert",
        "mute_failure",
    ),
    "editor": (
        "add_schedule",
        "change_schedule",
        "delete_schedule",
        "view_calendar",
        "add_calendar",
        "change_calendar",
        "delete_calendar",
        "view_maintenancewindow",
        "add_maintenancewindow",
        "change_maintenancewindow",
        "delete_maintenancewindow",
        "view_joblimit",
        "add_joblimit",
        "change_joblimit",
        "delete_joblimit",
    ),
    "admin": (
        "purge_queue",
        "control_worker",
        "cleanup_alerts",
        "see_all_groups",
        "view_auditevent",
        "export_auditevent",
    ),
}

#: What an API key can be limited to: a name, and the permissions behind it.
SCOPES = {
    "runs:read": ("view_jobrun",),
    "runs:control": ("view_jobrun", "cancel_run", "run_job", "mute_failure"),
    "jobs:run": ("run_job",),
    "schedules:read": ("view_schedule",),
    "schedules:control": ("view_schedule", "run_schedule", "pause_schedule"),
    "schedules:write": (
        "view_schedule",
        "add_schedule",
        "change_schedule",
        "delete_schedule",
    ),
    "alerts:read": ("view_alert",),
    "alerts:control": (
        "view_alert",
        "acknowledge_alert",
        "snooze_alert",
        "resolve_alert",
        "dismiss_alert",
        "cleanup_alerts",
    ),
    "alerts:report": ("add_alert",),
    "system:read": ("view_system", "view_processheartbeat"),
    "system:control": ("view_system", "purge_queue", "control_worker"),
    "audit:read": ("view_auditevent", "export_auditevent"),
    "groups:all": ("see_all_groups",),
}
