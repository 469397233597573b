"""Putting the sample world among sources and agents: feeds to read, agents that write of them, the blog they write for."""

import re
import tomllib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from publishing import agents
from publishing.models import Agent, Publisher, Source
from publishing.sample.world import LENGTH, feeds

#: The first scheduled post goes out while somebody is still looking.
_FIRST_SCHEDULED_AFTER = timedelta(minutes=2)
_LOOPBACK = r"^https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?"


@dataclass(frozen=True)
class Loaded:
    """What loading did."""

    created: int
    moved: int
    agents: int = 0


def load_sample_world(base_url: str) -> Loaded:
    """Create a source for each sample feed, or move the one that is there to this address; nothing when all is so.

    The first time also the agents that write of them: whoever deletes or changes one is not contradicted at the next start.
    """
    base, created, moved = base_url.rstrip("/"), 0, 0
    is_new = not Source.objects.filter(url__regex=f"{_LOOPBACK}/sample/").exists()
    for feed in feeds().values():
        url = f"{base}{feed.path}"
        if Source.objects.filter(kind="feed", url=url).exists():
            continue
        moved_here = Source.objects.filter(
            kind="feed", url__regex=_LOOPBACK + re.escape(feed.path) + "$"
        ).first()
        if moved_here is not None:
            moved_here.url = url
            moved_here.save(update_fields=["url"])
            moved += 1
        else:
            Source.objects.create(name=feed.title, url=url, language=feed.language, backfill_limit=LENGTH)
            created += 1
    return Loaded(created, moved, _load_agents() if is_new else 0)


def _load_agents() -> int:
    blog = Publisher.objects.filter(kind="site").first()
    if blog is None:
        blog = Publisher.objects.create(name="The blog", kind="site")
    return sum(_load_agent(values, blog) for values in _agents())


def _load_agent(values: dict[str, str], blog: Publisher) -> bool:
    if Agent.objects.filter(name=values["name"]).exists():
        return False
    feed, cron = values.pop("feed"), values.pop("cron")
    soon = timezone.now() + _FIRST_SCHEDULED_AFTER
    changes = {"length": "short", "publish_at": soon.time().replace(second=0, microsecond=0), **values}
    source = Source.objects.get(name=feeds()[feed].title)
    agents.save(Agent(), changes, sources=[source], publishers=[blog], cron=cron, by=None)
    return True


def agents_to_show() -> list[int]:
    """Agents of the sample world that have written nothing yet."""
    names = [values["name"] for values in _agents()]
    new = Agent.objects.enabled().filter(name__in=names, generations=None)
    return list(new.order_by("pk").values_list("pk", flat=True))


def _agents() -> list[dict[str, str]]:
    found = tomllib.loads((Path(__file__).parent / "agents.toml").read_text(encoding="utf-8"))
    return [dict(values) for values in found["agent"]]
