"""The form of a topic, with what each source is asked for it."""

from typing import TYPE_CHECKING, Any

from django import forms
from unfold import widgets

from knowledge import connectors, topics
from knowledge.connectors.base import LONGEST_QUERY
from knowledge.models import Source, Topic
from knowledge.topics import SourceQuery

if TYPE_CHECKING:
    Form = forms.ModelForm[Topic]
else:
    Form = forms.ModelForm


def number(**attrs: Any) -> forms.NumberInput:
    return forms.NumberInput({"class": " ".join(widgets.INPUT_CLASSES), **attrs})


def line(**attrs: str) -> forms.TextInput:
    found: forms.TextInput = widgets.UnfoldAdminTextInputWidget(attrs=attrs)
    return found


class TopicForm(Form):
    """Everything that a person decides about a topic, but for its switch and its queries."""

    cron = forms.CharField(
        label="Schedule of its own",
        required=False,
        max_length=200,
        help_text="A cron expression in UTC: minute, hour, day of the month, month, day of the week, such as "
        "0 6 * * mon-fri. Or @hourly, @daily, @weekly, @monthly. Empty: with the nightly update of all topics.",
        widget=line(placeholder="0 6 * * *", autocomplete="off", spellcheck="false"),
    )

    class Meta:
        model = Topic
        fields = ("name", "priority", "papers_per_run", "days_back")
        labels = {"papers_per_run": "Papers at a time", "days_back": "Days back"}
        widgets = {
            "name": line(),
            "priority": widgets.UnfoldAdminSelectWidget(),
            "papers_per_run": number(min=1, max=topics.MOST_PAPERS_PER_TOPIC),
            "days_back": number(min=1, max=topics.MOST_DAYS_BACK),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cron"].initial = topics.cron_of(self.instance)
        asked = QueriesForm.of(self.instance, self.data if self.is_bound else None)
        self.queries = asked

    def is_valid(self) -> bool:
        are_fine = self.queries.is_valid()
        return super().is_valid() and are_fine

    def changes(self) -> dict[str, Any]:
        """What `topics.save` wants of valid data."""
        return {name: value for name, value in self.cleaned_data.items() if name != "cron"}


class QueriesForm(forms.Form):
    """For each source what it is asked, and whether it is."""

    sources: list[Source]

    @classmethod
    def of(cls, topic: Topic, data: Any) -> "QueriesForm":
        said = {query.source_id: query for query in topic.queries.all()} if topic.pk else {}
        form = cls(data, prefix="query")
        form.sources = list(Source.objects.order_by("-is_enabled", "name"))
        for source in form.sources:
            query = said.get(source.pk)
            form.fields[f"text_{source.pk}"] = forms.CharField(
                label=f"Query for {source.name}",
                required=False,
                max_length=LONGEST_QUERY,
                initial=query.text if query else "",
                widget=widgets.UnfoldAdminTextareaWidget({"rows": 2, "spellcheck": "false"}),
            )
            form.fields[f"asked_{source.pk}"] = forms.BooleanField(
                label=f"Ask {source.name}",
                required=False,
                initial=query.is_enabled if query else True,
                widget=widgets.UnfoldBooleanWidget(),
            )
        return form

    def rows(self) -> list[dict[str, Any]]:
        """For each source its two fields, for the page."""
        kinds = dict(connectors.choices())
        return [
            {
                "source": source,
                "connector": kinds.get(source.connector, f"{source.connector} (its code is gone)"),
                "text": self[f"text_{source.pk}"],
                "asked": self[f"asked_{source.pk}"],
            }
            for source in self.sources
        ]

    def chosen(self) -> list[SourceQuery]:
        """The queries of valid data; a source that is simply asked for the name needs none."""
        found = []
        for source in self.sources:
            text, is_asked = self.cleaned_data[f"text_{source.pk}"], self.cleaned_data[f"asked_{source.pk}"]
            if text.strip() or not is_asked:
                found.append(SourceQuery(source, text, is_asked))
        return found

    def to_preview(self, name: str) -> list[tuple[Source, str]]:
        """What the enabled sources would be asked, by valid data."""
        texts = {query.source.pk: query for query in self.chosen()}
        found = []
        for source in self.sources:
            query = texts.get(source.pk)
            if source.is_enabled and (query is None or query.is_enabled):
                found.append((source, (query.text.strip() if query else "") or name))
        return found


class UpdateForm(forms.Form):
    """An update now, perhaps with other figures than usual."""

    papers_per_topic = forms.IntegerField(
        label="Papers at a time",
        required=False,
        min_value=1,
        max_value=topics.MOST_PAPERS_PER_TOPIC,
        widget=number(),
        help_text="At most so many new papers from each source. Empty: as the topic says.",
    )
    days_back = forms.IntegerField(
        label="Days back",
        required=False,
        min_value=1,
        max_value=topics.MOST_DAYS_BACK,
        widget=number(),
        help_text="How far to look back, 1 to 90. Empty: as the topic says.",
    )
