"""Minimal, valid objects for tests."""

from datetime import datetime
from itertools import count
from typing import Any
from uuid import uuid4

from django.utils import timezone
from pytest_httpserver import HTTPServer

from jobs.context import ActiveRun
from jobs.secrets import Sealed
from publishing.models import Agent, FeedItem, Post, Publication, Publisher, Source

_numbers = count(1)


def make_source(**fields: Any) -> Source:
    number = next(_numbers)
    return Source.objects.create(
        **{"name": f"Source {number}", "url": f"http://feeds.example/{number}.xml", **fields}
    )


def make_item(source: Source, **fields: Any) -> FeedItem:
    number = next(_numbers)
    return FeedItem.objects.create(
        **{
            "source": source,
            "identity": f"guid:{number}",
            "fingerprint": str(number),
            "title": f"Item {number}",
            "url": f"http://feeds.example/items/{number}",
            **fields,
        }
    )


def make_post(**fields: Any) -> Post:
    number = next(_numbers)
    return Post.objects.create(
        **{
            "title": f"Post {number}",
            "slug": f"post-{number}",
            "body_html": f"<p>Text {number}</p>",
            **fields,
        }
    )


def make_publisher(kind: str = "webhook", secrets: dict[str, str] | None = None, **fields: Any) -> Publisher:
    number = next(_numbers)
    return Publisher.objects.create(
        **{"name": f"Publisher {number}", "kind": kind, "secrets": Sealed.of(secrets or {}), **fields}
    )


def make_publication(publisher: Publisher, **fields: Any) -> Publication:
    """One that is due now, of a post that is being published."""
    now = timezone.now()
    post = make_post(status=Post.Status.PUBLISHING, scheduled_at=now)
    return Publication.objects.create(
        **{"post": post, "publisher": publisher, "due_at": now, "next_attempt_at": now, **fields}
    )


def put_on_site(*, at: datetime | None = None, **fields: Any) -> Publication:
    """A post that is published on the built-in site, since `at` or now; `fields` are the post's."""
    at = at or timezone.now()
    kind = "site"
    publisher = Publisher.objects.filter(kind=kind).first() or make_publisher(kind, name="Blog")
    post = make_post(**{"status": Post.Status.PUBLISHED, "published_at": at, **fields})
    return Publication.objects.create(
        post=post,
        publisher=publisher,
        state=Publication.State.PUBLISHED,
        due_at=at,
        published_at=at,
        revision=post.revision,
        remote_id=post.slug,
    )


def make_run() -> ActiveRun:
    return ActiveRun(uuid4(), attempt=1)


def rss(*items: str, channel: str = "<title>News</title>") -> bytes:
    """An RSS document; an item is what stands between its tags."""
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{channel}{body}</channel></rss>'.encode()


def entry(number: int, title: str = "", text: str = "") -> str:
    """An RSS item's inside, with an id of its own."""
    return (
        f"<guid isPermaLink='false'>id-{number}</guid><title>{title or f'Item {number}'}</title>"
        f"<link>http://feeds.example/items/{number}</link><description>{text or 'Text'}</description>"
    )


def allow(settings: Any, *servers: HTTPServer) -> None:
    """Let these local servers through the guard, by exact host and port."""
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{server.host}:{server.port}" for server in servers]


def make_agent(**fields: Any) -> Agent:
    """One with a source of three new items, unless `sources` are given."""
    number = next(_numbers)
    chosen = fields.pop("sources", None)
    publishers = fields.pop("publishers", [])
    agent = Agent.objects.create(**{"name": f"Agent {number}", **fields})
    if chosen is None:
        chosen = [make_source()]
        for _ in range(3):
            make_item(chosen[0])
    agent.sources.set(chosen)
    agent.publishers.set(publishers)
    return agent
