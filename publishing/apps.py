from django.apps import AppConfig

from publishing import sources


class PublishingConfig(AppConfig):
    name = "publishing"
    verbose_name = "Publishing"

    def ready(self) -> None:
        sources.load()
