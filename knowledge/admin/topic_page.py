"""The page of one topic: what it has brought in, when it is updated next, and its form with the previews."""

from typing import Any

from django.utils import timezone

from jobs.admin.base import user_of
from knowledge import previews, topics
from knowledge.admin import history, looks, timing, weekly_plot
from knowledge.admin.form_page import FormPage
from knowledge.admin.topic_form import TopicForm
from knowledge.models import Finding, Topic

#: Papers that are listed.
NEWEST = 6


class TopicPage(FormPage[Topic]):
    template = "admin/knowledge/topic/form.html"
    form_class = TopicForm
    new_title = "New topic"

    def save(self, form: TopicForm) -> Topic:
        return topics.save(
            Topic() if self.row is None else Topic.objects.get(pk=self.row.pk),
            form.changes(),
            queries=form.queries.chosen(),
            # Empty, it ends a schedule by cron, and leaves one with another rule as it is.
            cron=form.cleaned_data["cron"],
            by=user_of(self.request),
        )

    def findings(self, form: TopicForm) -> dict[str, Any] | None:
        """What the queries that are typed would find."""
        if "_queries" not in self.request.POST:
            return None
        asked = form.queries.to_preview(form.cleaned_data["name"])
        found = previews.preview(asked, days_back=form.cleaned_data["days_back"])
        by_source = {one.source.pk: one for one in found}
        queries = [{**row, "found": by_source.get(row["source"].pk)} for row in form.queries.rows()]
        return {"queries": queries}

    def context(self, form: TopicForm) -> dict[str, Any]:
        now = timezone.now()
        row = self.row.schedule if self.row else None
        is_enabled = self.row.is_enabled if self.row else True
        cron = str(form["cron"].value() or "")
        shown, problems = timing.preview(row, now, cron=cron, is_enabled=is_enabled)
        return {
            "queries": form.queries.rows(),
            "preview": shown,
            "preview_errors": problems,
            "other_schedule": "" if timing.is_by_cron(row) else timing.other_rule(row, now),
        }

    def about(self, topic: Topic) -> dict[str, Any]:
        may = self.request.user.has_perm
        findings = Finding.objects.filter(topic=topic)
        return {
            "papers": findings.count(),
            "next_run": next_run_in_words(topic),
            "weeks": weekly_plot.papers_by_week(findings, timezone.now().date()),
            "newest": newest(findings) if may("knowledge.view_paper") else None,
            "lines": history.recent(topic.harvests.all(), self.request)
            if may("knowledge.view_harvest")
            else None,
            "may_run": may("knowledge.run_topic"),
        }


def next_run_in_words(topic: Topic) -> Any:
    """When it is updated next by itself, or why it is not."""
    if not topic.is_enabled:
        return "not while it is disabled"
    return timing.in_words(topics.next_run_at(topic, timezone.now()), "not by itself")


def newest(findings: Any) -> list[dict[str, Any]]:
    """The papers that came in last, with what to know before relying on them."""
    outdated = looks.outdated_before()
    return [
        {
            "paper": one.paper,
            "at": one.found_at,
            "labels": looks.labels(one.paper, outdated),
            "published": looks.published(one.paper),
            "sources": looks.source_names(one.paper.sources),
        }
        for one in findings.select_related("paper").order_by("-found_at", "-pk")[:NEWEST]
    ]
