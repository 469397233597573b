"""Choosing the group that a schedule or a run belongs to."""

from typing import Any

from django import forms
from django.contrib.auth.models import Group
from unfold import widgets

from jobs import ownership


def owner_group_field() -> "forms.ModelChoiceField[Group]":
    """A choice that is empty until `offer_groups` fills it."""
    return forms.ModelChoiceField(
        Group.objects.none(),
        label="Owner group",
        required=False,
        empty_label="Nobody's: all who may see such things",
        help_text="Only members of the group see it and its runs, and can control them.",
        widget=widgets.UnfoldAdminSelectWidget(),
    )


class OwnerForm(forms.Form):
    """The group of a single run."""

    owner_group = owner_group_field()

    def __init__(self, user: Any, data: Any = None) -> None:
        super().__init__(data)
        offer_groups(self, user)


def offer_groups(form: forms.Form, user: Any) -> None:
    """Fill the choice with the groups that this person may choose; without any, there is no such field."""
    groups = ownership.choices(user)
    if groups.exists():
        field: Any = form.fields["owner_group"]
        field.queryset = groups
    else:
        del form.fields["owner_group"]
