import io

import pytest
from django.core.management import call_command

from jobs.models import ProcessHeartbeat
from jobs.tests.test_api_system import everything_runs, heartbeat  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)


def health(*arguments):
    out = io.StringIO()
    try:
        call_command("health", *arguments, stdout=out)
    except SystemExit as ended:
        return ended.code, out.getvalue()
    return 0, out.getvalue()


def test_healthy_is_one_word_and_exit_code_0(everything_runs):  # noqa: F811
    assert health() == (0, "healthy\n")


def test_verbose_shows_every_part(everything_runs):  # noqa: F811
    code, text = health("--verbose")
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()[1:]] == [
        "database",
        "workers",
        "scheduler",
        "broker",
    ]


def test_degraded_is_exit_code_1_and_names_the_part():
    heartbeat(ProcessHeartbeat.Kind.WORKER, "w@h", queues=["default"])
    heartbeat(ProcessHeartbeat.Kind.BEAT, "beat@h:1")
    code, text = health()
    assert (code, text.splitlines()[0]) == (1, "degraded")
    assert "No worker takes from publishing" in text


def test_unhealthy_is_exit_code_2():
    code, text = health()
    assert (code, text.splitlines()[0]) == (2, "unhealthy")
