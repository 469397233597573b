"""How posts and their publications look: a symbol and a word for each state, never colour alone."""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs import display
from publishing.admin.publications import LOOKS as PUBLICATION_LOOKS
from publishing.models import Post, Publication

Status = Post.Status

LOOKS: dict[str, tuple[str, str]] = {
    Status.DRAFT: ("edit_note", "calm"),
    Status.IN_REVIEW: ("rate_review", "busy"),
    Status.APPROVED: ("thumb_up", "good"),
    Status.SCHEDULED: ("schedule", "busy"),
    Status.PUBLISHING: ("send", "busy"),
    Status.PUBLISHED: ("check_circle", "good"),
    Status.FAILED: ("error", "bad"),
    Status.UNCONFIRMED: ("help", "warn"),
    Status.MISSED: ("event_busy", "bad"),
    Status.WITHDRAWN: ("undo", "calm"),
}
#: Below it is poor, from there on good; `publishing.seo.score.PUBLISH_FROM` is the lower.
_SCORE_TONES = ((60, "good"), (30, "warn"), (0, "bad"))


def status_badge(status: str) -> SafeString:
    icon, tone = LOOKS[status]
    return display.badge(str(Status(status).label), icon, tone)


def score_tone(score: int) -> str:
    return next(tone for least, tone in _SCORE_TONES if score >= least)


def score_label(score: int | None) -> SafeString | str:
    if score is None:
        return "–"
    return format_html('<strong class="post-score post-score--{}">{}</strong>', score_tone(score), score)


def places(publications: list[Publication]) -> SafeString | str:
    """The publishers of a post, each with a symbol of how it stands there."""
    told = []
    for row in publications:
        icon, tone = PUBLICATION_LOOKS[row.state]
        words = row.get_state_display()
        told.append((tone, f"{words}. {row.reason}".strip(), icon, row.publisher, words))
    return format_html(
        '<span class="post-places">{}</span>',
        format_html_join(
            "",
            '<span class="post-place post-place--{}" title="{}">'
            '<span class="material-symbols-outlined" aria-hidden="true">{}</span>{}'
            '<span class="post-spoken">: {}</span></span>',
            told,
        ),
    )
