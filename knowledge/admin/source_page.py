"""The page of one source: how it does, what it brought in last, and its form."""

from typing import Any

from django.utils import timezone

from jobs.admin.base import user_of
from knowledge import connectors, sources
from knowledge.admin import history
from knowledge.admin.form_page import FormPage
from knowledge.admin.source_form import SourceForm
from knowledge.models import Harvest, Source

#: Harvests that are listed.
RECENT = 10


class SourcePage(FormPage[Source]):
    template = "admin/knowledge/source/form.html"
    form_class = SourceForm
    new_title = "New source"

    def save(self, form: SourceForm) -> Source:
        source = Source() if self.row is None else Source.objects.get(pk=self.row.pk)
        return sources.save(source, form.changes(), by=user_of(self.request))

    def context(self, form: SourceForm) -> dict[str, Any]:
        return {
            "kinds": [(kind, label, connectors.get(kind).help_text) for kind, label in connectors.choices()]
        }

    def about(self, source: Source) -> dict[str, Any]:
        may = self.request.user.has_perm
        is_known = source.connector in connectors.kinds()
        return {
            "connector": connectors.get(source.connector) if is_known else None,
            "warnings": connectors.get(source.connector).warnings() if is_known else (),
            "harvests": _recent(source) if may("knowledge.view_harvest") else None,
            "topics": source.topic_queries.filter(is_enabled=True).exclude(text="").count(),
            "jobs": source.research_jobs.count(),
            "may_sync": may("knowledge.sync_source"),
            "today": timezone.now().date(),
        }


def _recent(source: Source) -> list[Any]:
    found = Harvest.objects.filter(source=source).select_related("topic", "research_job", "source")
    return list(history.with_counts(found).order_by("-pk")[:RECENT])
