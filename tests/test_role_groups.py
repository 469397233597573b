from itertools import pairwise

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User

from accounts import role_groups
from accounts.models import RoleGrant

pytestmark = pytest.mark.django_db

OURS = ("jobs", "publishing", "accounts")


def names_of(role):
    permissions = Group.objects.get(name=role).permissions.select_related("content_type")
    return {f"{one.content_type.app_label}.{one.codename}" for one in permissions}


def install():
    for config in apps.get_app_configs():
        role_groups.install(config, apps=apps)


@pytest.mark.parametrize("role", role_groups.ROLES)
def test_migrations_leave_each_role_with_what_the_apps_declare(role):
    assert names_of(role) == role_groups.permissions_of(role)


def test_each_role_may_do_what_the_one_before_it_may():
    sets = [names_of(role) for role in role_groups.ROLES]
    assert all(less < more for less, more in pairwise(sets))


def test_a_viewer_has_only_permissions_to_view():
    others = {name for name in names_of("viewer") if not name.partition(".")[2].startswith("view_")}
    # Marks messages of one's own inbox as read, which nobody else sees; an API key that only reads goes without it.
    assert others == {"jobs.change_inboxmessage"}


def test_every_permission_for_a_control_belongs_to_a_role():
    """A new one joins by a line in its app's `roles` module; the four that Django makes are left to the app."""
    controls = {
        f"{app}.{codename}"
        for app, codename in Permission.objects.filter(content_type__app_label__in=OURS).values_list(
            "content_type__app_label", "codename"
        )
        if codename.partition("_")[0] not in ("add", "change", "delete", "view")
    }
    assert controls - role_groups.permissions_of("admin") == set()


def test_installing_again_changes_nothing(django_assert_max_num_queries):
    before = {role: names_of(role) for role in role_groups.ROLES}
    grants = RoleGrant.objects.count()
    install()
    assert {role: names_of(role) for role in role_groups.ROLES} == before
    assert RoleGrant.objects.count() == grants


def test_what_an_operator_added_and_took_away_stays_so():
    viewer = Group.objects.get(name="viewer")
    added, taken = (
        Permission.objects.get(codename="purge_queue"),
        Permission.objects.get(codename="view_system"),
    )
    viewer.permissions.add(added)
    viewer.permissions.remove(taken)
    install()
    assert viewer.permissions.contains(added)
    assert not viewer.permissions.contains(taken)


def test_a_permission_that_is_not_declared_any_more_is_taken_back(monkeypatch):
    from jobs import roles

    fewer = {**roles.ROLES, "operator": ("run_job",)}
    monkeypatch.setattr(roles, "ROLES", fewer)
    install()
    assert "jobs.cancel_run" not in names_of("operator")
    assert "jobs.run_job" in names_of("operator")


def test_a_permission_that_is_new_is_given_to_its_role_and_those_above(monkeypatch):
    from jobs import roles

    monkeypatch.setattr(roles, "ROLES", {**roles.ROLES, "editor": (*roles.ROLES["editor"], "add_jobrun")})
    install()
    assert "jobs.add_jobrun" in names_of("editor") & names_of("admin")
    assert "jobs.add_jobrun" not in names_of("operator")


def test_a_superuser_needs_no_role():
    assert User(is_active=True, is_superuser=True).has_perm("jobs.purge_queue")


def test_every_permission_behind_a_scope_exists():
    known = {
        f"{app}.{codename}"
        for app, codename in Permission.objects.values_list("content_type__app_label", "codename")
    }
    for scope, permissions in role_groups.scopes().items():
        assert permissions <= known, scope
