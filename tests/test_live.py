"""Event streams from a real live process: who gets what, what survives which end, and that nobody waits for a slow reader."""

import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import psutil
import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from config.embedded.server import is_alive
from jobs import ledger, log_lines
from jobs.ledger import Outcome, Progress
from jobs.live import log
from jobs.log_lines import LogLine
from jobs.models import JobRun, ProcessHeartbeat
from tests.jobs_for_tests import tasks
from tests.live import Listener, free_port, live_process
from tests.spawner import Spawner

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True)]
ALL = ("view_jobrun", "view_alert", "view_system", "view_schedule")


@dataclass(frozen=True)
class Live:
    """A living process and how to listen to it."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1/events/"

    def listen(self, user: User | None, *, after: str = "", **parameters: str) -> Listener:
        headers = {"Authorization": f"Bearer {AccessToken.for_user(user)}"} if user else {}
        if after:
            headers["Last-Event-ID"] = after
        return Listener(self.url, headers, **parameters)


@pytest.fixture
def live(spawner: Spawner, transactional_db: None) -> Iterator[Live]:
    port = free_port()
    with live_process(spawner, port, PORT=8000):
        yield Live(port)


def person(*permissions: str, name: str = "ada") -> User:
    user = User.objects.create_user(name, password="a long enough password", is_staff=True)
    found = Permission.objects.filter(content_type__app_label="jobs", codename__in=permissions)
    assert len(found) == len(permissions)
    user.user_permissions.set(found)
    return user


def begin(run: JobRun) -> int:
    claim = ledger.claim(run.pk, worker="w@here", pid=1)
    assert claim is not None
    return claim.attempt


def test_a_run_is_told_from_its_beginning_to_its_end_with_its_log(live):
    with live.listen(person("view_jobrun")) as everything:
        everything.next("ready")
        run = tasks.count_slowly.enqueue()
        assert everything.next("run").data["status"] == "queued"
        with live.listen(User.objects.get(), run=str(run.pk)) as own:
            own.next("ready")
            attempt = begin(run)
            log_lines.write(run.pk, attempt, [LogLine(at=timezone.now(), level=30, message="Grüße\nzwei")])
            ledger.renew(run.pk, attempt, Progress(percent=50, current=5, total=10, text="Counting"))
            tasks.add_numbers.enqueue(left=1)  # another run: not for this stream
            ledger.finish(run.pk, attempt, Outcome(status=JobRun.Status.SUCCEEDED))
            told = [own.next("run", "log") for _ in range(4)]
    assert [event.data.get("status") for event in told] == ["running", None, "running", "succeeded"]
    assert told[1].data["lines"][0]["message"] == "Grüße\nzwei"
    assert told[1].data["lines"][0]["level"] == "Warning"
    assert (told[2].data["progress"], told[2].data["title"]) == (50, "Count slowly")
    assert told[2].data["eta_seconds"] > 0


def test_people_see_only_the_kinds_they_may_and_nothing_without_any(live):
    now = timezone.now()
    with (
        live.listen(person("view_system")) as operator,
        live.listen(person("view_jobrun", name="bob")) as viewer,
    ):
        operator.next("ready")
        viewer.next("ready")
        tasks.add_numbers.enqueue(left=1)
        ProcessHeartbeat.objects.create(kind="worker", name="w@x", pid=1, started_at=now, seen_at=now)
        assert operator.next("run", "worker", "schedule").kind == "worker"
        assert viewer.next("run", "worker", "schedule").kind == "run"
        assert operator.next("system").data["workers"] == 1
    with live.listen(person(name="carl")) as nobody:
        assert (nobody.status, nobody.problem["code"]) == (403, "permission_denied")
    with live.listen(None) as stranger:
        assert (stranger.status, stranger.problem["code"]) == (401, "not_authenticated")


def test_runs_of_another_group_are_not_told(live):
    ours, theirs = (Group.objects.create(name=name) for name in ("ours", "theirs"))
    member = person("view_jobrun")
    member.groups.add(ours)
    hidden, shown = tasks.add_numbers.enqueue(left=1), tasks.add_numbers.enqueue(left=2)
    JobRun.objects.filter(pk=hidden.pk).update(owner_group=theirs)
    JobRun.objects.filter(pk=shown.pk).update(owner_group=ours)
    with live.listen(member, kinds="run,log") as listener:
        listener.next("ready")
        for run in (hidden, shown):
            attempt = begin(run)
            log_lines.write(run.pk, attempt, [LogLine(at=timezone.now(), level=20, message="x")])
        told = [listener.next("run", "log").data for _ in range(2)]
    assert (told[0]["id"], told[1]["run"]) == (str(shown.pk), str(shown.pk))
    with live.listen(member, run=str(hidden.pk)) as refused:
        assert refused.status == 404


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"kinds": "run,cat"}, "kinds"),
        ({"run": "x"}, "run"),
        ({"colour": "red"}, "colour"),
        ({"last_event_id": "x"}, "last_event_id"),
    ],
)
def test_bad_questions_are_refused_with_the_field(live, parameters, field):
    with live.listen(person(*ALL), **parameters) as refused:
        assert refused.status == 400
        assert list(refused.problem["fields"]) == [field]


def test_nothing_is_missed_between_two_connections_whichever_process_answers(spawner, live):
    user = person("view_jobrun")
    with live.listen(user) as first:
        first.next("ready")
        one = tasks.add_numbers.enqueue(left=1)
        seen = first.next("run")
    two = tasks.add_numbers.enqueue(left=2)
    port = free_port()
    with (
        live_process(spawner, port),
        Live(port).listen(user, after=seen.id) as second,
    ):
        three = tasks.add_numbers.enqueue(left=3)
        assert [second.next("run").data["id"] for _ in range(2)] == [str(two.pk), str(three.pk)]
    with live.listen(user, after=seen.id) as again:
        assert again.next("run").data["id"] == str(two.pk)
    assert seen.data["id"] == str(one.pk)


def test_reader_that_was_away_too_long_is_told_to_look_anew(live):
    old = str(log.now())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_eventepoch SET pruned_to = clock_timestamp()")
    with live.listen(person("view_jobrun"), after=old) as listener:
        assert listener.next("ready", "reset", "run").kind == "ready"
        listener.next("reset")
        tasks.add_numbers.enqueue(left=1)
        assert listener.next("run", "reset").kind == "run"


def test_a_page_of_the_site_may_read_with_its_cookie_and_another_page_may_not(live):
    client = Client()
    client.force_login(person("view_jobrun"))
    cookie = {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
    with Listener(live.url, cookie | {"Origin": "http://127.0.0.1:8000"}) as allowed:
        allowed.next("ready")
        assert allowed.headers["access-control-allow-origin"] == "http://127.0.0.1:8000"
        assert allowed.headers["access-control-allow-credentials"] == "true"
    with Listener(live.url, cookie | {"Origin": "http://127.0.0.1:9000"}) as other:
        assert "access-control-allow-origin" not in other.headers
    assert httpx.get(live.url, headers={"Host": "evil.example.org"}).status_code == 400
    assert httpx.options(live.url, headers={"Origin": "http://127.0.0.1:8000"}).status_code == 204


def test_a_stream_ends_with_its_token(live):
    token = AccessToken.for_user(person("view_jobrun"))
    token.set_exp(lifetime=timedelta(seconds=6))
    with Listener(live.url, {"Authorization": f"Bearer {token}"}) as listener:
        listener.next("ready")
        listener.next("end", timeout=30)
        assert listener.has_ended()


def test_other_addresses_and_methods_are_refused(live):
    assert httpx.get(f"http://127.0.0.1:{live.port}/admin/").status_code == 404
    token = {"Authorization": f"Bearer {AccessToken.for_user(person(*ALL))}"}
    assert httpx.post(live.url, headers=token).status_code == 405


def test_slow_reader_is_dropped_and_the_others_go_on(live):
    token = AccessToken.for_user(person("view_jobrun"))
    request = f"GET /api/v1/events/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    run = tasks.count_slowly.enqueue()
    attempt = begin(run)
    with socket.socket() as slow, live.listen(User.objects.get()) as quick:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", live.port))
        slow.sendall(request.encode())
        quick.next("ready")
        time.sleep(1)
        with connection.cursor() as cursor:
            for _ in range(60):
                cursor.execute(
                    "INSERT INTO jobs_event (kind, subject, data) SELECT 'run', subject, data FROM jobs_event "
                    "CROSS JOIN generate_series(1, 100) WHERE kind = 'run' AND subject = %s AND id = "
                    "(SELECT max(id) FROM jobs_event WHERE subject = %s)",
                    [str(run.pk), str(run.pk)],
                )
                time.sleep(0.05)
        ledger.finish(run.pk, attempt, Outcome(status=JobRun.Status.SUCCEEDED))
        while quick.next("run").data["status"] != "succeeded":
            pass
        received = 0
        slow.settimeout(60)
        while chunk := slow.recv(65536):  # what was under way, then the end
            received += len(chunk)
    assert received < 5_000_000


def test_stopping_the_process_takes_a_moment_only_and_leaves_nothing(spawner):
    port = free_port()
    with live_process(spawner, port) as process:
        workers = psutil.Process(process.pid).children()
        with Live(port).listen(person("view_jobrun")) as listener:
            listener.next("ready")
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert listener.has_ended(25)
            assert process.wait(25) == 0
            assert time.monotonic() - began < 15  # gunicorn alone would wait for streams for 30 s
    assert workers and not any(is_alive(worker) for worker in workers)
