"""The page that tells which runs and coming slots will miss their deadline."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold import widgets

from jobs import display, prediction
from jobs.admin import navigation
from jobs.admin.base import require, user_of
from jobs.definitions import find_job
from jobs.models import visibility_of
from jobs.prediction import Prediction

VIEW = "jobs.view_jobrun"
#: Rows of the list; the likeliest to be late come first.
_ROWS = 200

navigation.add(
    navigation.Entry(
        group="Jobs",
        title="Outlook",
        icon="nights_stay",
        url_name="admin:jobs_jobrun_outlook",
        permissions=(VIEW,),
        order=28,
    )
)

_HORIZONS = {
    "3": "The next 3 hours",
    "12": "The next 12 hours",
    "24": "The next 24 hours",
    "48": "The next 2 days",
}


class OutlookForm(forms.Form):
    """How far ahead to look."""

    hours = forms.ChoiceField(
        label="Look ahead",
        choices=list(_HORIZONS.items()),
        required=False,
        widget=widgets.UnfoldAdminSelectWidget(),
    )


def urls(site: AdminSite) -> list[URLPattern]:
    return [path("outlook/", site.admin_view(page(site)), name="jobs_jobrun_outlook")]


def page(site: AdminSite) -> Any:
    """The view."""

    def view(request: HttpRequest) -> HttpResponse:
        require(request, VIEW)
        form = OutlookForm(request.GET or {"hours": "12"})
        hours = (form.cleaned_data["hours"] if form.is_valid() else "") or "12"
        now = timezone.now()
        found = prediction.held(
            now, horizon=timedelta(hours=int(hours)), seen=visibility_of(user_of(request))
        )
        late = [one for one in found if one.will_be_late]
        context = {
            **site.each_context(request),
            "title": "Outlook",
            "form": form,
            "rows": [_Row(one) for one in found[:_ROWS]],
            "hidden": max(len(found) - _ROWS, 0),
            "late": len(late),
            "held": len(found),
        }
        return TemplateResponse(request, "admin/jobs/outlook/page.html", context)

    return view


class _Row:
    """A prediction as the page shows it."""

    def __init__(self, one: Prediction) -> None:
        job = find_job(one.job)
        self.one = one
        self.title = one.schedule_name or (job.title if job else one.job)
        self.percent = round(one.chance * 100)
        self.badge = (
            display.badge("Will be late", "schedule", "bad")
            if one.will_be_late
            else display.badge("In time", "check_circle", "good")
        )
