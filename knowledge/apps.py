from django.apps import AppConfig

from knowledge import connectors, embedding, readers


class KnowledgeConfig(AppConfig):
    name = "knowledge"
    verbose_name = "Knowledge"

    def ready(self) -> None:
        connectors.load()
        embedding.load()
        readers.load()
