"""A post as its readers meet it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.conf import settings

from publishing.feeds.hardening import legal
from publishing.feeds.sanitise import MAX_HTML_CHARS, clean_line, plain_text
from publishing.models import Publication
from publishing.seo import structured_data
from publishing.seo.structured_data import Author
from publishing.seo.words import count_words, shortened
from publishing.site import addresses, body

#: Words that are read in a minute.
PACE = 230
EXCERPT_CHARS = 280
DESCRIPTION_CHARS = 160
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True)
class Tag:
    """What a post is about."""

    name: str

    @classmethod
    def all_of(cls, names: Iterable[str]) -> tuple["Tag", ...]:
        """Each once, without those that no address can have."""
        return tuple(cls(name) for name in dict.fromkeys(names) if name.strip() and legal(name) == name)

    @property
    def path(self) -> str:
        return addresses.tag_path(self.name)


class Entry:
    """One publication on the site, with its post. Its texts are clean for HTML and XML; none is escaped."""

    def __init__(self, publication: Publication) -> None:
        self.publication = publication
        self.post = publication.post

    @property
    def id(self) -> str:
        """The same for ever, wherever the site moves."""
        return f"urn:uuid:{self.publication.marker}"

    @cached_property
    def title(self) -> str:
        return clean_line(self.post.title) or "Untitled"

    @property
    def head_title(self) -> str:
        return clean_line(self.post.meta_title) or self.title

    @cached_property
    def path(self) -> str:
        return addresses.post_path(self.post.slug)

    @property
    def url(self) -> str:
        return addresses.absolute(self.path)

    @property
    def canonical_url(self) -> str:
        """Where it was first, or else here."""
        return self.post.canonical_url or self.url

    @property
    def published_at(self) -> datetime:
        return self.publication.published_at or self.publication.due_at

    @property
    def modified_at(self) -> datetime:
        """When its text was changed last, if it was since it went out."""
        return max(self.published_at, self.post.updated_at) if self.post.revision > 1 else self.published_at

    @property
    def is_modified(self) -> bool:
        """Whether it was changed on another day than it appeared."""
        return self.modified_at.date() > self.published_at.date()

    @property
    def language(self) -> str:
        """A language tag; "" when the post names none that is one."""
        return self.post.language if _LANGUAGE.fullmatch(self.post.language) else ""

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        return Tag.all_of(self.post.tags)

    @property
    def author(self) -> Author:
        """The agent that wrote it; of what people wrote, the site."""
        if self.post.agent:
            return Author(clean_line(self.post.agent.name), kind="Organization")
        return Author(settings.SITE_NAME, kind="Organization", url=addresses.absolute(addresses.front_path()))

    @cached_property
    def text(self) -> str:
        return plain_text(self.post.body_html, MAX_HTML_CHARS)

    @property
    def _beginning(self) -> str:
        """Of its text: more than an excerpt needs, without looking at all of it."""
        return plain_text(self.post.body_html[: 20 * EXCERPT_CHARS], 4 * EXCERPT_CHARS)

    @cached_property
    def word_count(self) -> int:
        return self.post.word_count or count_words(self.text)

    @property
    def minutes(self) -> int:
        """How long reading it takes, at least one."""
        return max(1, round(self.word_count / PACE))

    @cached_property
    def excerpt(self) -> str:
        """A sentence or two; of the text if nobody wrote one, so "" only for a post without any."""
        return clean_line(self.post.excerpt) or shortened(self._beginning, EXCERPT_CHARS)

    @property
    def description(self) -> str:
        return clean_line(self.post.meta_description) or shortened(self.excerpt, DESCRIPTION_CHARS)

    @cached_property
    def image_url(self) -> str:
        """Its first image, for pages that link to it; "" if there is none."""
        return body.first_image(self.post.body_html, self.url)

    @cached_property
    def html(self) -> str:
        return body.for_page(self.post.body_html)

    @property
    def feed_html(self) -> str:
        return body.for_feed(self.post.body_html, self.url)

    @property
    def json_ld(self) -> str:
        """The content of its JSON-LD element; "" when the post lacks what such data must have."""
        data = structured_data.article(
            headline=self.title,
            author=self.author,
            published_at=self.published_at,
            modified_at=self.modified_at,
            description=self.description,
            word_count=self.word_count,
            keywords=self.post.keywords or [tag.name for tag in self.tags],
            url=self.canonical_url,
            language=self.language or "en",
            image_url=self.image_url,
            publisher=settings.SITE_NAME,
        )
        return "" if structured_data.problems(data) else structured_data.for_script(data)
