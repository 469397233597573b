"""What readers think of answers."""

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from jobs.storable import clean_text
from knowledge.answers.errors import InvalidQuestion
from knowledge.models import Answer, Feedback

LONGEST_COMMENT = 2000


def give_feedback(answer: Answer, is_helpful: bool, comment: str = "", *, by: AbstractBaseUser) -> Feedback:
    """Keep a reader's word on an answer; a second one replaces the first. Raises InvalidQuestion for a comment that is too long."""
    comment = clean_text(comment).strip()
    if len(comment) > LONGEST_COMMENT:
        raise InvalidQuestion({"comment": [f"A comment has at most {LONGEST_COMMENT} characters."]})
    given, _ = Feedback.objects.update_or_create(
        answer=answer,
        given_by_id=by.pk,
        defaults={"is_helpful": is_helpful, "comment": comment, "given_at": timezone.now()},
    )
    return given
