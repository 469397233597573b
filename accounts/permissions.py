"""What a user may do, asked in one query: Django asks one for the user's own and one for the groups' permissions."""

from django.contrib.auth.models import User
from django.db import connection

_NAMES = """
ARRAY(
    SELECT content_type.app_label || '.' || permission.codename
    FROM auth_permission permission
    JOIN django_content_type content_type ON content_type.id = permission.content_type_id
    WHERE permission.id IN (
        SELECT permission_id FROM auth_user_user_permissions WHERE user_id = asked.id
        UNION ALL
        SELECT of_group.permission_id FROM auth_group_permissions of_group
        JOIN auth_user_groups membership USING (group_id) WHERE membership.user_id = asked.id
    )
)
"""
_GROUPS = "ARRAY(SELECT group_id FROM auth_user_groups WHERE user_id = asked.id)"
_USER = (
    f"SELECT asked.*, {_NAMES} AS permission_names, {_GROUPS} AS group_ids "  # noqa: S608 - both are constants above
    "FROM auth_user asked WHERE asked.id = %s"
)
_OF_USER = f"SELECT {_NAMES} FROM auth_user asked WHERE asked.id = %s"  # noqa: S608 - a constant above


def user_with_permissions(pk: int) -> User | None:
    """The user, with the names of all permissions and the ids of the groups: nobody will ask for them again."""
    return next(iter(User.objects.raw(_USER, [pk])), None)


def names_of(user: User) -> set[str]:
    """The names of all permissions, as `jobs.run_job`; asked once for each object of a user."""
    names = getattr(user, "permission_names", None)
    if names is None:
        with connection.cursor() as cursor:
            cursor.execute(_OF_USER, [user.pk])
            row = cursor.fetchone()
        names = row[0] if row else []
        user.permission_names = names  # type: ignore[attr-defined]  # as `user_with_permissions` does
    return set(names)
