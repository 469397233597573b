"""What a search can be asked for, as JSON or in the query string."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from jobs.api.fields import LARGEST_ID, FiniteFloatField
from jobs.api.parsing import StrictSerializer
from knowledge import connectors
from knowledge.evaluation import MOST_RESULTS
from knowledge.models import Topic
from knowledge.search import wishes
from knowledge.search.engine import Mode
from knowledge.search.filters import Filters, Retracted
from knowledge.search.fusion import DENSE_SHARE
from knowledge.standing import oldest_current_year

LONGEST_QUERY = 1000
#: What a search comes to, for documents.
WAYS = [(mode.value, mode.name) for mode in Mode]


class WordsField(serializers.ListField):
    """Words of which any one will do; a single one may stand for itself."""

    def __init__(self, longest: int = 200, **options: Any) -> None:
        super().__init__(
            child=serializers.CharField(max_length=longest), max_length=50, required=False, **options
        )

    def to_internal_value(self, data: Any) -> list[Any]:
        return super().to_internal_value([data] if isinstance(data, str) else data)


class TopicsField(serializers.ListField):
    """Ids of topics; a single one may stand for itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            child=serializers.IntegerField(min_value=1, max_value=LARGEST_ID),
            max_length=50,
            required=False,
            **options,
        )

    def to_internal_value(self, data: Any) -> list[int]:
        ids = super().to_internal_value([data] if isinstance(data, (int, str)) else data)
        if missing := sorted(set(ids) - set(Topic.objects.filter(pk__in=ids).values_list("pk", flat=True))):
            raise serializers.ValidationError(f"There is no topic {missing[0]}.")
        return ids


class FiltersSerializer(StrictSerializer):
    """All that is given must hold; of several words one is enough."""

    category = WordsField(help_text="Subjects as sources name them, or categories of documents.")
    topic = TopicsField(help_text="Ids of topics.")
    source = WordsField(  # type: ignore[assignment]  # a field of that name is what clients see
        help_text="Connectors, such as pubmed."
    )
    type = WordsField(help_text="Kinds of publication, such as Review.")
    language = WordsField(longest=35, help_text="ISO 639 codes, such as en.")
    min_year = serializers.IntegerField(min_value=0, max_value=9999, required=False)
    max_year = serializers.IntegerField(min_value=0, max_value=9999, required=False)
    retracted = serializers.ChoiceField(
        choices=[choice.value for choice in Retracted],
        default=Retracted.EXCLUDE.value,
        help_text="Whether retracted papers are found; unless asked for, they are not.",
    )
    allow_outdated = serializers.BooleanField(
        default=True, help_text="false: nothing that is older than the policy wants papers to be."
    )

    def validate_source(self, names: list[str]) -> list[str]:
        if unknown := sorted(set(names) - set(connectors.kinds())):
            raise serializers.ValidationError(
                f"There is no connector {unknown[0]!r}. The connectors are: {', '.join(connectors.kinds())}."
            )
        return names

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs.get("min_year"), attrs.get("max_year")
        if first is not None and last is not None and first > last:
            raise serializers.ValidationError({"min_year": ["This is after max_year."]})
        return attrs


class SearchOptionsSerializer(StrictSerializer):
    query = serializers.CharField(max_length=LONGEST_QUERY)
    top_k = serializers.IntegerField(min_value=1, max_value=MOST_RESULTS, default=5)
    min_score = FiniteFloatField(
        min_value=0,
        max_value=1,
        default=0,
        help_text="Results that are less similar than this are left out. By words alone nothing is similar.",
    )
    search_mode = serializers.ChoiceField(
        choices=wishes.MODES,
        default=Mode.HYBRID.value,
        help_text="`hybrid`: by meaning and words; `dense`: by meaning; `sparse`: by words; `local`: sent to no other "
        "machine; `openai`: by meaning with OpenAI's vectors, if the index has them.",
    )
    alpha = FiniteFloatField(
        min_value=0, max_value=1, default=DENSE_SHARE, help_text="The share of meaning in hybrid scores."
    )


class SearchInputSerializer(SearchOptionsSerializer):
    filters = FiltersSerializer(required=False)
    synthesize_answer = serializers.BooleanField(
        default=False, help_text="Whether the query is answered, too, in sentences that cite what was found."
    )


class SearchQuerySerializer(FiltersSerializer, SearchOptionsSerializer):
    """The same for the query string: filters stand beside the rest, and may come several times."""


def filters_of(given: Mapping[str, Any]) -> Filters:
    """What the engine understands."""
    least = given.get("min_year")
    if not given.get("allow_outdated", True):
        least = max(least or 0, oldest_current_year())
    return Filters(
        categories=given.get("category", ()),
        topics=given.get("topic", ()),
        sources=given.get("source", ()),
        types=given.get("type", ()),
        languages=given.get("language", ()),
        year_from=least,
        year_to=given.get("max_year"),
        retracted=Retracted(given.get("retracted", Retracted.EXCLUDE)),
    )


def from_query(parameters: QueryDict) -> dict[str, Any]:
    """The validated query string; raises ValidationError."""
    fields = SearchQuerySerializer().fields
    data = {
        name: parameters.getlist(name)
        if isinstance(fields.get(name), serializers.ListField)
        else parameters[name]
        for name in parameters
    }
    serializer = SearchQuerySerializer(data=data)
    serializer.is_valid(raise_exception=True)
    validated: dict[str, Any] = serializer.validated_data
    return validated
