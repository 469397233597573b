"""What people do with documents: upload, describe, read again, cancel, delete. Admin and API call these."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from jobs import audit, ledger
from jobs.definitions import enqueue, get_job
from jobs.errors import IllegalState, InvalidInput, NotFound
from jobs.models import JobRun
from knowledge.models import Citation, Document, DocumentFile, Question
from knowledge.readers import AnotherFormat, UnknownFormat, characters, reader_for

State = Document.State
READ = "knowledge.process_document"
#: What people say of a document.
DETAILS = ("title", "category", "tags", "description", "language", "year")
MOST_TAGS = 50
_LONGEST_NAME = 300
#: So many questions are named when a document cannot be deleted.
_NAMED = 3
_YEARS = range(1000, 2200)


class InvalidDocument(InvalidInput):
    """The file or what is said of it cannot be like that."""


class FileTooLarge(InvalidDocument):
    """The file has more bytes than one may have."""


class UnsupportedFile(InvalidDocument):
    """Nobody here reads files of this kind."""


class File(Protocol):
    """What an upload is read from."""

    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True)
class Received:
    """What became of an upload."""

    document: Document
    #: That reads it; None when it has been read before.
    run: JobRun | None
    #: False when the same file was here already.
    is_new: bool


@transaction.atomic
def receive(
    name: str,
    content: bytes | File,
    *,
    title: str = "",
    category: str = "",
    tags: Sequence[str] = (),
    description: str = "",
    language: str = "",
    year: int | None = None,
    by: AbstractBaseUser | None,
    trigger: JobRun.Trigger = JobRun.Trigger.CODE,
) -> Received:
    """Keep a file and queue a run that reads it.

    The same file again, whatever its name, is the document that is here: nothing is changed, but one that could not be
    read is tried again. Raises InvalidDocument: FileTooLarge, UnsupportedFile, or another reason.
    """
    name = clean_name(name)
    data = _bytes_of(name, content)
    reader = _reader(name, data)
    document = Document(
        filename=name,
        media_type=reader.media_type,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        state=State.QUEUED,
        uploaded_by_id=by.pk if by else None,
    )
    _describe(
        document,
        {
            "title": title or title_of(name),
            "category": category,
            "tags": tags,
            "description": description,
            "language": language,
            "year": year,
        },
    )
    known = _keep(document, data)
    if known is None:
        audit.record(by, document, f"Uploaded {name}.", action=audit.ADDITION)
        return Received(document, _queue(document, by=by, trigger=trigger), is_new=True)
    run = _queue(known, by=by, trigger=trigger) if known.state == State.FAILED else None
    return Received(known, run, is_new=False)


@transaction.atomic
def change(
    document: Document, changes: Mapping[str, Any], *, by: AbstractBaseUser | None, trigger: JobRun.Trigger
) -> Document:
    """Change what is said of a document. With another title its passages are made anew.

    Raises InvalidDocument, and IllegalState while it is being read.
    """
    document = _locked(document)
    before = document.title
    _describe(document, changes)
    is_retitled = document.title != before and document.state == State.READY
    if document.is_waiting and document.title != before:
        raise IllegalState("It is being read: change its title when that is done.")
    document.save(update_fields=DETAILS)
    audit.record(by, document, "Changed.")
    if is_retitled:
        _queue(document, by=by, trigger=trigger)
    return document


@transaction.atomic
def read_again(document: Document, *, by: AbstractBaseUser | None, trigger: JobRun.Trigger) -> JobRun:
    """Queue a run that reads its file again. Raises IllegalState while one does, or when it has no file."""
    document = _locked(document)
    if document.is_waiting and run_of(document, is_active=True):
        raise IllegalState("It is being read already.")
    if not DocumentFile.objects.filter(document=document).exists():
        raise IllegalState("Its file is not here.")
    audit.record(by, document, "Asked to read it again.")
    return _queue(document, by=by, trigger=trigger)


@transaction.atomic
def cancel(document: Document, *, by: AbstractBaseUser | None) -> JobRun:
    """Cancel the run that reads it: at once while it waits, else it is asked to stop. Raises IllegalState."""
    document = _locked(document)
    run = run_of(document, is_active=True)
    if run is None:
        raise IllegalState("It is not being read.")
    run = ledger.cancel(run.pk, by=by)
    if not run.is_active:
        fail(document, run.reason)
    return run


@transaction.atomic
def delete(document: Document, *, by: AbstractBaseUser | None) -> None:
    """Delete a document with its file; the search does not find it from then on.

    Raises IllegalState when kept answers cite it.
    """
    document = _locked(document)
    if reason := why_kept(document):
        raise IllegalState(reason)
    if run := run_of(document, is_active=True):
        ledger.cancel(run.pk, by=by)
    audit.record(by, document, f"Deleted {document.filename or document.title}.", action=audit.DELETION)
    try:
        document.delete()
    except ProtectedError as error:  # an answer has just come to stand on it
        raise IllegalState("An answer cites it.") from error


def why_kept(document: Document) -> str:
    """Why it cannot be deleted: which answers cite it; "" if it can."""
    citing = Citation.objects.filter(document=document).order_by().values("answer")
    questions = Question.objects.filter(answer__in=citing).order_by("-pk")
    found = list(questions.values_list("text", flat=True)[: _NAMED + 1])
    if not found:
        return ""
    named = ", ".join(f"“{text[:80]}”" for text in found[:_NAMED])
    more = f" and {questions.count() - _NAMED:,} others" if len(found) > _NAMED else ""
    return f"Kept answers cite it: those to {named}{more}. Delete these questions first."


def run_of(document: Document, *, is_active: bool = False) -> JobRun | None:
    """The run that reads it or has read it last; None if there is none, or not an active one where that is asked for."""
    run = JobRun.objects.filter(pk=document.run_id).first() if document.run_id else None
    return None if run is not None and is_active and not run.is_active else run


def fail(document: Document, problem: str) -> None:
    """Say that it could not be read, and why, unless it has been read meanwhile."""
    Document.objects.waiting().filter(pk=document.pk, run_id=document.run_id).update(
        state=State.FAILED, problem=problem or "It could not be read."
    )


def settle() -> int:
    """Documents that wait for a run which has ended without a word, killed with its worker or cancelled: say so."""
    settled = 0
    for document in Document.objects.waiting().exclude(run_id=None).only("pk", "run_id"):
        run = run_of(document)
        if run is None or not run.is_active:
            fail(
                document, (run.error_message or run.reason) if run else "The run that was to read it is gone."
            )
            settled += 1
    return settled


def clean_name(name: str) -> str:
    """A file's name without folders. Raises InvalidDocument for one that is none."""
    cleaned = characters.line(name.replace("\\", "/").rpartition("/")[2], 10_000).strip(". ")
    if not cleaned:
        raise InvalidDocument({"file": ["A file needs a name."]})
    if len(cleaned) > _LONGEST_NAME:
        raise InvalidDocument({"file": [f"The name of a file has at most {_LONGEST_NAME} characters."]})
    return cleaned


def title_of(name: str) -> str:
    """What a document is called until its text says better."""
    return PurePosixPath(name).stem.replace("_", " ").strip() or name


def largest() -> int:
    """Bytes that a file may have."""
    return int(settings.DOCUMENT_MAX_MB) * 1024 * 1024


def _bytes_of(name: str, content: bytes | File) -> bytes:
    data = content if isinstance(content, bytes) else content.read(largest() + 1)
    if len(data) > largest():
        raise FileTooLarge({"file": [f"“{name}” is larger than {settings.DOCUMENT_MAX_MB} MB."]})
    if not data:
        raise InvalidDocument({"file": [f"“{name}” is empty."]})
    return data


def _reader(name: str, data: bytes) -> Any:
    try:
        return reader_for(name, data)
    except UnknownFormat as error:
        raise UnsupportedFile({"file": [str(error)]}) from error
    except AnotherFormat as error:
        raise InvalidDocument({"file": [str(error)]}) from error


def _describe(document: Document, details: Mapping[str, Any]) -> None:
    """Set what people say of it; raises InvalidDocument."""
    for name, value in details.items():
        if name not in DETAILS:
            raise InvalidDocument({name: ["There is no such field."]})
        setattr(document, name, _cleaned(name, value))
    if document.year is not None and document.year not in _YEARS:
        raise InvalidDocument({"year": ["This is no year of a document."]})
    try:
        document.clean_fields(exclude=["text", "pages"])
    except ValidationError as error:
        raise InvalidDocument(error.message_dict) from error


def _cleaned(name: str, value: Any) -> Any:
    if name == "tags":
        tags = list(dict.fromkeys(tag for text in value if (tag := characters.line(str(text), 1000))))
        if len(tags) > MOST_TAGS:
            raise InvalidDocument({"tags": [f"A document has at most {MOST_TAGS} tags."]})
        return tags
    if name == "description":
        return characters.clean(value)
    if name == "language":
        code = characters.language(value)
        if value and not code:
            raise InvalidDocument({"language": ["Use a code such as en."]})
        return code
    return characters.line(value, 1000) if isinstance(value, str) else value


def _keep(document: Document, data: bytes) -> Document | None:
    """Store it with its file; the one that is here already if the same file is, also when it comes twice at once."""
    known = Document.objects.select_for_update().filter(sha256=document.sha256)
    if found := known.first():
        return found
    try:
        with transaction.atomic():
            document.save(force_insert=True)
            DocumentFile.objects.create(document=document, content=data)
    except IntegrityError:
        # Somebody else uploaded it in this moment; now it can be seen.
        return known.get()
    return None


def _queue(document: Document, *, by: AbstractBaseUser | None, trigger: JobRun.Trigger) -> JobRun:
    run = enqueue(get_job(READ), {"document_id": document.pk}, trigger=trigger, requested_by=by)
    document.state, document.problem, document.run_id = State.QUEUED, "", run.pk
    document.save(update_fields=["state", "problem", "run_id"])
    return run


def _locked(document: Document) -> Document:
    found = Document.objects.select_for_update().filter(pk=document.pk).first()
    if found is None:
        raise NotFound("There is no such document.")
    return found


def now_ready(document: Document) -> None:
    """It has been read, and both indexes have it."""
    Document.objects.filter(pk=document.pk).update(state=State.READY, problem="", indexed_at=timezone.now())
