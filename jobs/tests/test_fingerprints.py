"""One cause, one fingerprint; another cause, another fingerprint."""

import importlib.util
import json
import uuid

import httpx
import pytest

from jobs import fingerprints
from jobs.errors import PermanentError, TransientError

JOB = "testing.read_source"

SOURCE = """
import json

from jobs.errors import PermanentError


def missing(number):
    raise PermanentError(f"There is no source {number}.")


def read(text):
    return json.loads(text)


def read_other(text):
    return json.loads(text)


def choose(number):
    if number % 2:
        raise PermanentError(f"Source {number} is odd.")
    raise PermanentError(f"Source {number} is even.")


def wrapped(text):
    try:
        return json.loads(text)
    except ValueError as error:
        raise PermanentError("Not JSON.") from error
"""


@pytest.fixture
def ours(tmp_path, settings):
    """A function that loads the source above as a module of the project, moved down by some lines."""

    def load(lines: int = 0):
        settings.BASE_DIR = tmp_path
        path = tmp_path / f"reading_{lines}.py"
        path.write_text("\n" * lines + SOURCE)
        spec = importlib.util.spec_from_file_location("reading", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def of(function, *arguments, job=JOB):
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001 - any error has one
        return fingerprints.of_error(job, error)
    raise AssertionError("It did not raise.")


def test_what_a_message_names_does_not_matter(ours):
    module = ours()
    assert of(module.missing, 1) == of(module.missing, 23_456)
    assert of(module.missing, uuid.uuid4()) == of(module.missing, object())


def test_a_line_that_moves_keeps_its_fingerprint(ours):
    assert of(ours().missing, 1) == of(ours(40).missing, 1)


def test_two_errors_raised_in_one_function_differ(ours):
    module = ours()
    assert of(module.choose, 1) == of(module.choose, 3)
    assert of(module.choose, 1) != of(module.choose, 2)


def test_an_error_inside_a_package_counts_by_our_line_that_led_there(ours):
    module = ours()
    assert of(module.read, "{") == of(module.read, "{")
    assert of(module.read, "{") != of(module.read_other, "{")


def test_the_error_behind_an_error_matters(ours):
    module = ours()
    assert of(module.wrapped, "{") == of(module.wrapped, "[")
    assert of(module.wrapped, "{") != of(module.wrapped, b"\xff")


def test_jobs_differ(ours):
    module = ours()
    assert of(module.missing, 1) != of(module.missing, 1, job="testing.another")


def test_answers_of_the_other_side_differ_by_their_code():
    def answer(status):
        response = httpx.Response(status, request=httpx.Request("GET", f"http://example.org/{status}"))
        response.raise_for_status()

    assert of(answer, 404) == of(answer, 404)
    assert of(answer, 404) != of(answer, 500)


def test_an_error_that_was_never_raised_counts_by_its_message_without_details():
    first = PermanentError("2 of 5 failed: unit 3: 'BBC' is at http://example.org/1?x=2 (0x7f3a)")
    same = PermanentError("4 of 9 failed: unit 17: 'CNN' is at https://example.net/ (0xff001)")
    other = PermanentError("2 of 5 were refused")
    assert fingerprints.of_error(JOB, first) == fingerprints.of_error(JOB, same)
    assert fingerprints.of_error(JOB, first) != fingerprints.of_error(JOB, other)
    assert fingerprints.of_error(JOB, first) != fingerprints.of_error(JOB, TransientError(str(first)))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Run 0191f3c2-7c1f-7abc-8def-0123456789ab is gone", "Run # is gone"),
        ("took 12.5 s, limit 10", "took # s, limit #"),
        ("<object at 0x7f3a2b>", "<object at #>"),
        ("commit deadbeef01 failed", "commit # failed"),
        ("a facade added", "a facade added"),
        ('key "a b" is  missing\n', "key # is missing"),
    ],
)
def test_details_are_what_changes_from_case_to_case(message, expected):
    assert fingerprints.without_details(message) == expected


def test_errors_that_stand_behind_each_other_in_a_circle_come_to_an_end():
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    assert len(fingerprints.of_error(JOB, first)) == 16


def test_a_recursion_error_has_one_too():
    def endless(depth):
        return json.dumps(endless(depth + 1))

    assert of(endless, 0) == of(endless, 7)
