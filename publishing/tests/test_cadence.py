from datetime import timedelta

import pytest

from jobs.outbound import OutboundResponse
from publishing.polling import cadence
from publishing.sources.asking import quiet_period

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def after_success(weekly: int | None, quiet: timedelta | None = None) -> float:
    wait = cadence.after_success(weekly_items=weekly, quiet_for=quiet, shortest=5 * MINUTE, longest=DAY)
    return wait / MINUTE


@pytest.mark.parametrize(
    ("weekly", "quiet", "minutes"),
    [
        (None, None, 60),
        (0, None, 24 * 60),
        (7, None, 12 * 60),
        (84, None, 60),
        (1_000_000, None, 5),
        (84, 3 * HOUR, 180),
        (7, 3 * HOUR, 12 * 60),
        (84, 30 * DAY, 24 * 60),
    ],
)
def test_a_source_is_polled_as_often_as_it_has_news_and_never_sooner_than_it_asks(weekly, quiet, minutes):
    assert after_success(weekly, quiet) == pytest.approx(minutes, rel=0.11)


def test_the_bounds_hold_whatever_the_chance():
    waits = [after_success(1_000_000) for _ in range(50)] + [after_success(0) for _ in range(50)]
    assert min(waits) >= 5 and max(waits) <= 24 * 60
    assert len({after_success(84) for _ in range(20)}) > 1


def test_failures_wait_longer_each_time_and_honour_what_the_server_asks():
    def wait(failures: int, retry_after: float | None = None) -> timedelta:
        return cadence.after_failure(failures=failures, retry_after=retry_after, shortest=MINUTE, longest=DAY)

    assert wait(1) / MINUTE == pytest.approx(15, rel=0.11)
    assert wait(3) / MINUTE == pytest.approx(60, rel=0.11)
    assert wait(1000) <= DAY
    assert wait(1, retry_after=3 * 24 * 3600) == 3 * DAY


def quiet(ttl: int | None = None, **headers: str) -> timedelta | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return quiet_period(OutboundResponse("http://a/", 200, named, b""), ttl)


@pytest.mark.parametrize(
    ("ttl", "headers", "expected"),
    [
        (None, {}, None),
        (90, {}, 90 * MINUTE),
        (30, {"cache_control": "public, max-age=7200"}, 2 * HOUR),
        (30, {"cache_control": "no-cache, max-age=7200"}, 30 * MINUTE),
        (None, {"cache_control": "max-age=0"}, None),
        (None, {"expires": "Sat, 21 Nov 2026 13:00:00 GMT", "date": "Sat, 21 Nov 2026 12:00:00 GMT"}, HOUR),
        (None, {"expires": "Sat, 21 Nov 2026 11:00:00 GMT", "date": "Sat, 21 Nov 2026 12:00:00 GMT"}, None),
        (None, {"expires": "0"}, None),
        (999_999, {}, 7 * DAY),
    ],
)
def test_the_longest_quiet_that_feed_and_headers_ask_for_counts(ttl, headers, expected):
    assert quiet(ttl, **headers) == expected
