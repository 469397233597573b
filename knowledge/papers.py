"""Taking papers out of knowledge."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import ProtectedError

from jobs import audit
from jobs.errors import IllegalState
from knowledge.models import Paper


def delete(paper: Paper, *, by: AbstractBaseUser | None) -> None:
    """Delete a paper with its passages and vectors; no search finds it from then on. An update may bring it again.

    Raises IllegalState when a kept answer cites it.
    """
    try:
        with transaction.atomic():
            audit.record(by, paper, f"Deleted “{paper}”.", action=audit.DELETION)
            paper.delete()
    except ProtectedError as error:
        raise IllegalState("A kept answer cites the paper: delete its question first.") from error
