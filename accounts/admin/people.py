"""Users and groups in the theme's clothes, and without a way to more than one has."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from jobs import ownership
from jobs.admin import navigation

if TYPE_CHECKING:
    ThemedUserAdmin = StockUserAdmin[User]
    ThemedGroupAdmin = StockGroupAdmin
else:
    from jobs.admin.base import ModelAdmin

    class ThemedUserAdmin(StockUserAdmin, ModelAdmin):
        pass

    class ThemedGroupAdmin(StockGroupAdmin, ModelAdmin):
        pass


admin.site.unregister([User, Group])

navigation.add(
    navigation.Entry(
        group="People",
        title="Users",
        icon="person",
        url_name="admin:auth_user_changelist",
        permissions=("auth.view_user",),
        order=900,
    ),
    navigation.Entry(
        group="People",
        title="Groups",
        icon="group",
        url_name="admin:auth_group_changelist",
        permissions=("auth.view_group",),
        order=910,
    ),
)


@admin.register(User)
class UserAdmin(ThemedUserAdmin):
    """Whoever manages users makes no superuser, unless being one: neither by the field nor by a superuser's password."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "role_names", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="Groups")
    def role_names(self, user: User) -> str:
        names = [group.name for group in user.groups.all()]
        return ", ".join([*names, "superuser"] if user.is_superuser else names) or "none"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with a user, such as API keys, needs no permission of its own.

        It is counted and not named: messages may tell of what belongs to groups that this person does not see.
        """
        _, counts, _, protected = super().get_deleted_objects(objs, request)
        return [str(user) for user in objs], counts, set(), protected


@admin.register(Group)
class GroupAdmin(ThemedGroupAdmin):
    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A group that owns schedules or runs stays; said before Django would read all of them to say so."""
        protected = [f"{group}: {owned}" for group in objs if (owned := ownership.owns(group))]
        if protected:
            return [str(group) for group in objs], {}, set(), protected
        return super().get_deleted_objects(objs, request)


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return user is None or not user.is_superuser or request.user.is_superuser
