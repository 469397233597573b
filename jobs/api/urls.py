"""The control plane's part of `/api/v1/`."""

from django.urls import path, register_converter

from jobs.api.definitions import JobViewSet
from jobs.api.delays import DelayStatisticsView, RunDelaysView
from jobs.api.events import EventsView
from jobs.api.runs import RunViewSet
from jobs.api.schedule_previews import SchedulePreviewViewSet
from jobs.api.schedule_switches import ScheduleSwitchViewSet
from jobs.api.schedules import ScheduleViewSet
from jobs.api.statistics import StatisticsView
from jobs.api.system import HealthView, PurgeView, QueuesView, WorkersView


class NameConverter:
    """A name of a job or a queue."""

    regex = "[a-zA-Z0-9_.-]{1,200}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(NameConverter, "name")

urlpatterns = [
    path("jobs/", JobViewSet.as_view({"get": "list"}), name="job-list"),
    path("jobs/<name:name>/", JobViewSet.as_view({"get": "retrieve"}), name="job-detail"),
    path("jobs/<name:name>/trigger/", JobViewSet.as_view({"post": "trigger"}), name="job-trigger"),
    path("runs/", RunViewSet.as_view({"get": "list"}), name="run-list"),
    path("runs/active/", RunViewSet.as_view({"get": "active"}), name="run-active"),
    path("runs/stats/", StatisticsView.as_view(), name="run-stats"),
    path("runs/<uuid:id>/", RunViewSet.as_view({"get": "retrieve"}), name="run-detail"),
    path("runs/<uuid:id>/progress/", RunViewSet.as_view({"get": "progress"}), name="run-progress"),
    path("runs/<uuid:id>/logs/", RunViewSet.as_view({"get": "logs"}), name="run-logs"),
    path("runs/delays/", DelayStatisticsView.as_view(), name="run-delay-stats"),
    path("runs/<uuid:id>/delays/", RunDelaysView.as_view(), name="run-delays"),
    path("runs/<uuid:id>/cancel/", RunViewSet.as_view({"post": "cancel"}), name="run-cancel"),
    path("runs/<uuid:id>/retry/", RunViewSet.as_view({"post": "retry"}), name="run-retry"),
    path("schedules/", ScheduleViewSet.as_view({"get": "list", "post": "create"}), name="schedule-list"),
    path(
        "schedules/preview/",
        SchedulePreviewViewSet.as_view({"post": "preview_unsaved"}),
        name="schedule-preview-unsaved",
    ),
    path(
        "schedules/<int:pk>/",
        ScheduleViewSet.as_view(
            {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
        ),
        name="schedule-detail",
    ),
    path("schedules/<int:pk>/pause/", ScheduleViewSet.as_view({"post": "pause"}), name="schedule-pause"),
    path(
        "schedules/<int:pk>/resume/",
        ScheduleSwitchViewSet.as_view({"post": "resume"}),
        name="schedule-resume",
    ),
    path(
        "schedules/<int:pk>/run-now/", ScheduleViewSet.as_view({"post": "run_now"}), name="schedule-run-now"
    ),
    path(
        "schedules/<int:pk>/preview/",
        SchedulePreviewViewSet.as_view({"get": "preview", "post": "preview_change"}),
        name="schedule-preview",
    ),
    path(
        "schedules/<int:pk>/passed/", ScheduleSwitchViewSet.as_view({"get": "passed"}), name="schedule-passed"
    ),
    path(
        "schedules/<int:pk>/enable/",
        ScheduleSwitchViewSet.as_view({"post": "enable"}),
        name="schedule-enable",
    ),
    path(
        "schedules/<int:pk>/disable/",
        ScheduleSwitchViewSet.as_view({"post": "disable"}),
        name="schedule-disable",
    ),
    path("workers/", WorkersView.as_view(), name="worker-list"),
    path("queues/", QueuesView.as_view(), name="queue-list"),
    path("queues/<name:name>/purge/", PurgeView.as_view(), name="queue-purge"),
    path("events/", EventsView.as_view(), name="event-list"),
    path("health/", HealthView.as_view(), name="health"),
]
