"""Papers as the API shows them."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from knowledge.models import Finding, Paper
from knowledge.records import Relation
from knowledge.standing import is_outdated, names_of_authors, printed_date


class PaperSummarySerializer(serializers.ModelSerializer[Paper]):
    authors = serializers.SerializerMethodField(help_text="Their names, in order.")
    published = serializers.SerializerMethodField(
        help_text="As far as it is known: 2024, 2024-05 or 2024-05-17; empty: it is not."
    )
    is_outdated = serializers.SerializerMethodField(
        help_text="It is older than the policy wants papers to be."
    )

    class Meta:
        model = Paper
        fields: ClassVar[list[str]] = [
            "id", "doi", "pmid", "pmcid", "arxiv_id", "title", "authors", "journal", "published", "year", "types",
            "categories", "languages", "sources", "is_retracted", "is_corrected", "is_doubted", "is_notice", "is_outdated",
            "url", "first_seen_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_authors(self, paper: Paper) -> list[str]:
        return names_of_authors(paper)

    def get_published(self, paper: Paper) -> str:
        return printed_date(paper)

    def get_is_outdated(self, paper: Paper) -> bool:
        return is_outdated(paper.year, self.context["oldest_year"])


class SectionSerializer(serializers.Serializer[Any]):
    label = serializers.CharField(default="")  # type: ignore[assignment]  # a field of that name is what clients see
    category = serializers.CharField(default="")
    text = serializers.CharField()


class NoticeSerializer(serializers.Serializer[Any]):
    relation = serializers.ChoiceField(choices=[relation.value for relation in Relation])
    pmid = serializers.CharField(default="")
    doi = serializers.CharField(default="")
    reference = serializers.CharField(default="", help_text="Where it stands, as the source cites it.")


class FindingSerializer(serializers.ModelSerializer[Finding]):
    topic_name = serializers.CharField(source="topic.name", allow_null=True, default=None)
    research_job_name = serializers.CharField(source="research_job.name", allow_null=True, default=None)

    class Meta:
        model = Finding
        fields: ClassVar[list[str]] = [
            "topic", "topic_name", "research_job", "research_job_name", "found_at",
        ]  # fmt: skip
        read_only_fields = fields


class PaperSerializer(PaperSummarySerializer):
    """A paper with everything that is known of it, and who said it."""

    abstract = SectionSerializer(many=True, help_text="Its sections, in order.")
    abstract_text = serializers.CharField(help_text="The same as one text.")
    mesh = serializers.ListField(child=serializers.DictField(), help_text="Medical Subject Headings.")
    notices = NoticeSerializer(many=True, help_text="What retracts, corrects or comments on it.")
    provenance = serializers.DictField(
        child=serializers.CharField(), help_text="For each field the connector that it came from."
    )
    details = serializers.DictField(help_text="What else its record says: volume, pages, ISSN, comment ...")
    findings = serializers.SerializerMethodField(help_text="The topics and research jobs that found it.")
    passages = serializers.SerializerMethodField(help_text="How many it has in the index.")

    class Meta(PaperSummarySerializer.Meta):
        fields: ClassVar[list[str]] = [
            *PaperSummarySerializer.Meta.fields, "version", "original_title", "abstract", "abstract_text", "mesh", "keywords",
            "pdf_url", "entered_on", "revised_on", "fetched_at", "notices", "provenance", "details", "findings", "passages",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(FindingSerializer(many=True))
    def get_findings(self, paper: Paper) -> list[dict[str, Any]]:
        found = paper.findings.select_related("topic", "research_job")
        return [dict(row) for row in FindingSerializer(found, many=True).data]

    def get_passages(self, paper: Paper) -> int:
        return sum(part.passages.count() for part in paper.parts.all())
