"""The first page: its panels, who sees which, and that it asks the database the same few questions however much there is."""

import re
import uuid
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from jobs import ledger, schedules, summaries
from jobs.admin import overview, panels, plots
from jobs.ledger import Outcome, Progress
from jobs.models import Alert, JobRun, ProcessHeartbeat, first_run_id
from jobs.schedules import Wish
from jobs.slots import plan_stale
from jobs.tests.staff import signed_in, staff
from jobs.when import When
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db
#: Session, user, permissions, the page's frame, and one to three for each panel; publishing's has six, knowledge's four.
MOST_QUERIES = 26


@pytest.fixture
def client():
    return signed_in(User.objects.create_superuser("operator"))


def page_of(client, path: str = "") -> str:
    answer = client.get(f"/admin/{path}")
    assert answer.status_code == 200
    return str(answer.content.decode())


def figures(page: str) -> dict[str, str]:
    return dict(re.findall(r'jobs-figure-title">(.*?)</span>\s*<strong>(.*?)</strong>', page))


def worker(seconds_ago: float = 0.0) -> None:
    now = timezone.now()
    ProcessHeartbeat.objects.create(
        kind="worker",
        name=f"celery@{seconds_ago}",
        pid=1,
        started_at=now,
        seen_at=now - timedelta(seconds=seconds_ago),
        info={"queues": ["default"], "concurrency": 4},
    )


def ended(status: JobRun.Status, **values: Any) -> JobRun:
    run = tasks.add_numbers.enqueue(left=1)
    claim = ledger.claim(run.pk, worker="w", pid=1)
    assert claim is not None
    ledger.finish(run.pk, claim.attempt, Outcome(status=status, **values))
    return run


def count_runs() -> None:
    """As the scheduler does, but however long that takes."""
    for span in {summaries.begin_of_span(run.queued_at) for run in JobRun.objects.all()}:
        summaries.count(span)
        summaries.count(span + summaries.SPAN)  # an id may be made a moment after the run was asked for


def alert(title: str, severity: str = "high") -> Alert:
    now = timezone.now()
    return Alert.objects.create(
        kind="jobs.run_failed", severity=severity, fingerprint=title, app="jobs", title=title, state="open",
        priority=70, count=3, first_seen_at=now, last_seen_at=now, opened_at=now, news_at=now,
    )  # fmt: skip


def test_it_counts_what_runs_how_it_went_and_who_lives(client):
    tasks.add_numbers.enqueue(left=1)
    ended(JobRun.Status.SUCCEEDED)
    ended(JobRun.Status.FAILED, error_type="E", error_message="Bad luck")
    worker()
    worker(seconds_ago=3600)
    alert("Much is wrong")
    count_runs()
    page = page_of(client)
    assert figures(page) == {
        "Active runs": "1",
        "Succeeded in 24 hours": "50 %",
        "Open alerts": "1",
        "Workers": "1",
        "Scheduler lag": "-",
    }
    assert "Bad luck" in page
    assert "Much is wrong" in page
    assert "the worst is high" in page
    assert "1 failed of 2" in page


def test_many_open_alerts_are_not_counted_to_the_last(client, monkeypatch):
    monkeypatch.setattr(overview, "MOST_ALERTS", 1)
    alert("One")
    assert figures(page_of(client))["Open alerts"] == "1"
    alert("Another")
    assert figures(page_of(client))["Open alerts"] == "1+"


def test_a_running_run_has_its_bar_with_what_is_left(client):
    run = tasks.count_slowly.enqueue()
    claim = ledger.claim(run.pk, worker="w", pid=1)
    assert claim is not None
    ledger.renew(run.pk, claim.attempt, Progress(percent=25, text="Counting"))
    JobRun.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(seconds=60))
    body = page_of(client, "overview/running/")
    assert f'data-run="{run.pk}"' in body
    assert 'value="25.0"' in body
    assert "about 3 min left" in body
    assert "Counting" in body


def test_it_tells_the_next_slots(client):
    wish = Wish(name="Sums", job="testing.add_numbers", when=When(interval="2h"), parameters={"left": 1})
    schedules.create(wish, by=None)
    plan_stale(timezone.now())
    page = page_of(client)
    assert "Sums" in page
    assert "in 2 h" in page or "in 1 h 59 min" in page


def test_empty_it_says_what_to_do(client):
    page = page_of(client)
    for words in ("Run a job", "Make a schedule", "nothing runs until one is started", "Nothing is wrong"):
        assert words in page


def test_plots_are_well_formed_and_say_in_words_and_a_table_what_they_show(client):
    now = timezone.now()  # of both: at different hours they would be in different bars
    for number, status in enumerate((JobRun.Status.SUCCEEDED, JobRun.Status.FAILED)):
        JobRun.objects.create(
            id=uuid.UUID(int=first_run_id(now).int + number),
            job="testing.add_numbers",
            queue="default",
            status=status,
            queued_at=now,
            started_at=now,
            finished_at=now,
        )
    count_runs()
    for window, lines in (("day", 24), ("week", 28), ("bogus", 24)):
        body = page_of(client, f"overview/outcomes/?window={window}")
        drawings = re.findall(r"<svg.*?</svg>", body, re.DOTALL)
        assert len(drawings) == 2
        for drawing in drawings:
            assert ElementTree.fromstring(drawing).get("role") == "img"
        assert "2 runs ended, 1 of them failed" in drawings[0]
        assert body.count('<rect class="jobs-plot--') == 2
        assert body.count('<th scope="row">') == lines
        assert "50 %" in body


@pytest.mark.parametrize(
    ("share", "text"), [(0.5, "50 %"), (0.9899, "99 %"), (0.9996, "99.9 %"), (1.0, "100 %")]
)
def test_only_what_never_failed_is_a_hundred_percent(share, text):
    assert plots.percent(share) == text


def test_nobody_sees_what_they_may_not():
    tasks.add_numbers.enqueue(left=1)
    alert("Secret trouble")
    nobody = signed_in(staff())
    page = page_of(nobody)
    assert figures(page) == {}
    assert "Ask an administrator" in page
    assert "Add numbers" not in page
    for name in panels._panels:
        assert nobody.get(f"/admin/overview/{name}/").status_code == 404
    viewer = signed_in(staff("jobs.view_jobrun", name="viewer"))
    assert list(figures(page_of(viewer))) == ["Active runs", "Succeeded in 24 hours"]
    assert "Secret trouble" not in page_of(viewer)
    assert viewer.get("/admin/overview/queues/").status_code == 404


def test_runs_of_other_groups_are_neither_shown_nor_counted():
    group = Group.objects.create(name="theirs")
    run = ended(JobRun.Status.FAILED, error_message="Their trouble")
    JobRun.objects.filter(pk=run.pk).update(owner_group=group)
    waiting = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=waiting.pk).update(owner_group=group)
    count_runs()
    page = page_of(signed_in(staff("jobs.view_jobrun")))
    assert figures(page) == {"Active runs": "0", "Succeeded in 24 hours": "-"}
    assert "Their trouble" not in page
    assert "Add numbers" not in page


def test_panels_of_no_name_and_strangers_are_refused(client):
    assert client.get("/admin/overview/nothing/").status_code == 404
    client.logout()
    assert client.get("/admin/overview/running/").status_code == 302


def test_a_panel_needs_a_name_of_its_own():
    with pytest.raises(ValueError, match="figures"):
        panels.add(panels._panels["figures"])


def test_the_page_asks_the_same_few_questions_however_much_there_is(client, django_assert_max_num_queries):
    page_of(client)  # content types and the like are remembered
    with django_assert_max_num_queries(MOST_QUERIES) as few:
        page_of(client)
    for number in range(12):
        run = ended(JobRun.Status.FAILED if number % 2 else JobRun.Status.SUCCEEDED)
        tasks.handle_units.enqueue(good=1, bad=1)
        ledger.claim(tasks.count_slowly.enqueue().pk, worker="w", pid=1)
        alert(f"Trouble {number}")
        worker(number)
        wish = Wish(name=f"S{number}", job=run.job, when=When(interval="2h"), parameters={"left": 1})
        schedules.create(wish, by=None)
    plan_stale(timezone.now())
    count_runs()
    with django_assert_max_num_queries(MOST_QUERIES) as many:
        page_of(client)
    # The same, but for the typical durations of what runs.
    assert len(many) <= len(few) + 1
