"""What the control plane's own alerts are about, with the admin page of each."""

from django.urls import reverse

from jobs.alerts.kinds import title_of
from jobs.alerts.raising import Subject
from jobs.definitions import find_job


def of_job(name: str) -> Subject:
    """A job; its page is the list of its runs."""
    job = find_job(name)
    link = f"{reverse('admin:jobs_jobrun_changelist')}?job={name}"
    return Subject(type="job", id=name, text=job.title if job else name, link=link)


def of_run(run_id: object, job: str) -> Subject:
    """A run of a job."""
    found = find_job(job)
    link = reverse("admin:jobs_jobrun_change", args=[run_id])
    return Subject(type="run", id=str(run_id), text=found.title if found else job, link=link)


def of_schedule(schedule_id: int, name: str) -> Subject:
    """A schedule."""
    link = reverse("admin:jobs_schedule_change", args=[schedule_id])
    return Subject(type="schedule", id=str(schedule_id), text=name, link=link)


def of_queue(name: str) -> Subject:
    """A queue of the broker."""
    return Subject(type="queue", id=name, text=name, link=reverse("admin:jobs_processheartbeat_changelist"))


def of_part(name: str) -> Subject:
    """A part on which everything depends: "scheduler", "broker" or "database"."""
    link = reverse("admin:jobs_processheartbeat_changelist")
    return Subject(type="part", id=name, text=name.capitalize(), link=link)


def of_kind(name: str) -> Subject:
    """A kind of alerts; its page is the list of them."""
    link = f"{reverse('admin:jobs_alert_changelist')}?kind={name}"
    return Subject(type="kind", id=name, text=title_of(name), link=link)
