"""The forms of a post: its text, a decision with a note, when and where it goes out."""

import hashlib
import json
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from unfold import widgets

from jobs.admin.moments import MomentField, MomentInput
from publishing.feeds.sanitise import clean_html
from publishing.models import Post, Publisher

if TYPE_CHECKING:
    Form = forms.ModelForm[Post]
else:
    Form = forms.ModelForm

FIELDS = (
    "title", "slug", "body_html", "excerpt", "language", "tags", "keywords", "meta_title", "meta_description",
    "canonical_url",
)  # fmt: skip
LONGEST_TEXT = 500_000
_LISTS = ("tags", "keywords")
CHANGED_MEANWHILE = (
    "Somebody else changed this post since you opened it. What you typed stands below and is not saved; "
    "saving again replaces what they wrote."
)


def _line(**attrs: Any) -> widgets.UnfoldAdminTextInputWidget:
    return widgets.UnfoldAdminTextInputWidget(attrs)


class WordsField(SimpleArrayField):
    """Words and phrases in a line."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Commas too many are none."""
        return super().clean(",".join(filter(None, map(str.strip, str(value or "").split(",")))))


def _words(help_text: str) -> WordsField:
    return WordsField(
        forms.CharField(max_length=100), required=False, max_length=50, help_text=help_text, widget=_line()
    )


class PostForm(Form):
    """The text of a post and what readers and search engines are told of it."""

    body_html = forms.CharField(
        label="Text",
        max_length=LONGEST_TEXT,
        help_text="HTML. What could do harm is taken out when it is saved.",
        widget=widgets.UnfoldAdminTextareaWidget({"rows": 26, "spellcheck": "true", "class": "post-text"}),
    )
    tags = _words("Separated by commas.")
    keywords = _words("Separated by commas; the first is the main one.")
    #: What the text was when the page was made: two people who edit it at a time hear of each other.
    seen = forms.CharField(required=False, widget=forms.HiddenInput())

    class Meta:
        model = Post
        fields = FIELDS
        labels = {"slug": "Address", "meta_title": "Title in search results"}
        widgets = {
            "title": _line(),
            "slug": _line(),
            "excerpt": widgets.UnfoldAdminTextareaWidget({"rows": 3}),
            "language": _line(),
            "meta_title": _line(),
            "meta_description": widgets.UnfoldAdminTextareaWidget({"rows": 2}),
            "canonical_url": _line(inputmode="url"),
        }
        help_texts = {
            "meta_title": "At most 70 characters; empty: its title.",
            "meta_description": "What a search result says below it: 120 to 160 characters.",
            "canonical_url": "Where it was published first, if that was elsewhere.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Of the stored text, before typing reaches the instance.
        self.stored = fingerprint(self.instance) if self.instance.pk else ""
        self.fields["seen"].initial = self.stored

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.stored and cleaned.get("seen") and cleaned["seen"] != self.stored:
            self.add_error(None, CHANGED_MEANWHILE)
            self.data = {**self.data.dict(), "seen": self.stored}  # type: ignore[attr-defined]  # posted data
        return cleaned

    @property
    def changes(self) -> dict[str, Any]:
        """What is to be written, by field."""
        return {name: self.cleaned_data[name] for name in FIELDS if name in self.cleaned_data}

    def draft(self) -> Post:
        """The post as it is typed now, to be looked at and never saved; a field that does not fit as it stands there."""
        self.is_valid()
        post = self.instance
        for name in FIELDS:
            if name in self.cleaned_data:
                setattr(post, name, self.cleaned_data[name])
            else:
                is_address = name in ("canonical_url", "slug")
                setattr(post, name, "" if is_address else _typed(name, self[name].value()))
        post.body_html = clean_html(post.body_html)
        return post


def _typed(name: str, value: Any) -> Any:
    text = str(value or "")[:LONGEST_TEXT].replace("\x00", "")
    return [word.strip() for word in text.split(",") if word.strip()] if name in _LISTS else text


def fingerprint(post: Post) -> str:
    """Stands for everything that the form can change."""
    text = json.dumps([getattr(post, name) for name in FIELDS])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class NoteForm(forms.Form):
    """A decision about posts."""

    note = forms.CharField(
        max_length=500,
        required=False,
        widget=widgets.UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Kept with the post's way, for everybody who sees it.",
    )

    def __init__(self, *args: Any, is_required: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_required:
            self.fields["note"].required = True
            self.fields["note"].label = "What is to be changed?"


class PublishersForm(forms.Form):
    """Where posts go out."""

    publishers: Any = forms.ModelMultipleChoiceField(
        queryset=Publisher.objects.filter(is_enabled=True),
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget(),
        error_messages={"required": "Choose at least one publisher."},
    )


class OptionalPublishersForm(PublishersForm):
    """Where many posts go out; without a choice, each where its agent publishes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["publishers"]
        field.required = False
        field.help_text = "None: each goes where it is scheduled for, or else to its agent's publishers."


class ScheduleForm(PublishersForm):
    """When a post goes out, and where."""

    at = MomentField(label="Date and time", widget=MomentInput({"step": "60"}))
    field_order = ("at", "publishers")

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_zone(self.fields["at"], zone)


class MoveForm(forms.Form):
    """Another moment for a post in the calendar."""

    post = forms.IntegerField(min_value=1)
    at = MomentField(widget=MomentInput({"step": "60"}))

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_zone(self.fields["at"], zone)


def set_zone(field: Any, zone: ZoneInfo) -> None:
    """Let a moment be typed in this zone."""
    field.zone = zone
    field.help_text = f"In {zone.key}."
