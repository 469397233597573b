from django.apps import AppConfig

from knowledge import embedding


class KnowledgeConfig(AppConfig):
    name = "knowledge"
    verbose_name = "Knowledge"

    def ready(self) -> None:
        embedding.load()
