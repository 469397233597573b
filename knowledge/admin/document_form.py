"""The forms of documents: uploading files, and what people say of one."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib.postgres.forms import SimpleArrayField
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from knowledge import readers
from knowledge.admin.topic_form import line
from knowledge.models import Document

if TYPE_CHECKING:
    Form = forms.ModelForm[Document]
else:
    Form = forms.ModelForm


class FilesInput(forms.FileInput):
    """A field that takes several files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One file or several."""

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        given = (data or [None]) if isinstance(data, list) else [data]
        if len(given) > settings.DOCUMENT_MAX_FILES:
            raise forms.ValidationError(f"Upload at most {settings.DOCUMENT_MAX_FILES} files at a time.")
        return [super(FilesField, self).clean(one, initial) for one in given]


def tags() -> SimpleArrayField:
    return SimpleArrayField(
        forms.CharField(max_length=100),
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Separated by commas.",
    )


class UploadForm(forms.Form):
    """Files, and what holds for all of them."""

    file = FilesField(label="Files", allow_empty_file=True, max_length=1000)
    category = forms.CharField(max_length=100, required=False, widget=line())
    tags = tags()
    language = forms.CharField(
        max_length=35, required=False, widget=line(), help_text="A code such as en; empty: as the file says."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        endings = ", ".join(readers.extensions())
        self.fields["file"].widget = FilesInput(
            attrs={"accept": ",".join(readers.extensions()), "class": "knowledge-files"}
        )
        self.fields["file"].help_text = (
            f"Files that end with {endings}; up to {settings.DOCUMENT_MAX_MB} MB each and"
            f" {settings.DOCUMENT_MAX_FILES} at a time. A file that is here already is not kept twice."
        )


class DocumentForm(Form):
    """What people say of a document."""

    tags = tags()

    class Meta:
        model = Document
        fields = ("title", "category", "tags", "language", "year", "description")
        widgets = {
            "title": line(),
            "category": line(),
            "language": line(),
            "year": line(inputmode="numeric"),
            "description": UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "title"
        ].help_text = "With another title it is read again: the title counts in the search."

    def _post_clean(self) -> None:
        """The domain checks."""

    def changes(self) -> dict[str, Any]:
        """What `documents.change` wants of valid data."""
        return dict(self.cleaned_data)
