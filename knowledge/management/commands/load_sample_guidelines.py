from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from knowledge.sample.load import load_sample_guidelines


class Command(BaseCommand):
    help = "Create a source and a topic for the sample guidelines. May be repeated; follows the sample world to another port."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--base-url",
            default=settings.SAMPLE_WORLD_URL,
            help="Where the web process serves the sample world, such as http://127.0.0.1:8000.",
        )

    def handle(self, *args: object, **options: str) -> None:
        base_url = options["base_url"]
        if not base_url.startswith(("http://", "https://")):
            raise CommandError("Give --base-url, such as http://127.0.0.1:8000, or set SAMPLE_WORLD_URL.")
        loaded = load_sample_guidelines(base_url)
        did = "created" if loaded.created else "moved" if loaded.moved else "nothing new"
        self.stdout.write(f"Sample guidelines: {did}.")
