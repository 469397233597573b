from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class JobsConfig(AppConfig):
    name = "jobs"
    verbose_name = "Jobs"

    def ready(self) -> None:
        import_module("jobs.checks")
        # These connect to the worker's signals.
        import_module("jobs.connections")
        import_module("jobs.heartbeats")
        import_module("jobs.alerts.builtin")
        import_module("jobs.notifications.courier")
        import_module("jobs.notifications.channels").load()
        import_module("jobs.alerts.watcher")
        import_module("jobs.alerts.deadlines")
        # Every process knows every job: web for forms and triggers, beat for schedules, workers to run them.
        autodiscover_modules("tasks")
        import_module("jobs.notifications.tasks")
        # Kinds of alerts that apps declare; those of the control plane are in jobs.alerts.builtin.
        autodiscover_modules("alert_kinds")
