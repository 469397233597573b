import io
import json
import uuid

import pytest
from django.core.management import CommandError, call_command

from jobs import ledger
from jobs.management.progress import bar, clock
from jobs.models import JobRun
from jobs.tests.workers import execute, worker_thread
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db(transaction=True)


def jobs(*arguments):
    """Run `manage.py jobs …`; gives the exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("jobs", *arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return ended.code, out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


def test_list_shows_every_job_with_its_parameters():
    code, text = jobs("list")
    assert code == 0
    assert "testing.add_numbers" in text
    assert "left [right]" in text


def test_run_prints_the_id_of_the_queued_run():
    code, text = jobs("run", "testing.add_numbers", "left=3")
    run = JobRun.objects.get()
    assert (code, text.strip()) == (0, str(run.id))
    assert (run.status, run.parameters, run.trigger) == ("queued", {"left": 3, "right": 1}, "command")


def test_run_and_wait_shows_progress_and_the_result():
    with worker_thread():
        code, text = jobs("run", "testing.add_numbers", "--json", '{"left": 3, "right": 4}', "--wait")
    assert code == 0
    assert "100 %" in text
    assert text.rstrip().endswith("7")


@pytest.mark.parametrize(
    ("name", "parameters", "exit_code"),
    [
        ("testing.fail_for_good", [], 1),
        ("testing.handle_units", ["good=1", "bad=1"], 3),
        ("testing.handle_units", ["good=2", "bad=0"], 0),
    ],
)
def test_the_exit_code_of_wait_tells_how_the_run_ended(name, parameters, exit_code):
    with worker_thread():
        assert jobs("run", name, *parameters, "--wait")[0] == exit_code


def test_wait_gives_up_after_its_timeout_and_leaves_the_run():
    code, text = jobs("run", "testing.add_numbers", "left=1", "--wait", "--timeout", "0.1")
    assert code == 124
    assert "jobs status" in text
    assert JobRun.objects.get().status == "queued"


def test_ctrl_c_leaves_the_run_and_says_how_to_cancel(monkeypatch):
    def interrupted(run_id, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("jobs.follow.watch", interrupted)
    code, text = jobs("run", "testing.add_numbers", "left=1", "--wait")
    assert code == 130
    assert f"jobs cancel {JobRun.objects.get().id}" in text


def test_text_parameters_stay_text_and_others_are_read_as_json():
    assert jobs("run", "testing.add_numbers", "left=3")[0] == 0
    assert jobs("run", "testing.fail_for_good", "as_bug=true")[0] == 0
    assert jobs("run", "testing.echo_text", "text=3")[0] == 0
    assert [run.parameters for run in JobRun.objects.order_by("id")] == [
        {"left": 3, "right": 1},
        {"as_bug": True},
        {"text": "3"},
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "testing.nothing_here"], "There is no job named"),
        (["run", "testing.add_numbers"], "left: Field required"),
        (["run", "testing.add_numbers", "left"], "is not key=value"),
        (["run", "testing.add_numbers", "--json", "["], "not valid JSON"),
        (["run", "testing.add_numbers", "--json", "[]"], "must be an object"),
        (["run", "testing.add_numbers", "left=1", "--json", "{}"], "not both"),
        (["status", "x"], "is not the id of a run"),
        (["status", str(uuid.uuid4())], "There is no run"),
        (["cancel", str(uuid.uuid4())], "There is no run"),
        (["tail", str(uuid.uuid4())], "There is no run"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_2(arguments, message):
    with pytest.raises(CommandError) as refusal:
        jobs(*arguments)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert refusal.value.returncode == 2


def test_status_shows_an_active_run_and_the_outcome_of_an_ended_one():
    run = tasks.add_numbers.enqueue(left=1)
    assert jobs("status", str(run.id))[0] == 0
    execute(run)
    code, text = jobs("status", str(run.id))
    assert (code, "Succeeded" in text) == (0, True)


def test_cancel_ends_a_waiting_run_and_refuses_an_ended_one():
    run = tasks.add_numbers.enqueue(left=1)
    assert jobs("cancel", str(run.id)) == (0, "Cancelled.\n")
    with pytest.raises(CommandError, match="already ended"):
        jobs("cancel", str(run.id))


def test_tail_prints_the_log_until_the_run_has_ended():
    run = tasks.handle_units.enqueue(good=0, bad=1)
    with worker_thread():
        code, text = jobs("tail", str(run.id))
    assert code == 0
    assert "unit 0: broken" in text
    assert ledger.get(run.id).status == "failed"


def test_results_are_printed_as_json():
    run = execute(tasks.handle_units.enqueue(good=1, bad=0))
    _, text = jobs("status", str(run.id))
    assert json.loads(text[text.index("{") :]) == {"good": 1, "bad": 0}


def test_the_bar_and_the_clock_are_easy_to_read():
    assert bar(50) == "[############------------]"
    assert bar(200) == f"[{'#' * 24}]"
    assert [clock(1.25), clock(65), clock(7210)] == ["1.2 s", "1:05", "2:00:10"]
