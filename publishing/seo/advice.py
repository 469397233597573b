"""What else an editor can mend in a post: headings, links, images and the address. None of it counts in the score."""

from collections.abc import Iterator

from publishing.seo import keywords
from publishing.seo.score import PostContent
from publishing.seo.text import Document
from publishing.seo.words import shortened

SLUG_CHARS = 75


def advice(post: PostContent, document: Document) -> tuple[str, ...]:
    """One sentence for each thing to mend; nothing if there is none."""
    return (*_headings(document), *_links(document), *_images(document), *_slug(post))


def _headings(document: Document) -> Iterator[str]:
    if document.count_headings(1):
        yield "Begin headings at level 2: the title of the post is already the heading of level 1."
    above = 1
    for heading in document.headings:
        if heading.level > above + 1:
            name = shortened(heading.text, 60)
            yield f"The heading “{name}” has level {heading.level}, though the one above it has level {above}."
        above = heading.level


def _links(document: Document) -> Iterator[str]:
    for link in document.links:
        name = shortened(link.text, 60) or shortened(link.url, 60)
        if not link.url:
            yield f"The link “{name}” leads nowhere."
        elif not link.text:
            yield f"The link to {name} has no text."
    if document.word_count and not document.links:
        yield "Link to at least one other page: a source, or an earlier post."


def _images(document: Document) -> Iterator[str]:
    without = sum(image.alt is None for image in document.images)
    if without:
        images = "One image has" if without == 1 else f"{without} images have"
        yield f"{images} no alternative text; write what they show, or leave it empty for decoration."


def _slug(post: PostContent) -> Iterator[str]:
    if len(post.slug) > SLUG_CHARS:
        yield f"Shorten the address to {SLUG_CHARS} characters; now it has {len(post.slug)}."
    if post.slug and keywords.is_keyword(post.keyword) and not keywords.occurrences(post.slug, post.keyword):
        yield f"Put the keyword “{post.keyword}” into the address."
