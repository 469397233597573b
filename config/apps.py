from importlib import import_module

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "config"
    verbose_name = "Almanac"

    def ready(self) -> None:
        import_module("config.checks")
