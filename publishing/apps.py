from django.apps import AppConfig

from publishing import publishers, sources, writers


class PublishingConfig(AppConfig):
    name = "publishing"
    verbose_name = "Publishing"

    def ready(self) -> None:
        sources.load()
        publishers.load()
        writers.load()
