"""One decorated function is everything; what does not fit is refused when it is imported."""

import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any

import pytest
from celery import current_app
from pydantic import Field

from jobs import definitions
from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, cron, enqueue, every, get_job, job, retry_run
from jobs.errors import IllegalState, InvalidParameters, TransientError, UnknownJob
from jobs.models import JobRun, new_run_id
from tests.jobs_for_tests import tasks

Status = JobRun.Status


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A copy of the registry that is thrown away after the test."""
    copy = dict(definitions._registry)
    monkeypatch.setattr(definitions, "_registry", copy)
    before = set(current_app.tasks)
    yield copy
    for name in set(current_app.tasks) - before:
        current_app.tasks.pop(name)


class TestRegistering:
    def test_a_second_job_of_a_name_is_refused(self, registry: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"two jobs named 'testing\.do_nothing'"):

            @job("testing.do_nothing", title="Again")
            def do_nothing(run: ActiveRun) -> None:
                """Again."""

    @pytest.mark.parametrize(
        "name",
        ["noapp", "Testing.do", "testing.Do", "testing.do-it", "a.b.c", "testing.", ".do", "testing._do", ""],
    )
    def test_a_malformed_name_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match=r"<app>\.<verb>_<noun>"):
            job(name, title="Bad")

    def test_a_positional_parameter_is_refused(self, registry: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="number must be keyword-only"):

            @job("testing.positional_one", title="Bad")
            def positional_one(run: ActiveRun, number: int) -> None:
                """Bad."""

    def test_open_ended_parameters_are_refused(self, registry: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="must be keyword-only"):

            @job("testing.open_ended", title="Bad")
            def open_ended(run: ActiveRun, /, **rest: int) -> None:
                """Bad."""

    def test_a_parameter_without_a_type_is_refused(self, registry: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="number has no type"):

            @job("testing.untyped_one", title="Bad")
            def untyped_one(run: ActiveRun, *, number) -> None:
                """Bad."""

    def test_a_job_is_a_celery_task_with_its_limits(self) -> None:
        task = current_app.tasks["testing.take_too_long"]
        assert (task.soft_time_limit, task.time_limit) == (1, 3)

    def test_an_unknown_job_is_a_typed_error(self) -> None:
        with pytest.raises(UnknownJob, match=r"no job named 'testing\.nothing'"):
            get_job("testing.nothing")

    def test_the_function_can_still_be_called(self) -> None:
        assert tasks.add_numbers(None, left=1, right=2) == 3  # type: ignore[arg-type]

    def test_schedules_are_plain_values(self) -> None:
        assert every(minutes=1, seconds=30).interval == timedelta(seconds=90)
        assert cron("0 8 * * mon-fri", timezone="Europe/London").timezone == "Europe/London"


class TestParameters:
    def test_defaults_are_filled_in(self) -> None:
        assert tasks.add_numbers.clean({"left": 1}) == {"left": 1, "right": 1}

    def test_each_wrong_field_is_named(self) -> None:
        with pytest.raises(InvalidParameters) as caught:
            tasks.add_numbers.clean({"left": "many", "right": 5000, "up": 1})
        assert set(caught.value.fields) == {"left", "right", "up"}

    @pytest.mark.parametrize("text", ["nul \x00", "surrogate \ud800"])
    def test_what_cannot_be_stored_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidParameters) as caught:
            tasks.echo_text.clean({"text": text})
        assert set(caught.value.fields) == {"text"}

    def test_typed_parameters_survive_the_way_through_json(self, registry: dict[str, Any]) -> None:
        class Colour(StrEnum):
            RED = "red"

        @job("testing.use_types", title="Use types")
        def use_types(
            run: ActiveRun,
            *,
            day: date,
            colour: Colour,
            tags: Annotated[list[str], Field(max_length=2)],
            wait: timedelta = timedelta(hours=1),
        ) -> None:
            """Use types."""

        stored = use_types.clean({"day": "2026-03-01", "colour": "red", "tags": ["a"]})
        assert stored == {"day": "2026-03-01", "colour": "red", "tags": ["a"], "wait": "PT1H"}
        assert use_types.arguments(stored) == {
            "day": date(2026, 3, 1),
            "colour": Colour.RED,
            "tags": ["a"],
            "wait": timedelta(hours=1),
        }


@pytest.mark.django_db
class TestEnqueue:
    def test_a_run_is_written_with_what_the_job_says(self) -> None:
        run = JobRun.objects.get(pk=tasks.fail_transiently.enqueue(until_attempt=3).pk)
        assert (run.job, run.queue, run.status, run.trigger) == (
            "testing.fail_transiently",
            "default",
            Status.QUEUED,
            JobRun.Trigger.CODE,
        )
        assert (run.max_attempts, run.attempt, run.priority) == (3, 0, 5)
        assert run.parameters == {"until_attempt": 3, "retry_after": None}
        assert run.id.version == 7

    def test_wrong_parameters_write_nothing(self) -> None:
        with pytest.raises(InvalidParameters):
            enqueue(tasks.add_numbers, {}, trigger=JobRun.Trigger.API)
        assert not JobRun.objects.exists()

    def test_ids_sort_in_the_order_of_their_making(self) -> None:
        ids = [tasks.do_nothing.enqueue().id for _ in range(3)]
        assert [id_.int >> 80 for id_ in ids] == sorted(id_.int >> 80 for id_ in ids)


@pytest.mark.django_db
class TestRetryRun:
    def failed(self) -> JobRun:
        run = tasks.add_numbers.enqueue(left=1)
        JobRun.objects.filter(pk=run.pk).update(status=Status.FAILED)
        return JobRun.objects.get(pk=run.pk)

    def test_a_finished_run_is_made_again_as_a_new_run(self) -> None:
        old = self.failed()
        new = retry_run(old, by=None)
        assert new.pk != old.pk
        assert (new.retry_of, new.parameters, new.trigger, new.status) == (
            old,
            {"left": 1, "right": 1},
            JobRun.Trigger.RETRY,
            Status.QUEUED,
        )

    def test_with_edited_parameters(self) -> None:
        assert retry_run(self.failed(), by=None, parameters={"left": 5}).parameters == {"left": 5, "right": 1}

    def test_a_run_that_has_not_ended_is_refused(self) -> None:
        with pytest.raises(IllegalState, match="has not ended"):
            retry_run(tasks.add_numbers.enqueue(left=1), by=None)

    def test_a_run_whose_job_is_gone_is_refused(self) -> None:
        run = self.failed()
        run.job = "gone.for_good"
        with pytest.raises(UnknownJob):
            retry_run(run, by=None)


def test_a_policy_knows_transient_errors() -> None:
    assert RetryPolicy().is_transient(TransientError("busy"))
    assert not RetryPolicy().is_transient(ValueError("bug"))


def test_ids_of_runs_that_are_made_later_sort_later():
    ids = [new_run_id() for _ in range(5_000)]
    assert ids == sorted(ids)
    assert {(id.version, id.variant) for id in ids} == {(7, uuid.RFC_4122)}
