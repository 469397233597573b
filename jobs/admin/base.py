"""What every admin page here stands on: the themed ModelAdmin, made generic, and a check that cannot be forgotten."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import models
from django.http import HttpRequest

from jobs.admin.audited import Audited

__all__ = ["ChangeList", "DropdownFilter", "ModelAdmin", "ReadOnlyAdmin", "require", "user_of"]

M = TypeVar("M", bound=models.Model)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin import SimpleListFilter as DropdownFilter
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.admin import ModelAdmin as ThemedModelAdmin
    from unfold.contrib.filters.admin import DropdownFilter
    from unfold.views import ChangeList

    class ModelAdmin(Audited, ThemedModelAdmin):
        def __class_getitem__(cls, model: type[models.Model]) -> type["ModelAdmin"]:
            return cls

        def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
            if any("\x00" in value for _, values in request.GET.lists() for value in values):
                raise BadRequest("PostgreSQL has no text with NUL: no filter can look for it.")
            return super().get_changelist_instance(request)


class ReadOnlyAdmin(ModelAdmin[M]):
    """Rows that people look at and only the system writes: nobody adds, changes or deletes one, superusers neither."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def require(request: HttpRequest, *permissions: str) -> None:
    """Refuse the request with 403 unless its user has every permission."""
    if not request.user.has_perms(permissions):
        raise PermissionDenied


def user_of(request: HttpRequest) -> AbstractBaseUser:
    """Who asks; the admin lets nobody in without an account."""
    if not isinstance(request.user, AbstractBaseUser):
        raise PermissionDenied
    return request.user
