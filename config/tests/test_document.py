"""The generated page of settings."""

import re

from django.conf import settings

from config import document


def test_page_of_settings_is_what_the_code_reads() -> None:
    assert document.PAGE.read_text() == document.page(), "run `make docs`"


def test_page_names_settings_of_each_place() -> None:
    page = document.page()
    assert "| `SECRET_KEY` | long random text, required |  | `config/settings/prod.py` |" in page
    assert "| `PORT` | word or number | `8000` | `Procfile` |" in page
    assert "| `JOBS_LEASE_SECONDS` | seconds | `30` |" in page


def test_worker_of_the_procfile_listens_to_every_queue() -> None:
    default = re.search(r"WORKER_QUEUES:-([\w,]+)", (document.ROOT / "Procfile").read_text())
    assert default is not None
    assert default[1].split(",") == settings.JOBS_QUEUES
