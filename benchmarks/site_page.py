"""Pages of the built-in blog with 100,000 posts on it: how long one reader waits for an answer.

The posts are made by SQL, with a thousand words of HTML each, four tags of fifty, twenty agents, published over ten
years; as many others are drafts, or published elsewhere. The pages are asked for through gunicorn, one after the other on one
connection, posts and tags at random. Quick: fewer requests of the same pages.
"""

import http.client
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from benchmarks.harness import Process, Row, execute, main, percentile, stopwatch, wait_until
from benchmarks.trigger import answers, free_port

POSTS = 100_000
TARGET_MS = 20

_POSTS = """
INSERT INTO publishing_agent (
    name, is_enabled, expertise, persona, tone, audience, language, length, writer, topic, keywords, avoid, max_items,
    max_age, workflow, publish_at, timezone, created_at)
SELECT 'Agent ' || number, true, '', '', '', '', 'en', 'medium', 'digest', '', '{}', '{}', 20, interval '14 days',
    'review', '10:00', 'UTC', now()
FROM generate_series(1, 20) AS number;
INSERT INTO publishing_publisher (name, kind, settings, secrets, is_enabled, lateness, created_at)
VALUES ('Blog', 'site', '{}', '', true, interval '1 hour', now()),
       ('Elsewhere', 'file', '{}', '', true, interval '1 hour', now());
INSERT INTO publishing_post (
    title, slug, body_html, excerpt, language, tags, keywords, meta_title, meta_description, canonical_url, revision,
    word_count, notes, status, published_at, created_at, updated_at, agent_id)
SELECT 'What the river said on day ' || number, 'post-' || number, repeat(%(paragraph)s, 10),
    'The bank at the old mill moved by eleven metres in one night. We looked at the gauges.', 'en',
    ARRAY(SELECT 'topic ' || (number * 7 + other * 13 + number / 50) %% 50 FROM generate_series(1, 4) AS other),
    '{}', '', '', '', 1, 1000, '{}', CASE WHEN number %% 2 = 0 THEN 'published' ELSE 'draft' END,
    now() - number * interval '26 minutes', now(), now(), 1 + number %% 20
FROM generate_series(1, 2 * %(posts)s) AS number;
INSERT INTO publishing_publication (
    post_id, publisher_id, marker, state, reason, due_at, attempts_made, looks_made, remote_id, remote_url, published_at,
    revision, errand)
SELECT post.id, publisher.id, gen_random_uuid(), 'published', '', published_at, 1, 0, slug, '', published_at, 1, ''
FROM publishing_post AS post, publishing_publisher AS publisher
WHERE status = 'published' OR (kind = 'file' AND post.id %% 4 = 1);
"""
_PARAGRAPH = (
    "<h2>What the gauges say</h2><p>"
    + 'Rivers carry <em>more</em> than water: sand, seeds, stories, and <a href="/blog/">now and then</a> a boat. '
    * 6
    + "</p>"
)


def measure(quick: bool) -> list[Row]:
    """p50 and p95 of each page in milliseconds."""
    with stopwatch() as elapsed:
        execute(_POSTS, {"posts": POSTS, "paragraph": _PARAGRAPH})
        for table in ("publishing_post", "publishing_publication", "publishing_publisher"):
            execute(f"VACUUM ANALYZE {table}")
    print(f"{POSTS:,} posts on the site made in {elapsed():.0f} s.", flush=True)
    number = 100 if quick else 500
    with server() as (ask, cpu):
        rows = []
        for name, paths, is_promised in pages():
            wanted, before = paths(number), cpu()
            times = [ask(path) for path in wanted]
            rows.append(row(name, times, 1000 * (cpu() - before) / len(times), is_promised))
        return rows


def pages() -> list[tuple[str, Callable[[int], list[str]], bool]]:
    """Name, addresses to ask for, and whether its time is promised."""
    chance = random.Random(7)
    oldest = execute(
        "SELECT id FROM publishing_publication WHERE publisher_id = %s ORDER BY published_at LIMIT 1000", [1]
    )
    return [
        ("a post", lambda n: [f"/blog/posts/post-{2 * chance.randint(1, POSTS)}/" for _ in range(n)], True),
        ("the front page", lambda n: ["/blog/"] * n, True),
        (
            "the last pages of all",
            lambda n: [f"/blog/?before={chance.choice(oldest[100:])[0]}" for _ in range(n // 5)],
            True,
        ),
        ("a tag", lambda n: [f"/blog/tags/topic%20{chance.randrange(50)}/" for _ in range(n // 5)], False),
        ("the archive", lambda n: ["/blog/archive/"] * (n // 5), False),
        ("topics", lambda n: ["/blog/topics/"] * (n // 5), False),
        ("the Atom feed", lambda n: ["/blog/atom.xml"] * (n // 5), False),
        ("the sitemap's index", lambda n: ["/blog/sitemap.xml"] * 5, False),
    ]


@contextmanager
def server() -> Iterator[tuple[Callable[[str], float], Callable[[], float]]]:
    """Gunicorn as the product runs it, with one process: what asks for an address and gives milliseconds, and its CPU seconds."""
    port = free_port()
    options = ["--worker-class", "gthread", "--workers", "1", "--threads", "8", "--log-level", "warning"]
    with Process("gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", *options) as process:
        wait_until(lambda: answers(port), seconds=60, what="the web process")
        (worker,) = psutil.Process(process.pid).children()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

        def ask(path: str) -> float:
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            took = 1000 * (time.perf_counter() - began)
            assert answer.status == 200, f"{path} answers {answer.status}: {body[:200]!r}"
            return took

        for _ in range(10):
            ask("/blog/")
            ask("/blog/posts/post-2/")
        yield ask, lambda: sum(worker.cpu_times()[:2])
        connection.close()


def row(name: str, times: list[float], cpu: float, is_promised: bool) -> Row:
    p50 = statistics.median(times)
    return Row(
        name=f"{name}, p50",
        value=round(p50, 1),
        unit="ms",
        target=f"< {TARGET_MS} ms" if is_promised else "for reference",
        ok=p50 < TARGET_MS or not is_promised,
        note=f"p95 {percentile(times, 95):.1f} ms of {len(times)} requests; {cpu:.1f} ms of CPU each",
    )


if __name__ == "__main__":
    main("site_page", __doc__, measure)
