"""The control plane's part of `/api/v1/`."""

from django.urls import path, register_converter

from jobs.api import notification_urls
from jobs.api.alerts import AlertViewSet
from jobs.api.backfills import BackfillViewSet
from jobs.api.definitions import JobViewSet
from jobs.api.delays import DelayStatisticsView, RunDelaysView
from jobs.api.events import EventsView
from jobs.api.failures import FailureViewSet
from jobs.api.limits import LimitViewSet
from jobs.api.maintenance import CalendarViewSet, MaintenanceWindowViewSet
from jobs.api.predictions import PredictionsView, RunPredictionView
from jobs.api.runs import RunViewSet
from jobs.api.schedule_previews import SchedulePreviewViewSet
from jobs.api.schedule_switches import ScheduleSwitchViewSet
from jobs.api.schedule_versions import ScheduleVersionViewSet
from jobs.api.schedules import ScheduleViewSet
from jobs.api.statistics import StatisticsView
from jobs.api.system import HealthView, PurgeView, QueuesView, WorkersView
from jobs.api.tasks import TaskView
from jobs.api.timeline import TimelineViewSet
from jobs.api.workers import WorkerViewSet


class NameConverter:
    """A name of a job or a queue."""

    regex = "[a-zA-Z0-9_.-]{1,200}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class FingerprintConverter(NameConverter):
    """An error's fingerprint."""

    regex = "[a-zA-Z0-9]{1,40}"


class WorkerConverter(NameConverter):
    """A name of a worker, such as celery@machine."""

    regex = "[^/]{1,200}"


register_converter(NameConverter, "name")
register_converter(FingerprintConverter, "fingerprint")
register_converter(WorkerConverter, "worker")

#: Address below the worker's -> what it does, each by POST.
WORKER_CONTROLS = {
    "ping": "ping",
    "pool/grow": "grow",
    "pool/shrink": "shrink",
    "pool/autoscale": "autoscale",
    "pool/restart": "restart_pool",
    "queues/add": "add_queue",
    "queues/cancel": "cancel_queue",
    "rate-limit": "limit_rate",
    "time-limit": "limit_time",
    "shutdown": "shut_down",
}

urlpatterns = [
    path("jobs/", JobViewSet.as_view({"get": "list"}), name="job-list"),
    path("jobs/<name:name>/", JobViewSet.as_view({"get": "retrieve"}), name="job-detail"),
    path("jobs/<name:name>/trigger/", JobViewSet.as_view({"post": "trigger"}), name="job-trigger"),
    path("limits/", LimitViewSet.as_view({"get": "list"}), name="limit-list"),
    path(
        "limits/<name:name>/",
        LimitViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="limit-detail",
    ),
    path(
        "maintenance-windows/",
        MaintenanceWindowViewSet.as_view({"get": "list", "post": "create"}),
        name="maintenance-window-list",
    ),
    path(
        "maintenance-windows/<int:pk>/",
        MaintenanceWindowViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="maintenance-window-detail",
    ),
    path("calendars/", CalendarViewSet.as_view({"get": "list", "post": "create"}), name="calendar-list"),
    path(
        "calendars/<int:pk>/",
        CalendarViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="calendar-detail",
    ),
    path("tasks/<uuid:id>/", TaskView.as_view(), name="task-detail"),
    path("runs/", RunViewSet.as_view({"get": "list"}), name="run-list"),
    path("runs/active/", RunViewSet.as_view({"get": "active"}), name="run-active"),
    path("runs/stats/", StatisticsView.as_view(), name="run-stats"),
    path("runs/<uuid:id>/", RunViewSet.as_view({"get": "retrieve"}), name="run-detail"),
    path("runs/<uuid:id>/progress/", RunViewSet.as_view({"get": "progress"}), name="run-progress"),
    path("runs/<uuid:id>/logs/", RunViewSet.as_view({"get": "logs"}), name="run-logs"),
    path("runs/delays/", DelayStatisticsView.as_view(), name="run-delay-stats"),
    path("predictions/", PredictionsView.as_view(), name="prediction-list"),
    path("runs/<uuid:id>/prediction/", RunPredictionView.as_view(), name="run-prediction"),
    path("runs/<uuid:id>/delays/", RunDelaysView.as_view(), name="run-delays"),
    path("runs/<uuid:id>/cancel/", RunViewSet.as_view({"post": "cancel"}), name="run-cancel"),
    path("runs/<uuid:id>/retry/", RunViewSet.as_view({"post": "retry"}), name="run-retry"),
    path("failures/", FailureViewSet.as_view({"get": "list"}), name="failure-list"),
    path(
        "failures/<fingerprint:fingerprint>/",
        FailureViewSet.as_view({"get": "retrieve"}),
        name="failure-detail",
    ),
    *(
        path(
            f"failures/<fingerprint:fingerprint>/{action}/",
            FailureViewSet.as_view({"post": action}),
            name=f"failure-{action}",
        )
        for action in ("retry", "mute", "archive", "reopen")
    ),
    path("schedules/", ScheduleViewSet.as_view({"get": "list", "post": "create"}), name="schedule-list"),
    path("schedules/timeline/", TimelineViewSet.as_view({"get": "timeline"}), name="schedule-timeline"),
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
    path("alerts/", AlertViewSet.as_view({"get": "list", "post": "create"}), name="alert-list"),
    path("alerts/kinds/", AlertViewSet.as_view({"get": "kinds"}, pagination_class=None), name="alert-kinds"),
    path("alerts/stats/", AlertViewSet.as_view({"get": "stats"}), name="alert-stats"),
    path(
        "alerts/unread-summary/",
        AlertViewSet.as_view({"get": "unread_summary"}),
        name="alert-unread-summary",
    ),
    path("alerts/bulk/", AlertViewSet.as_view({"post": "bulk"}), name="alert-bulk"),
    path("alerts/cleanup/", AlertViewSet.as_view({"post": "cleanup"}), name="alert-cleanup"),
    path("alerts/<int:pk>/", AlertViewSet.as_view({"get": "retrieve"}), name="alert-detail"),
    path(
        "alerts/<int:pk>/read/",
        AlertViewSet.as_view({"post": "read", "delete": "unread"}),
        name="alert-read",
    ),
    *(
        path(f"alerts/<int:pk>/{name}/", AlertViewSet.as_view({"post": name}), name=f"alert-{name}")
        for name in ("acknowledge", "snooze", "unsnooze", "resolve", "dismiss")
    ),
    path(
        "schedules/<int:pk>/preview/",
        SchedulePreviewViewSet.as_view({"get": "preview", "post": "preview_change"}),
        name="schedule-preview",
    ),
    path(
        "schedules/<int:pk>/versions/",
        ScheduleVersionViewSet.as_view({"get": "versions"}),
        name="schedule-versions",
    ),
    path(
        "schedules/<int:pk>/versions/<int:number>/",
        ScheduleVersionViewSet.as_view({"get": "version"}),
        name="schedule-version",
    ),
    path(
        "schedules/<int:pk>/versions/<int:number>/restore/",
        ScheduleVersionViewSet.as_view({"post": "restore"}),
        name="schedule-restore",
    ),
    path(
        "schedules/<int:pk>/passed/", ScheduleSwitchViewSet.as_view({"get": "passed"}), name="schedule-passed"
    ),
    path(
        "schedules/<int:pk>/backfill/",
        BackfillViewSet.as_view({"post": "backfill"}),
        name="schedule-backfill",
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
    path("workers/<worker:name>/", WorkerViewSet.as_view({"get": "retrieve"}), name="worker-detail"),
    *(
        path(
            f"workers/<worker:name>/{address}/",
            WorkerViewSet.as_view({"post": action}),
            name=f"worker-{address.replace('/', '-')}",
        )
        for address, action in WORKER_CONTROLS.items()
    ),
    path("queues/", QueuesView.as_view(), name="queue-list"),
    path("queues/<name:name>/purge/", PurgeView.as_view(), name="queue-purge"),
    path("events/", EventsView.as_view(), name="event-list"),
    path("health/", HealthView.as_view(), name="health"),
    *notification_urls.urlpatterns,
]
