"""Users and groups in the theme's clothes."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as StockGroupAdmin
from django.contrib.auth.admin import UserAdmin as StockUserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

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
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(ThemedGroupAdmin):
    pass
