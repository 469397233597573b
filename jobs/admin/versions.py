"""Versions of a schedule: who changed what and when, compared, and the way back."""

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from jobs import rollback, versions
from jobs.admin.base import require, user_of
from jobs.errors import JobsError
from jobs.models import Schedule, ScheduleVersion

if TYPE_CHECKING:
    from jobs.admin.base import ModelAdmin

    Base = ModelAdmin[Schedule]
else:
    Base = object

#: So many of the latest versions are listed.
LISTED = 100


class ScheduleVersions(Base):
    """The pages of `ScheduleAdmin` about versions."""

    if TYPE_CHECKING:

        def get_schedule(self, request: HttpRequest, object_id: str) -> Schedule: ...

    def version_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/versions/", view(self.versions), name="jobs_schedule_versions"),
            path("<path:object_id>/versions/<int:number>/", view(self.version), name="jobs_schedule_version"),
            path(
                "<path:object_id>/versions/<int:number>/restore/",
                view(self.restore),
                name="jobs_schedule_restore",
            ),
        ]

    def versions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The latest versions, each with what it changed."""
        schedule = self.get_schedule(request, object_id)
        found = list(schedule.versions.select_related("by").order_by("-number")[: LISTED + 1])
        rows = [
            (version, versions.differences(found[place + 1], version) if place + 1 < len(found) else [])
            for place, version in enumerate(found[:LISTED])
        ]
        return self._version_page(
            request, "versions", schedule, title=f"Versions of {schedule.name}", rows=rows
        )

    def version(self, request: HttpRequest, object_id: str, number: int) -> HttpResponse:
        """One version: what it changed, and what going back to it would change."""
        schedule = self.get_schedule(request, object_id)
        version = _get(schedule, number)
        earlier, present = versions.before(version), _get(schedule, schedule.policy.version)
        return self._version_page(
            request,
            "version",
            schedule,
            title=f"Version {number} of {schedule.name}",
            version=version,
            changed=versions.differences(earlier, version) if earlier else [],
            way_back=[
                one for one in versions.differences(present, version) if one.name not in rollback.KEPT_NAMES
            ],
            present=present,
            values=versions.readable(version.snapshot),
            may_write=self.has_change_permission(request),
        )

    def restore(self, request: HttpRequest, object_id: str, number: int) -> HttpResponse:
        """Go back to a version."""
        require(request, "jobs.change_schedule")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        schedule = self.get_schedule(request, object_id)
        try:
            made = rollback.roll_back(schedule, number, by=user_of(request))
        except JobsError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:jobs_schedule_versions", args=[schedule.pk]))
        messages.success(
            request, f"{schedule.name} is as it was in version {number}: this is version {made.number}."
        )
        return HttpResponseRedirect(reverse("admin:jobs_schedule_change", args=[schedule.pk]))

    def _version_page(
        self, request: HttpRequest, name: str, schedule: Schedule, **context: object
    ) -> TemplateResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts, "original": schedule}
        return TemplateResponse(request, f"admin/jobs/schedule/{name}.html", {**common, **context})


def _get(schedule: Schedule, number: int) -> ScheduleVersion:
    try:
        return versions.get(schedule, number)
    except versions.VersionNotFound as error:
        raise Http404(str(error)) from error
