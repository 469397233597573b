"""The audit trail: what the admin's forms, sign-ins and controls leave, and who may read it."""

import csv
import io
from datetime import timedelta
from typing import cast

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from accounts import keys, limits
from accounts.tasks import forget_audit
from jobs import ownership, schedules
from jobs.context import ActiveRun
from jobs.models import AuditEvent
from jobs.schedules import Wish
from jobs.tests.staff import signed_in, staff
from jobs.when import When
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db

PAGE = "/admin/jobs/auditevent/"
AUDITOR = ("jobs.view_auditevent", "jobs.export_auditevent")


@pytest.fixture
def root():
    return User.objects.create_superuser("root", password="a long enough password")


def latest():
    return AuditEvent.objects.latest("pk")


def test_a_change_in_the_admin_is_told_with_before_after_and_address(root):
    ada, team = staff(name="ada"), Group.objects.create(name="Team A")
    client = signed_in(root)
    form = {
        "username": "ada", "email": "ada@example.org", "is_active": "on", "is_staff": "on", "groups": [team.pk],
        "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00",
    }  # fmt: skip
    answer = client.post(f"/admin/auth/user/{ada.pk}/change/", form, REMOTE_ADDR="192.0.2.7")
    assert answer.status_code == 302, answer.content
    event = latest()
    assert (event.action, event.who, event.subject, event.address) == ("changed", "root", "ada", "192.0.2.7")
    assert event.changes["email"] == ["", "ada@example.org"]
    assert event.changes["groups"] == ["", "Team A"]


def test_permissions_given_to_a_group_are_told(root):
    group = Group.objects.get(name="viewer")
    kept = [*group.permissions.all(), Permission.objects.get(codename="purge_queue")]
    signed_in(root).post(
        f"/admin/auth/group/{group.pk}/change/", {"name": "viewer", "permissions": [one.pk for one in kept]}
    )
    before, after = latest().changes["permissions"]
    assert "purge" not in before
    assert "purge" in after


def test_no_password_is_told_but_its_change_is(root):
    ada = staff(name="ada")
    AuditEvent.objects.all().delete()
    signed_in(root).post(
        f"/admin/auth/user/{ada.pk}/password/",
        {"usable_password": "true", "password1": "quite another one", "password2": "quite another one"},
    )
    ada.refresh_from_db()
    assert ada.check_password("quite another one")
    told = list(AuditEvent.objects.filter(subject="ada"))
    assert "The password was set." in [event.message for event in told]
    assert all(event.who == "root" for event in told)
    assert "quite another one" not in str([vars(event) for event in told])


def test_deleting_in_the_admin_is_told(root):
    ada = staff(name="ada")
    signed_in(root).post(f"/admin/auth/user/{ada.pk}/delete/", {"post": "yes"})
    assert (latest().action, latest().subject) == ("deleted", "ada")
    assert not User.objects.filter(username="ada").exists()


def test_what_a_person_did_stays_when_the_person_is_deleted(root):
    ada = staff(name="ada")
    wish = Wish(name="S", job="testing.do_nothing", when=When(cron="@daily"), parameters={})
    schedule = schedules.create(wish, by=ada)
    User.objects.filter(pk=ada.pk).delete()
    event = AuditEvent.objects.get(subject_id=str(schedule.pk), subject_type="jobs.schedule")
    assert event.who == "ada"
    page = signed_in(root).get(f"{PAGE}{event.pk}/change/")
    assert page.status_code == 200
    assert b"ada" in page.content


# Sign-ins


def test_sign_ins_refusals_and_lockouts_are_told_once_each(db):
    staff(name="ada")
    client = Client(REMOTE_ADDR="192.0.2.7")
    AuditEvent.objects.all().delete()
    login = {"username": "ada", "password": "a long enough password"}
    assert client.post("/admin/login/?next=/admin/", login).status_code == 302
    for _ in range(limits.NAME_AT_ADDRESS.attempts + 3):
        client.post("/admin/login/", {"username": "ada", "password": "wrong"})
    told = list(AuditEvent.objects.order_by("pk").values_list("action", "who", "address"))
    refused = [("refused", "ada", "192.0.2.7")] * limits.NAME_AT_ADDRESS.attempts
    assert told == [("signed_in", "ada", "192.0.2.7"), *refused, ("locked_out", "ada", "192.0.2.7")]


def test_what_was_typed_as_the_name_is_not_kept_when_no_account_has_it(db):
    Client().post("/admin/login/", {"username": "hunter2", "password": "x"})
    assert latest().action == "refused"
    assert "hunter2" not in str(vars(latest()))


# Schedules and runs


def test_giving_a_schedule_to_a_group_is_told_and_hides_the_event_from_others(root):
    team = Group.objects.create(name="Team A")
    wish = Wish(name="Secret plan", job="testing.do_nothing", when=When(cron="@daily"), parameters={})
    schedule = schedules.create(wish, by=root)
    ownership.give(schedule, team, by=root)
    assert latest().changes == {"owner group": ["everybody", "Team A"]}
    member, outsider = staff(*AUDITOR, name="m"), staff(*AUDITOR, name="o")
    member.groups.add(team)
    assert b"everybody" in signed_in(member).get(PAGE).content
    seen = signed_in(outsider).get(PAGE).content
    assert b"Team A" not in seen


def test_a_run_by_hand_is_told(root):
    signed_in(root).post("/admin/jobs/jobrun/run/?job=testing.add_numbers", {"parameter-left": "1"})
    event = latest()
    assert (event.action, event.who, event.subject_type) == ("controlled", "root", "jobs.jobrun")


def test_work_of_the_system_itself_is_not_told(db):
    tasks.add_numbers.enqueue(left=1)
    assert not AuditEvent.objects.filter(subject_type="jobs.jobrun").exists()


# The page


@pytest.mark.parametrize("path", ["", "export/", "1/change/"])
def test_the_trail_is_for_those_with_its_permission(path):
    assert signed_in(staff("jobs.view_jobrun")).get(PAGE + path).status_code == 403


def test_exporting_needs_its_own_permission(db):
    assert signed_in(staff("jobs.view_auditevent")).get(f"{PAGE}export/").status_code == 403


def test_nobody_adds_changes_or_deletes_events(root):
    event = AuditEvent.objects.create(action="changed", who="x")
    client = signed_in(root)
    assert client.get(f"{PAGE}add/").status_code == 403
    assert client.post(f"{PAGE}{event.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(f"{PAGE}{event.pk}/change/", {"who": "y"})
    client.post(PAGE, {"action": "delete_selected", "_selected_action": event.pk, "post": "yes"})
    assert AuditEvent.objects.get(pk=event.pk).who == "x"


def test_the_export_has_what_the_filters_leave_and_no_formulas(root):
    AuditEvent.objects.all().delete()
    AuditEvent.objects.create(action="changed", who="=cmd()", subject="one", changes={"a": ["1", "2"]})
    AuditEvent.objects.create(action="deleted", who="ada", subject="two")
    answer = signed_in(root).get(f"{PAGE}export/?action=changed")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [(row["who"], row["subject"], row["changes"]) for row in rows] == [("'=cmd()", "one", "a: 1 → 2")]


@pytest.mark.parametrize(
    "query", ["?action=changed", "?when=day", "?about=auth.user", "?q=ada", "?person={}"]
)
def test_the_filters_find_the_event_and_leave_out_others(root, query):
    AuditEvent.objects.all().delete()
    ada = staff(name="ada")
    AuditEvent.objects.all().delete()
    AuditEvent.objects.create(
        action="changed", who="ada", user=ada, subject="wanted", subject_type="auth.user"
    )
    old = timezone.now() - timedelta(days=60)
    AuditEvent.objects.create(action="deleted", who="bea", subject="unwanted-row", at=old)
    page = signed_in(root).get(PAGE + query.format(ada.pk)).content.decode()
    assert "wanted" in page
    assert "unwanted-row" not in page


def test_old_events_are_forgotten(root):
    AuditEvent.objects.all().delete()
    old = timezone.now() - timedelta(days=31)
    AuditEvent.objects.create(action="changed", who="old", at=old)
    AuditEvent.objects.create(action="changed", who="new")
    assert forget_audit.function(cast(ActiveRun, None), days=30) == {"events": 1}
    assert list(AuditEvent.objects.values_list("who", flat=True)) == ["new"]


# People


def test_who_manages_users_makes_no_superuser_and_touches_none(root):
    manager = staff("auth.view_user", "auth.change_user", name="manager")
    client = signed_in(manager)
    answer = client.post(f"/admin/auth/user/{root.pk}/password/", {"password1": "x", "password2": "x"})
    assert answer.status_code == 403
    form = {
        "username": "manager", "is_active": "on", "is_staff": "on", "is_superuser": "on",
        "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00",
    }  # fmt: skip
    assert client.post(f"/admin/auth/user/{manager.pk}/change/", form).status_code == 302
    manager.refresh_from_db()
    assert not manager.is_superuser


def test_a_group_that_owns_something_is_not_deleted_in_the_admin(root):
    team = Group.objects.create(name="Team A")
    wish = Wish(name="Plan", job="testing.do_nothing", when=When(cron="@daily"), parameters={})
    ownership.give(schedules.create(wish, by=root), team, by=root)
    page = signed_in(root).get(f"/admin/auth/group/{team.pk}/delete/").content.decode()
    assert "Team A: 1 schedule" in page
    signed_in(root).post(f"/admin/auth/group/{team.pk}/delete/", {"post": "yes"})
    assert Group.objects.filter(pk=team.pk).exists()


def test_a_user_with_api_keys_can_be_deleted(root):
    ada = staff("jobs.view_jobrun", name="ada")
    keys.make(name="CI", owner=ada, wanted=["runs:read"], by=root)
    signed_in(root).post(f"/admin/auth/user/{ada.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(username="ada").exists()
