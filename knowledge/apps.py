from django.apps import AppConfig

from knowledge import connectors


class KnowledgeConfig(AppConfig):
    name = "knowledge"
    verbose_name = "Knowledge"

    def ready(self) -> None:
        connectors.load()
