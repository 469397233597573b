"""Alerts in the admin: the list, the page of one, and its controls with their permissions."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.utils import timezone

from jobs.admin.alert_actions import CONTROLS
from jobs.alerts import raise_alert, resolve
from jobs.alerts.raising import Subject
from jobs.models import Alert, AlertEvent, AlertRead
from jobs.tests.alert_scenes import failed
from jobs.tests.staff import signed_in, staff

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/alert/"
State = Alert.State
names = pytest.mark.parametrize("name", sorted(CONTROLS))


def raised(title="Trouble", *, kind="jobs.reported_trouble", **given):
    return raise_alert(
        kind, subject=Subject(type="host", text="Host 7"), title=title, fingerprint=title, **given
    )


def page(alert, name="change"):
    return f"{LIST}{alert.pk}/{name}/"


def values(name):
    until = (timezone.now() + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S")
    return {"note": "because"} | ({"until": until} if name == "snooze" else {})


def in_a_state_for(name):
    alert = raised(name)
    if name == "unsnooze":
        Alert.objects.update(state=State.SNOOZED, snoozed_until=timezone.now() + timedelta(hours=1))
    return alert


def test_the_list_shows_what_is_wrong_now_the_most_pressing_first():
    raised("Harmless", severity="low")
    raised("Terrible", severity="critical")
    over = raised("Long over")
    resolve(over.kind, over.fingerprint, reason="-")
    folded = raised("Explained")
    Alert.objects.filter(pk=folded.pk).update(incident=over)
    raise_alert("jobs.run_late", subject=Subject(type="job"), title="Not yet")
    client = signed_in(staff("jobs.view_alert"))
    shown = client.get(LIST).content.decode()
    assert shown.index("Terrible") < shown.index("Harmless")
    for hidden in ("Long over", "Explained", "Not yet"):
        assert hidden not in shown
    assert "Long over" in client.get(f"{LIST}?state=all").content.decode()
    assert "Terrible" not in client.get(f"{LIST}?state=resolved").content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("severity=critical", {"Terrible"}),
        ("kind=jobs.scheduler_silent", {"Terrible"}),
        ("unread=yes", {"Terrible"}),
        ("q=harm", {"Harmless"}),
        ("q=host", {"Harmless", "Terrible"}),
        ("severity=nonsense", {"Harmless", "Terrible"}),
    ],
)
def test_filters_and_search_narrow_the_list(query, found):
    user = staff("jobs.view_alert")
    read = raised("Harmless", severity="low")
    AlertRead.objects.create(alert=read, user=user, at=timezone.now())
    raised("Terrible", kind="jobs.scheduler_silent", since=timezone.now() - timedelta(hours=1))
    shown = signed_in(user).get(f"{LIST}?{query}").content.decode()
    assert {title for title in ("Harmless", "Terrible") if f"{title}</strong>" in shown} == found


def test_the_list_costs_as_many_queries_with_many_alerts(django_assert_max_num_queries):
    for number in range(30):
        raised(f"number {number}")
    client = signed_in(staff("jobs.view_alert"))
    client.get(LIST)
    with django_assert_max_num_queries(14):
        client.get(LIST)


def test_the_page_of_an_alert_tells_everything_and_counts_as_read():
    run = failed(timezone.now())
    alert = raised(
        "Sums fail", kind="jobs.run_failed", job=run.job, context={"error_fingerprint": "c1", "free": "12 MB"}
    )
    user = staff("jobs.view_alert", "jobs.view_jobrun")
    shown = signed_in(user).get(page(alert)).content.decode()
    for part in (
        "Sums fail",
        "What to do",
        "retry the failed runs",
        "12 MB",
        "no such thing",
        str(run.pk),
        "Opened",
    ):
        assert part in shown
    assert AlertRead.objects.get().user == user


def test_the_page_of_an_incident_tells_of_the_outage():
    incident = raised("Broker", kind="jobs.broker_down", since=timezone.now() - timedelta(minutes=5))
    Alert.objects.filter(pk=incident.pk).update(context={"folded": {"jobs.slot_missed": 450}})
    folded = raised("Queue stuck")
    Alert.objects.filter(pk=folded.pk).update(incident=incident)
    client = signed_in(staff("jobs.view_alert"))
    shown = client.get(page(incident)).content.decode()
    for part in ("What the outage did", "slot missed (450)", "Queue stuck", "not yet"):
        assert part in shown
    assert "Explained by" in client.get(page(folded)).content.decode()


def test_text_from_outside_is_shown_as_text():
    alert = raised("<script>alert(1)</script>", message="<img src=x onerror=alert(1)>", context={"a": "<b>"})
    client = signed_in(staff("jobs.view_alert"))
    for address in (LIST, page(alert)):
        shown = client.get(address).content.decode()
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown


def test_an_alert_of_a_vanished_kind_has_a_page():
    alert = raised()
    Alert.objects.update(kind="gone.trouble")
    shown = signed_in(staff("jobs.view_alert")).get(page(alert)).content.decode()
    assert "No app declares this kind any more" in shown


@names
def test_a_control_asks_and_then_does_it_with_a_trace(name):
    control = CONTROLS[name]
    alert = in_a_state_for(name)
    client = signed_in(staff("jobs.view_alert", control.permission))
    assert control.button in client.get(page(alert)).content.decode()
    assert control.question.partition("?")[0] in client.get(page(alert, name)).content.decode()
    assert AlertEvent.objects.count() == 1
    answer = client.post(page(alert, name), values(name))
    assert answer.status_code == 302
    event = AlertEvent.objects.latest("pk")
    assert str(event.by) == "staff"
    assert "because" in event.note
    assert LogEntry.objects.count() == 1


@names
def test_without_the_permission_of_a_control_it_is_neither_shown_nor_done(name):
    control = CONTROLS[name]
    alert = in_a_state_for(name)
    others = {other.permission for other in CONTROLS.values()} - {control.permission}
    client = signed_in(staff("jobs.view_alert", *others))
    assert f'href="{name}/"' not in client.get(page(alert)).content.decode()
    for method in (client.get, client.post):
        assert method(page(alert, name), values(name)).status_code == 403
    assert AlertEvent.objects.count() == 1


@pytest.mark.parametrize("name", sorted(set(CONTROLS) - {"unsnooze"}))
def test_a_bulk_action_needs_its_permission_asks_and_does_it_to_each(name):
    chosen = [raised(f"number {number}") for number in range(3)]
    over = raised("over")
    resolve(over.kind, over.fingerprint, reason="-")
    data = {"action": f"{name}_selected", "_selected_action": [alert.pk for alert in [*chosen, over]]}
    address = f"{LIST}?state=all"
    viewer = signed_in(staff("jobs.view_alert", name="viewer"))
    viewer.post(address, {**data, **values(name), "confirmed": "yes"})
    assert AlertEvent.objects.count() == 5
    client = signed_in(staff("jobs.view_alert", CONTROLS[name].permission))
    asked = client.post(address, data).content.decode()
    assert CONTROLS[name].question.partition("?")[0] in asked
    assert AlertEvent.objects.count() == 5
    assert client.post(address, {**data, **values(name), "confirmed": "yes"}).status_code == 302
    assert AlertEvent.objects.count() == 8


def test_marking_many_as_read_is_for_oneself():
    chosen = [raised(f"number {number}") for number in range(3)]
    user = staff("jobs.view_alert")
    data = {"action": "read_selected", "_selected_action": [alert.pk for alert in chosen]}
    signed_in(user).post(LIST, data)
    assert AlertRead.objects.filter(user=user).count() == 3
    assert Alert.objects.unread_by(user).count() == 0
    assert Alert.objects.unread_by(staff(name="other")).count() == 3


def test_a_snooze_that_ends_in_the_past_is_refused_with_a_reason():
    alert = raised()
    client = signed_in(staff("jobs.view_alert", "jobs.snooze_alert"))
    answer = client.post(page(alert, "snooze"), {"until": "2020-01-01T00:00:00"})
    assert answer.status_code == 200
    assert "within the next 30 days" in answer.content.decode()
    alert.refresh_from_db()
    assert alert.state == State.OPEN


def test_what_has_changed_meanwhile_is_told_and_not_done():
    alert = raised()
    client = signed_in(staff("jobs.view_alert", "jobs.acknowledge_alert"))
    resolve(alert.kind, alert.fingerprint, reason="-")
    answer = client.post(page(alert, "acknowledge"), {"note": ""}, follow=True)
    assert "The alert is resolved." in answer.content.decode()


def test_nobody_adds_edits_or_deletes_alerts_in_the_admin():
    alert = raised()
    root = staff()
    root.is_superuser = True
    root.save()
    client = signed_in(root)
    for address in (f"{LIST}add/", page(alert, "delete")):
        assert client.get(address).status_code == 403


def test_alerts_of_other_groups_are_not_there():
    alert = raised("Secret", owner_group_id=Group.objects.create(name="red").pk)
    client = signed_in(staff("jobs.view_alert", "jobs.resolve_alert"))
    assert "Secret" not in client.get(LIST).content.decode()
    assert client.get(page(alert)).status_code == 404
    assert client.post(page(alert, "resolve"), {}).status_code == 404


def test_without_the_permission_to_view_there_is_nothing_to_see():
    alert = raised()
    client = signed_in(staff("jobs.resolve_alert"))
    assert client.get(LIST).status_code == 403
    assert client.get(page(alert)).status_code == 403
