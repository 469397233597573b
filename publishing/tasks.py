"""The jobs of publishing."""

from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, every, job
from publishing import news, polling, rounds, writing
from publishing.generations import Order


@job(
    "publishing.monitor_feeds",
    title="Poll all sources that are due",
    queue="sources",
    schedule=every(minutes=30),
    soft_time_limit=1500,
    time_limit=1740,
)
def monitor_feeds(run: ActiveRun) -> polling.RoundResult:
    """Read every enabled source whose time has come, and store what is new.

    Each source is a unit: if some fail the run has partly succeeded, if all fail it has failed.
    """
    return news.follow_due(run)


@job(
    "publishing.monitor_feed",
    title="Poll one source",
    queue="sources",
    retry=RetryPolicy(max_attempts=3, base_seconds=60),
    soft_time_limit=240,
    time_limit=300,
)
def monitor_feed(
    run: ActiveRun, *, source_id: int, force: bool = False, auto_generate: bool | None = None
) -> polling.PollResult:
    """Read one source now, due or not. With `force` all of it, whatever was there last time.

    With `auto_generate` its agents write of what is new at once, three posts at most; without a word the source decides.
    """
    return news.follow(run, source_id, force=force, auto_generate=auto_generate)


@job(
    "publishing.test_source",
    title="Test a source",
    queue="sources",
    retry=RetryPolicy(max_attempts=1),
    soft_time_limit=100,
    time_limit=120,
)
def test_source(run: ActiveRun, *, source_id: int) -> polling.Preview:
    """Fetch a source and show what it gives now, without storing anything."""
    return polling.preview(source_id)


@job(
    "publishing.publish_post",
    title="Publish a post",
    queue="publishing",
    retry=RetryPolicy(max_attempts=1),
    soft_time_limit=540,
    time_limit=600,
)
def publish_post(run: ActiveRun, *, post_id: int) -> rounds.Published:
    """Send a post to every publisher that it is due at. What must be tried later is tried by itself."""
    return rounds.publish(run, post_id)


@job(
    "publishing.publish_scheduled_posts",
    title="Publish the posts whose time has come",
    queue="publishing",
    schedule=every(minutes=1),
    soft_time_limit=50,
    time_limit=60,
)
def publish_scheduled_posts(run: ActiveRun) -> int:
    """Queue a run for each scheduled post that is due; gives how many."""
    return rounds.begin_due(run)


@job(
    "publishing.retry_failed_publications",
    title="Send again what could not be sent yet",
    queue="publishing",
    schedule=every(minutes=5),
    soft_time_limit=540,
    time_limit=600,
)
def retry_failed_publications(run: ActiveRun) -> rounds.Published:
    """Send what a publisher asked to send later, and miss what is too late. What was refused for good stays so."""
    return rounds.retry(run)


@job(
    "publishing.reconcile_publications",
    title="Find out what became of unconfirmed posts",
    queue="publishing",
    schedule=every(minutes=5),
    soft_time_limit=540,
    time_limit=600,
)
def reconcile_publications(run: ActiveRun) -> rounds.Published:
    """Look at the publishers for posts that may be there. Sends nothing."""
    return rounds.reconcile(run)


@job(
    "publishing.update_publications",
    title="Change or take back what is published",
    queue="publishing",
    schedule=every(minutes=5),
    soft_time_limit=540,
    time_limit=600,
)
def update_publications(run: ActiveRun, *, post_id: int | None = None) -> rounds.Updated:
    """Carry changes of published posts to where they are, and take back what is to be taken back; of one post or all."""
    return rounds.update(run, post_id)


@job(
    "publishing.test_publisher",
    title="Test a publisher",
    queue="publishing",
    retry=RetryPolicy(max_attempts=1),
    soft_time_limit=100,
    time_limit=120,
)
def test_publisher(run: ActiveRun, *, publisher_id: int) -> str:
    """Try address and credentials without publishing anything; gives what was found."""
    return rounds.test(publisher_id)


@job(
    "publishing.generate_post",
    title="Let an agent write a post",
    queue="generation",
    retry=RetryPolicy(max_attempts=4, base_seconds=60),
    soft_time_limit=1740,
    time_limit=1800,
    steps=writing.STEPS,
)
def generate_post(
    run: ActiveRun, *, agent_id: int, topic: str = "", keyword: str = "", item_id: int | None = None
) -> writing.Written:
    """Write a post of what is new in the agent's sources, and do with it what the agent's workflow says."""
    return writing.write_post(run, Order(agent_id=agent_id, topic=topic, keyword=keyword, item_id=item_id))
