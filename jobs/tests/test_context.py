"""What a body sees of its run: progress that never goes back, weighted steps, cancels."""

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from jobs.context import ActiveRun
from jobs.errors import RunCancelled, RunSuperseded
from jobs.runlogs import RunLogHandler, current_run


def run_of(**steps: float) -> ActiveRun:
    return ActiveRun(uuid.uuid4(), 1, steps=steps)


class TestProgress:
    def test_tracking_reports_after_each_item(self) -> None:
        run = run_of()
        seen = []
        for _ in run.track(["a", "b", "c", "d"], "Letters"):
            seen.append(run.progress.percent)
        assert seen == [0, 25, 50, 75]
        assert (run.progress.percent, run.progress.current, run.progress.total, run.progress.text) == (
            100,
            4,
            4,
            "Letters",
        )

    def test_items_without_a_length_are_counted(self) -> None:
        run = run_of()

        def letters() -> Iterator[str]:
            yield from "abc"

        assert list(run.track(letters())) == ["a", "b", "c"]
        assert (run.progress.percent, run.progress.current, run.progress.total) == (0, 3, None)

    def test_a_given_total_is_used_for_items_without_a_length(self) -> None:
        run = run_of()
        list(run.track(iter("ab"), total=4))
        assert run.progress.percent == 50

    def test_nothing_to_track_is_no_error(self) -> None:
        assert list(run_of().track([])) == []

    def test_progress_never_goes_back_and_never_beyond_all(self) -> None:
        run = run_of()
        for current in (5, 3, 40, -7):
            run.report(current, 10)
            assert run.progress.percent == (50 if current in (5, 3) else 100)

    def test_three_of_five_is_sixty_percent(self) -> None:
        run = run_of()
        run.report(3, 5)
        assert run.progress.percent == 60

    def test_the_text_stays_until_another_is_given(self) -> None:
        run = run_of()
        run.report(1, 5, "Reading")
        run.report(2, 5)
        assert run.progress.text == "Reading"

    def test_what_is_no_number_is_refused(self) -> None:
        with pytest.raises(ValueError, match="NaN"):
            run_of().report(float("nan"), 5)  # type: ignore[arg-type]


class TestSteps:
    def test_each_step_has_its_weight(self) -> None:
        run = run_of(load=1, work=3)
        run.step("load")
        assert run.progress.percent == 0
        run.report(1, 2)
        assert run.progress.percent == 12.5
        run.step("work")
        assert run.progress.percent == 25
        run.report(1, 3)
        assert run.progress.percent == 50

    def test_a_step_that_was_not_declared_weighs_nothing(self) -> None:
        run = run_of(load=1, work=1)
        run.step("surprise")
        run.report(1, 2)
        assert run.progress.percent == 0
        run.step("work")
        assert run.progress.percent == 0
        assert run.progress.text == "work"


class TestStopping:
    @pytest.mark.parametrize("error", [RunCancelled, RunSuperseded])
    def test_any_report_ends_the_body(self, error: type[RunCancelled] | type[RunSuperseded]) -> None:
        for call in (
            lambda run: run.report(1, 2),
            lambda run: run.step("x"),
            lambda run: run.check(),
            lambda run: run.sleep(1),
            lambda run: list(run.track([1])),
        ):
            run = run_of()
            run.stop(error)
            with pytest.raises(error):
                call(run)

    def test_blanket_handlers_do_not_swallow_it(self) -> None:
        run = run_of()
        run.stop(RunCancelled)

        def careless_body() -> None:
            with contextlib.suppress(Exception):
                run.report(1, 2)

        with pytest.raises(RunCancelled):
            careless_body()

    def test_a_sleep_ends_soon_after_a_cancel(self) -> None:
        run = run_of()
        threading.Timer(0.1, run.stop, args=[RunCancelled]).start()
        begun = time.monotonic()
        with pytest.raises(RunCancelled):
            run.sleep(30)
        assert time.monotonic() - begun < 20


class TestLog:
    def test_lines_are_handed_over_once_and_taken_back_in_order(self) -> None:
        run = run_of()
        run.log("one")
        _, lines = run.drain()
        run.log("two", level=logging.ERROR)
        run.undrain(lines)
        assert run.is_dirty
        assert [line.message for line in run.drain()[1]] == ["one", "two"]

    def test_records_of_logging_go_to_the_run_of_their_thread(self) -> None:
        run = run_of()
        logger = logging.Logger("body")
        logger.addHandler(RunLogHandler())
        logger.warning("before")
        token = current_run.set(run)
        logger.warning("during %s", 1)
        current_run.reset(token)
        logger.warning("after")
        assert [(line.level, line.message) for line in run.drain()[1]] == [(logging.WARNING, "during 1")]

    def test_units_are_counted_and_failures_logged(self) -> None:
        run = run_of()
        run.unit_succeeded()
        run.unit_failed("feed 7", ValueError("broken"))
        run.unit_failed("feed 8", ValueError())
        assert run.failed_units == {"feed 7": "broken", "feed 8": "ValueError"}
        assert [line.message for line in run.drain()[1]] == ["feed 7: broken", "feed 8: ValueError"]
