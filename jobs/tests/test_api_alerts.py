"""`/api/v1/alerts/`: reporting, reading, filtering and looking after alerts."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from django.utils import timezone

from jobs.alerts import raise_alert, resolve
from jobs.alerts.raising import Subject
from jobs.models import Alert, AlertEvent
from jobs.tests.alert_scenes import failed

pytestmark = pytest.mark.django_db
State = Alert.State


def url(name, *args):
    return reverse(f"api:alert-{name}", args=args)


def raised(fingerprint="one", *, kind="jobs.reported_trouble", **given):
    subject = given.pop("subject", Subject(type="host", id="7", text="Host 7"))
    return raise_alert(
        kind, subject=subject, title=f"Trouble {fingerprint}", fingerprint=fingerprint, **given
    )


def report(client, **given):
    body = {"title": "Disk full", "subject": {"type": "host", "id": "7"}, **given}
    return client.post(url("list"), body, format="json")


def post(client, name, *args, **body):
    return client.post(url(name, *args), body, format="json")


def ids(response):
    assert response.status_code == 200, response.json()
    return [row["id"] for row in response.json()["results"]]


# Reporting


def test_a_report_makes_an_alert_and_the_same_again_counts_on_it(client):
    first = report(client, message="99 %", severity="high", context={"free": 12})
    assert first.status_code == 201
    alert = first.json()
    assert (alert["kind"], alert["severity"], alert["state"]) == ("jobs.reported_trouble", "high", "open")
    assert alert["subject"] == {"type": "host", "id": "7", "text": "", "link": ""}
    assert alert["context"] == {"free": 12}
    assert [event["what"] for event in alert["events"]] == ["opened"]
    second = report(client)
    assert (second.status_code, second.json()["id"], second.json()["count"]) == (200, alert["id"], 2)
    assert second.json()["severity"] == "high"
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"kind": "jobs.broker_down"}, "kind"),
        ({"kind": "nobody.knows"}, "kind"),
        ({"severity": "awful"}, "severity"),
        ({"subject": "host"}, "subject.request"),
        ({"subject": {}}, "subject.type"),
        ({"subject": {"type": "host", "link": "javascript:alert(1)"}}, "subject.link"),
        ({"subject": {"type": "host", "link": "//evil.example.org"}}, "subject.link"),
        ({"subject": {"type": "host", "colour": "red"}}, "subject.colour"),
        ({"context": []}, "context"),
        ({"context": {"text": "x" * 10_000}}, "context"),
        ({"typo": 1}, "typo"),
    ],
)
def test_a_report_that_does_not_fit_is_told_which_field_is_at_fault(client, change, field):
    response = report(client, **change)
    assert response.status_code == 400
    assert list(response.json()["fields"]) == [field]
    assert not Alert.objects.exists()


# Lists


def test_the_list_is_the_newest_first_in_pages(client):
    made = [raised(str(number)).pk for number in range(5)]
    first = client.get(url("list"), {"page_size": 2})
    assert ids(first) == made[:-3:-1]
    assert ids(client.get(first.json()["next"])) == made[-3:-5:-1]


def test_every_filter_finds_what_it_names_and_nothing_else(client):
    now = timezone.now()
    old = raised("old", severity="low", at=now - timedelta(days=2))
    job = raised("job", severity="critical", job="testing.add_numbers")
    disk = raised("disk", subject=Subject(type="disk", id="1"))
    resolve(disk.kind, disk.fingerprint, reason="emptied")
    late = raised("late", kind="jobs.run_late", subject=Subject(type="disk", id="2"))
    Alert.objects.filter(pk=late.pk).update(state=State.OPEN)
    for query, expected in [
        ({"since": (now - timedelta(days=1)).isoformat()}, [late, disk, job]),
        ({"severity": "low"}, [old]),
        ({"severity": ["low", "critical"]}, [job, old]),
        ({"kind": "jobs.run_late"}, [late]),
        ({"kind": "jobs.nothing"}, []),
        ({"state": "resolved"}, [disk]),
        ({"state": ["open", "resolved"]}, [late, disk, job, old]),
        ({"state": "snoozed"}, []),
        ({"subject": "disk"}, [late, disk]),
        ({"subject": "disk:1"}, [disk]),
        ({"subject": "host:7"}, [job, old]),
        ({"source": "testing.add_numbers"}, [job]),
        ({"source": "jobs"}, [late, disk, job, old]),
        ({"source": "publishing"}, []),
        ({"severity": "critical", "subject": "disk"}, []),
    ]:
        assert ids(client.get(url("list"), query)) == [alert.pk for alert in expected], query


def test_only_unread_leaves_out_what_is_read_and_what_is_over(client):
    read, unread, over = raised("read"), raised("unread"), raised("over")
    post(client, "read", read.pk)
    resolve(over.kind, over.fingerprint, reason="-")
    assert ids(client.get(url("list"), {"unread_only": "true"})) == [unread.pk]
    assert len(ids(client.get(url("list"), {"unread_only": "false"}))) == 3


def test_what_is_folded_into_an_incident_is_listed_below_it_only(client):
    incident, folded = raised("incident"), raised("folded")
    Alert.objects.filter(pk=folded.pk).update(incident=incident)
    assert ids(client.get(url("list"))) == [incident.pk]
    assert ids(client.get(url("list"), {"incident": incident.pk})) == [folded.pk]
    assert client.get(url("detail", incident.pk)).json()["folded"] == 1


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"severity": "awful"},
        {"state": "pending"},
        {"state": "gone"},
        {"incident": "x"},
        {"incident": 2**40},
        {"cursor": "x"},
        {
            "cursor": "cD0wMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA="
        },  # p= a UUID, as where keys are some
        {"page_size": 0},
    ],
)
def test_a_filter_that_makes_no_sense_is_an_error(client, query):
    assert client.get(url("list"), query).status_code == 400


def test_a_field_with_a_name_that_is_no_text_is_refused_like_any_other(client):
    answer = client.post(url("list"), b'{"\\ud800": 1}', content_type="application/json")
    assert answer.status_code == 400
    assert "\N{REPLACEMENT CHARACTER}" in answer.json()["fields"] or "?" in answer.json()["fields"]


def test_an_alert_that_has_not_opened_yet_is_shown_nowhere(client):
    raise_alert("jobs.run_late", subject=Subject(type="job", id="x"), title="Late")
    pending = Alert.objects.get()
    assert pending.state == State.PENDING
    assert ids(client.get(url("list"))) == []
    assert client.get(url("detail", pending.pk)).status_code == 404
    assert post(client, "acknowledge", pending.pk).status_code == 404
    assert client.get(url("stats")).json()["total"] == 0


def test_a_list_costs_as_many_queries_with_many_alerts_as_with_one(client, django_assert_max_num_queries):
    for number in range(20):
        raised(str(number))
    with django_assert_max_num_queries(6):
        client.get(url("list"))


# One alert


def test_the_detail_shows_history_runbook_and_runs(client):
    run = failed(timezone.now())
    alert = raised(
        "a",
        kind="jobs.run_failed",
        job=run.job,
        context={"error_fingerprint": run.error_fingerprint},
    )
    found = client.get(url("detail", alert.pk)).json()
    assert [row["id"] for row in found["runs"]] == [str(run.pk)]
    assert "retry the failed runs" in found["runbook"]
    assert found["slots"] is None
    assert found["kind_title"] == "Run failed"


def test_an_incident_tells_what_became_of_its_slots(client):
    incident = raised("broker", kind="jobs.broker_down", since=timezone.now() - timedelta(minutes=5))
    found = client.get(url("detail", incident.pk)).json()
    assert found["slots"] == {
        "total": 0,
        "caught_up": 0,
        "waiting": 0,
        "missed": 0,
        "skipped": 0,
        "lost": 0,
        "cancelled": 0,
    }


def test_runs_are_shown_to_those_who_may_see_runs(make_client):
    run = failed(timezone.now())
    alert = raised("a", context={"runs": [str(run.pk), "not a run", 3]})
    assert make_client("view_alert").get(url("detail", alert.pk)).json()["runs"] == []
    both = make_client("view_alert", "view_jobrun", username="bea")
    assert [row["id"] for row in both.get(url("detail", alert.pk)).json()["runs"]] == [str(run.pk)]


def test_an_alert_of_a_vanished_app_is_listed_under_its_name(client):
    alert = raised("a")
    Alert.objects.update(kind="gone.trouble", app="gone")
    found = client.get(url("detail", alert.pk)).json()
    assert (found["kind_title"], found["runbook"]) == ("gone.trouble", "")
    assert post(client, "resolve", alert.pk).status_code == 200


# Looking after


@pytest.mark.parametrize(
    ("name", "state", "event"),
    [
        ("acknowledge", "acknowledged", "acknowledged"),
        ("resolve", "resolved", "resolved"),
        ("dismiss", "resolved", "dismissed"),
    ],
)
def test_each_change_is_recorded_with_who_and_why(client, name, state, event):
    alert = raised()
    found = post(client, name, alert.pk, note="on it").json()
    assert found["state"] == state
    assert (found["events"][-1]["what"], found["events"][-1]["by"]) == (event, "root")
    assert found["events"][-1]["note"] == "on it"
    assert LogEntry.objects.get().object_id == str(alert.pk)
    assert list(AlertEvent.objects.to_notify().values_list("what", flat=True))[-1] == event


def test_a_snoozed_alert_can_be_brought_back(client):
    alert = raised()
    until = timezone.now() + timedelta(hours=1)
    found = post(client, "snooze", alert.pk, until=until.isoformat()).json()
    assert found["state"] == "snoozed"
    assert found["snoozed_until"][:19] == until.isoformat()[:19]
    found = post(client, "unsnooze", alert.pk).json()
    assert (found["state"], found["snoozed_until"]) == ("open", None)


@pytest.mark.parametrize(
    "until", ["", "soon", None, "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "9999-01-01T00:00:00Z"]
)
def test_a_snooze_until_the_past_or_for_ever_is_refused(client, until):
    alert = raised()
    response = post(client, "snooze", alert.pk, until=until)
    assert (response.status_code, list(response.json()["fields"])) == (400, ["until"])
    alert.refresh_from_db()
    assert alert.state == State.OPEN


@pytest.mark.parametrize(
    ("state", "illegal"),
    [
        ("open", {"unsnooze"}),
        ("acknowledged", {"acknowledge", "unsnooze"}),
        ("snoozed", set()),
        ("resolved", {"acknowledge", "snooze", "unsnooze", "resolve", "dismiss"}),
    ],
)
def test_a_change_that_the_state_does_not_allow_is_409_and_changes_nothing(client, state, illegal):
    soon = timezone.now() + timedelta(hours=1)
    for name in ("acknowledge", "snooze", "unsnooze", "resolve", "dismiss"):
        alert = raised(name)
        Alert.objects.filter(pk=alert.pk).update(
            state=state, snoozed_until=soon if state == "snoozed" else None, resolved_at=soon
        )
        response = post(client, name, alert.pk, **({"until": soon.isoformat()} if name == "snooze" else {}))
        assert response.status_code == (409 if name in illegal else 200), name
        if name in illegal:
            assert response.json()["code"] == "illegal_state"
            assert Alert.objects.get(pk=alert.pk).state == state
            assert alert.events.count() == 1


def test_reading_is_for_each_person_and_news_make_it_unread_again(make_client):
    ada, bea = make_client("view_alert"), make_client("view_alert", username="bea")
    alert = raised(severity="medium")
    assert post(ada, "read", alert.pk).json()["is_unread"] is False
    assert post(ada, "read", alert.pk).json()["is_unread"] is False
    assert bea.get(url("detail", alert.pk)).json()["is_unread"] is True
    raised(severity="critical")
    assert ada.get(url("detail", alert.pk)).json()["is_unread"] is True
    post(ada, "read", alert.pk)
    assert ada.delete(url("read", alert.pk)).json()["is_unread"] is True


@pytest.mark.parametrize(
    "name", ["detail", "read", "acknowledge", "snooze", "unsnooze", "resolve", "dismiss"]
)
def test_an_alert_that_does_not_exist_is_404(client, name):
    for pk in (1, 2**62, 10**30):
        body = {"until": (timezone.now() + timedelta(hours=1)).isoformat()} if name == "snooze" else {}
        response = client.get(url(name, pk)) if name == "detail" else post(client, name, pk, **body)
        assert response.status_code == 404


# Many


def test_a_bulk_change_does_what_it_can_and_tells_what_it_could_not(client):
    good, over = raised("good"), raised("over")
    resolve(over.kind, over.fingerprint, reason="-")
    response = post(client, "bulk", action="acknowledge", ids=[good.pk, over.pk, good.pk, 999_999])
    assert response.json() == {
        "done": [good.pk],
        "refused": [
            {"id": 999_999, "reason": "There is no alert 999999."},
            {"id": over.pk, "reason": "The alert is resolved."},
        ],
    }


@pytest.mark.parametrize("action", ["read", "acknowledge", "snooze", "resolve", "dismiss"])
def test_each_bulk_change_needs_the_permission_of_its_action(make_client, action):
    until = {"until": (timezone.now() + timedelta(hours=1)).isoformat()} if action == "snooze" else {}
    alert = raised()
    viewer = make_client("view_alert")
    expected = 200 if action == "read" else 403
    assert post(viewer, "bulk", action=action, ids=[alert.pk], **until).status_code == expected
    if action != "read":
        alert.refresh_from_db()
        assert alert.state == State.OPEN
        allowed = make_client("view_alert", f"{action}_alert", username="bea")
        response = post(allowed, "bulk", action=action, ids=[alert.pk], **until)
        assert response.json()["done"] == [alert.pk]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "delete", "ids": [1]}, "action"),
        ({"action": "resolve", "ids": []}, "ids"),
        ({"action": "resolve", "ids": ["x"]}, "ids.0"),
        ({"action": "resolve", "ids": [0]}, "ids.0"),
        ({"action": "resolve", "ids": list(range(1, 502))}, "ids"),
        ({"action": "snooze", "ids": [1]}, "until"),
        ({"action": "snooze", "ids": [1], "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"action": "resolve", "ids": [1], "until": "2030-01-01T00:00:00Z"}, "until"),
    ],
)
def test_a_bulk_change_that_does_not_fit_changes_nothing(client, body, field):
    alert = raised()
    body = {**body, "ids": [alert.pk]} if body["ids"] == [1] else body
    response = client.post(url("bulk"), body, format="json")
    assert (response.status_code, list(response.json()["fields"])) == (400, [field])
    alert.refresh_from_db()
    assert alert.state == State.OPEN


# Figures


def test_the_figures_count_what_is_live_by_severity_kind_and_app(client):
    raised("a", severity="high")
    raised("b", severity="high")
    done = raised("c", severity="low", at=timezone.now() - timedelta(minutes=10))
    resolve(done.kind, done.fingerprint, reason="-", at=timezone.now())
    post(client, "acknowledge", Alert.objects.get(fingerprint="a").pk)
    found = client.get(url("stats")).json()
    assert (found["total"], found["live"]) == (3, 2)
    assert found["by_state"] == {"open": 1, "acknowledged": 1, "snoozed": 0, "resolved": 1}
    assert found["by_severity"] == {"critical": 0, "high": 2, "medium": 0, "low": 0}
    assert found["by_kind"] == {"jobs.reported_trouble": 2}
    assert found["by_app"] == {"jobs": 2}
    assert (found["opened_today"], found["resolved_today"]) == (3, 1)
    assert found["seconds_to_resolve"] == pytest.approx(600, abs=5)
    assert found["seconds_to_acknowledge"] == pytest.approx(0, abs=5)


def test_the_unread_summary_counts_and_lists_the_most_pressing_first(client):
    raised("low", severity="low")
    raised("critical", severity="critical")
    post(client, "read", raised("read").pk)
    found = client.get(url("unread-summary")).json()
    assert found["unread"] == 2
    assert found["by_severity"] == {"critical": 1, "high": 0, "medium": 0, "low": 1}
    assert [row["severity"] for row in found["latest"]] == ["critical", "low"]


def test_the_kinds_tell_what_they_mean_and_what_to_do(client):
    kinds = {kind["name"]: kind for kind in client.get(url("kinds")).json()}
    assert kinds["jobs.broker_down"]["is_outage"] is True
    assert all(kind["help_text"] and kind["runbook"] and kind["title"] for kind in kinds.values())


def test_cleanup_deletes_what_was_resolved_long_ago(client):
    now = timezone.now()
    for days in (100, 60, 10):
        alert = raised(str(days), at=now - timedelta(days=days))
        resolve(alert.kind, alert.fingerprint, reason="-", at=now - timedelta(days=days))
    raised("open", at=now - timedelta(days=200))
    assert post(client, "cleanup", dry_run=True).json() == {"deleted": 1}
    assert post(client, "cleanup").json() == {"deleted": 1}
    assert post(client, "cleanup", keep_days=30).json() == {"deleted": 1}
    assert Alert.objects.count() == 2


@pytest.mark.parametrize("days", [29, 366, "x", None])
def test_cleanup_keeps_a_month_at_least_and_a_year_at_most(client, days):
    response = post(client, "cleanup", keep_days=days)
    assert (response.status_code, list(response.json()["fields"])) == (400, ["keep_days"])


# Groups


def test_alerts_of_a_group_are_seen_by_its_members_only(make_client):
    group = Group.objects.create(name="red")
    alert = raised(owner_group_id=group.pk)
    rights = ("view_alert", "acknowledge_alert")
    member, stranger = make_client(*rights), make_client(*rights, username="bea")
    member.user.groups.add(group)
    assert ids(member.get(url("list"))) == [alert.pk]
    assert member.get(url("detail", alert.pk)).json()["owner_group"] == "red"
    assert ids(stranger.get(url("list"))) == []
    assert stranger.get(url("stats")).json()["total"] == 0
    assert stranger.get(url("unread-summary")).json()["unread"] == 0
    for name in ("read", "acknowledge"):
        assert post(stranger, name, alert.pk).status_code == 404
        answer = post(stranger, "bulk", action=name, ids=[alert.pk]).json()
        assert (answer["done"], len(answer["refused"])) == ([], 1)
    assert post(member, "acknowledge", alert.pk).status_code == 200


def test_there_is_a_permission_of_its_own_for_every_change():
    names = set(Permission.objects.filter(content_type__model="alert").values_list("codename", flat=True))
    assert names >= {"acknowledge_alert", "snooze_alert", "resolve_alert", "dismiss_alert", "cleanup_alerts"}
