import pytest
from django.contrib.auth.models import Group, Permission, User

from accounts.permissions import user_with_permissions

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    """A user with one permission of her own and one of a group."""
    user = User.objects.create_user("ada")
    user.user_permissions.add(Permission.objects.get(codename="run_job"))
    group = Group.objects.create(name="operators")
    group.permissions.add(Permission.objects.get(codename="cancel_run"))
    user.groups.add(group)
    return user


def test_own_and_group_permissions_count(ada):
    assert ada.has_perm("jobs.run_job")
    assert ada.has_perm("jobs.cancel_run")
    assert not ada.has_perm("jobs.purge_queue")
    assert ada.has_module_perms("jobs")
    assert ada.get_all_permissions() == {"jobs.run_job", "jobs.cancel_run"}


def test_a_user_comes_with_all_permissions_in_one_query(ada, django_assert_num_queries):
    with django_assert_num_queries(1):
        user = user_with_permissions(ada.pk)
        assert user is not None
        assert user.has_perm("jobs.run_job")
        assert user.has_perm("jobs.cancel_run")


def test_permissions_are_asked_once_for_one_object(ada, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert ada.has_perm("jobs.run_job")
        assert not ada.has_perm("jobs.purge_queue")


def test_an_inactive_user_may_nothing_and_a_superuser_everything(ada):
    ada.is_active = False
    assert not ada.has_perm("jobs.run_job")
    assert User(is_active=True, is_superuser=True).has_perm("jobs.purge_queue")


def test_a_user_that_does_not_exist_is_none(db):
    assert user_with_permissions(2**31 - 1) is None
