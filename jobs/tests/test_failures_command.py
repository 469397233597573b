"""`manage.py jobs failures` and `manage.py jobs retry`."""

import io
import uuid

import pytest
from django.core.management import CommandError, call_command

from jobs.models import JobRun
from jobs.tests.test_deadletters import failed

pytestmark = pytest.mark.django_db


def jobs(*arguments):
    out = io.StringIO()
    try:
        call_command("jobs", *arguments, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


def retries():
    return JobRun.objects.filter(trigger="retry")


def test_causes_are_listed():
    failed()
    failed(error_message="No\nsuch thing")
    code, text = jobs("failures")
    assert code == 0
    assert text.startswith(
        "aaaa  open      testing.add_numbers: ValueError: No such thing\n    2 failures, 2 open"
    )
    assert jobs("failures", "--state", "muted") == (0, "None.\n")
    assert jobs("failures", "--job", "testing.echo_text", "--days", "2") == (0, "None.\n")


def test_a_dry_run_tells_and_changes_nothing():
    failed(parameters={"left": 1})
    failed(parameters={"left": "x"})
    code, text = jobs("retry", "--fingerprint", "aaaa", "--dry-run")
    assert (code, retries().count()) == (1, 0)
    assert text.startswith("Would make 1 run again.\n  left out: 1 x left: ")


def test_failures_are_made_again_once_with_changes():
    failed()
    failed()
    code, text = jobs("retry", "--fingerprint", "aaaa", "--set", "right=7", "--per-minute", "60")
    assert (code, text) == (0, "Made 2 runs again, spread over 1.0 s.\n")
    assert {run.parameters["right"] for run in retries()} == {7}
    assert jobs("retry", "--fingerprint", "aaaa") == (0, "Made 0 runs again.\n  2 made again before.\n")


def test_single_runs_can_be_named():
    one, _ = failed(), failed()
    assert jobs("retry", str(one.pk))[1] == "Made 1 run again.\n"
    assert [run.retry_of_id for run in retries()] == [one.pk]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give the ids of runs, or --fingerprint."),
        (["x"], "is not the id of a run"),
        (["--fingerprint", "ffff"], "No run has failed"),
        ([str(uuid.uuid4()), "--set", "right"], "is not KEY=JSON"),
        ([str(uuid.uuid4()), "--per-minute", "0"], "per_minute"),
    ],
)
def test_a_refusal_is_one_line(arguments, message):
    with pytest.raises(CommandError, match=message) as refusal:
        jobs("retry", *arguments)
    assert refusal.value.returncode == 2


@pytest.mark.parametrize("days", ["x", "0", "nan", "1e9"])
def test_an_age_that_makes_no_sense_is_refused(days):
    with pytest.raises(CommandError, match="days"):
        jobs("failures", f"--days={days}")
