"""What there is to say about a post before it goes out: score, search result, structured data, earlier posts like it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from publishing.models import Post, PostFingerprint
from publishing.seo import duplicates, structured_data
from publishing.seo.advice import advice
from publishing.seo.duplicates import Fingerprint
from publishing.seo.score import PostContent, SeoScore, seo_score
from publishing.seo.snippet import Snippet, snippet
from publishing.seo.structured_data import Author, JsonLd
from publishing.seo.text import Document, read

__all__ = ["Assessment", "Duplicate", "assess", "content_of", "read", "remember", "seo_score"]

#: Posts older than this are not compared: saying something again a year later is no mistake.
_COMPARED = timedelta(days=365)
_MOST_COMPARED = 5_000


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """An earlier post that says much the same."""

    post_id: int
    title: str
    #: Similarities of texts and titles, 0 to 1.
    text_similarity: float
    title_similarity: float

    def __str__(self) -> str:
        if self.text_similarity >= duplicates.NEAR_DUPLICATE:
            return f"{self.text_similarity:.0%} of its text is that of the post “{self.title}”."
        return f"Its title says the same as that of the post “{self.title}”."


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What an editor is told about a post."""

    score: SeoScore
    advice: tuple[str, ...]
    snippet: Snippet
    json_ld: JsonLd
    #: What is wrong with the structured data.
    problems: tuple[str, ...]
    duplicate: Duplicate | None


def assess(post: Post, *, url: str) -> Assessment:
    """Look at a post; `url` is the address that readers will find it at."""
    document = read(post.body_html)
    content = content_of(post)
    score = seo_score(content, document)
    data = json_ld(post, score.word_count, url=url)
    return Assessment(
        score=score,
        advice=advice(content, document),
        snippet=snippet(
            title=content.search_title, url=url, description=post.meta_description, text=document.text
        ),
        json_ld=data,
        problems=tuple(str(problem) for problem in structured_data.problems(data)),
        duplicate=near_duplicate(post, document),
    )


def content_of(post: Post) -> PostContent:
    """The post as search engines see it; its first keyword is the main one."""
    return PostContent(
        title=post.title,
        html=post.body_html,
        meta_title=post.meta_title,
        meta_description=post.meta_description,
        keyword=post.keywords[0] if post.keywords else "",
        more_keywords=tuple(post.keywords[1:]),
        language=post.language,
        slug=post.slug,
    )


def json_ld(post: Post, word_count: int, *, url: str) -> JsonLd:
    """The post as schema.org Article."""
    return structured_data.article(
        headline=post.title,
        author=author_of(post),
        published_at=_published_at(post),
        modified_at=post.updated_at if post.revision > 1 else None,
        description=post.meta_description or post.excerpt or post.title,
        word_count=word_count,
        keywords=post.keywords or post.tags,
        url=post.canonical_url or url,
        language=post.language,
    )


def author_of(post: Post) -> Author:
    """Who signs the post: its agent, the person who wrote it, or the editors."""
    if post.agent is not None:
        return Author(post.agent.name, "Organization")
    name = post.created_by.get_full_name() if post.created_by is not None else ""
    return Author(name) if name else Author("The editors", "Organization")


def fingerprint_of(post: Post, document: Document) -> Fingerprint:
    return duplicates.fingerprint(str(post.pk), title=post.title, text=document.text)


def near_duplicate(post: Post, document: Document) -> Duplicate | None:
    """The post of the last year that says most nearly the same, if any does."""
    fingerprint = fingerprint_of(post, document)
    match = duplicates.most_similar(fingerprint, _candidates(post, fingerprint))
    if match is None:
        return None
    title = Post.objects.values_list("title", flat=True).get(pk=int(match.key))
    return Duplicate(
        post_id=int(match.key), title=title, text_similarity=match.text, title_similarity=match.title
    )


def remember(post: Post, document: Document) -> None:
    """Keep the fingerprint of the post's text, for later posts to be compared with."""
    fingerprint = fingerprint_of(post, document)
    PostFingerprint.objects.update_or_create(
        post=post, defaults={"runs": sorted(fingerprint.runs), "sketch": fingerprint.sketch}
    )


def _candidates(post: Post, fingerprint: Fingerprint) -> Iterator[Fingerprint]:
    """The earlier posts that have a part of the sketch in common, or a title that says the same."""
    since = timezone.now() - _COMPARED
    rows = PostFingerprint.objects.filter(post__created_at__gte=since).exclude(post=post.pk)
    titles = rows.order_by("-post_id").values_list("post_id", "post__title")[:_MOST_COMPARED]
    ids = {pk for pk, title in titles if duplicates.is_same_title(title, post.title)}
    alike = rows.filter(sketch__overlap=fingerprint.sketch).order_by("-post_id")
    ids.update(alike.values_list("post_id", flat=True)[:_MOST_COMPARED])
    found = rows.filter(pk__in=ids).order_by("post_id").values_list("post_id", "post__title", "runs")
    for pk, title, runs in found.iterator(chunk_size=200):
        yield duplicates.from_runs(str(pk), title=title, runs=runs)


def _published_at(post: Post) -> datetime:
    return post.published_at or post.scheduled_at or timezone.now()
