"""Parameter forms are generated from the job's schema and checked by the job."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from django.http import QueryDict
from pydantic import BaseModel, Field, create_model

from jobs.admin.parameters import ParameterForm
from jobs.definitions import AnyJob, Job, JobParameters


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    latitude: float
    longitude: float


def job_with(**fields: Any) -> AnyJob:
    """A job of these parameters, which no registry knows."""
    parameters = create_model("parameters", __base__=JobParameters, **fields)
    return Job(name="demo.do_it", title="Do it", queue="default", function=print, parameters=parameters)


CASES = [
    pytest.param(int, "7", 7, id="int"),
    pytest.param(float, "1.5", 1.5, id="float"),
    pytest.param(bool, "on", True, id="bool"),
    pytest.param(str, " as typed ", " as typed ", id="str"),
    pytest.param(Literal["fast", "slow"], "slow", "slow", id="literal"),
    pytest.param(Literal[1, 2], "2", 2, id="literal of numbers"),
    pytest.param(Colour, "blue", "blue", id="enum"),
    pytest.param(int | None, "7", 7, id="optional, given"),
    pytest.param(int | None, "", None, id="optional, empty"),
    pytest.param(bool | None, "false", False, id="optional bool"),
    pytest.param(bool | None, "", None, id="optional bool, empty"),
    pytest.param(str | None, "", None, id="optional str, empty"),
    pytest.param(date, "2030-01-31", "2030-01-31", id="date"),
    pytest.param(datetime, "2030-01-31T09:00", "2030-01-31T09:00:00Z", id="datetime"),
    pytest.param(list[int], "1\n 2 \n\n3", [1, 2, 3], id="list of int"),
    pytest.param(list[str], "a b\nc", ["a b", "c"], id="list of str"),
    pytest.param(list[Literal["a", "b", "c"]], ["a", "c"], ["a", "c"], id="list of choices"),
    pytest.param(dict[str, int], '{"a": 1}', {"a": 1}, id="dict as JSON"),
    pytest.param(Place, '{"latitude": 1, "longitude": 2}', {"latitude": 1.0, "longitude": 2.0}, id="model"),
    pytest.param(int | str, '"x"', "x", id="union as JSON"),
]


@pytest.mark.parametrize(("annotation", "typed", "value"), CASES)
def test_what_is_typed_becomes_the_parameter(annotation, typed, value):
    form = ParameterForm(job_with(it=(annotation, ...)), data=posted({"parameter-it": typed}))
    assert form.is_valid(), form.errors
    assert form.values == {"it": value}


@pytest.mark.parametrize(("annotation", "typed", "value"), CASES)
def test_a_saved_parameter_comes_back_as_it_was_typed(annotation, typed, value):
    job = job_with(it=(annotation, ...))
    shown = ParameterForm(job, initial={"it": value})["it"]
    again = shown.value()
    if isinstance(again, bool):
        again = "on" if again else ""
    form = ParameterForm(job, data=posted({"parameter-it": "" if again is None else again}))
    assert form.is_valid(), form.errors
    assert form.values == {"it": value}


@pytest.mark.parametrize(
    ("annotation", "typed", "message"),
    [
        (int, "seven", "Enter a whole number."),
        (int, "", "This field is required."),
        (Annotated[int, Field(ge=0, le=9)], "10", "less than or equal to 9"),
        (Annotated[int, Field(multiple_of=5)], "7", "multiple of 5"),
        (Annotated[str, Field(max_length=3)], "abcd", "at most 3 characters"),
        (Annotated[str, Field(pattern="^a")], "b", "should match pattern"),
        (Literal["fast", "slow"], "medium", "not one of the available choices"),
        (datetime, "tomorrow", "Write a date and a time"),
        (list[int], "1\nx", "Line 2: Enter a whole number."),
        (dict[str, int], "{", "This is not valid JSON."),
        (dict[str, int], '{"a": "x"}', "a: Input should be a valid integer"),
        (Place, '{"latitude": 1}', "longitude: Field required"),
    ],
)
def test_what_does_not_fit_is_an_error_at_its_field(annotation, typed, message):
    form = ParameterForm(job_with(it=(annotation, ...)), data=posted({"parameter-it": typed}))
    assert not form.is_valid()
    assert message in " ".join(map(str, form.errors["it"]))


def test_an_empty_field_takes_the_default_of_the_job():
    form = ParameterForm(job_with(it=(int, 5)), data=posted({"parameter-it": ""}))
    assert form.is_valid(), form.errors
    assert form.values == {"it": 5}


def test_fields_begin_with_the_defaults_and_carry_title_and_help():
    described = Annotated[int, Field(title="How many", description="At least one.")]
    form = ParameterForm(job_with(count=(described, 3), per_page=(int, 9)))
    assert form["count"].value() == 3
    assert (form["count"].label, form["count"].help_text) == ("How many", "At least one.")
    assert form["per_page"].label == "Per page"


def test_another_job_keeps_what_was_typed_into_fields_of_the_same_name():
    before = job_with(left=(int, 1), is_loud=(bool, True))
    after = job_with(left=(int, 2), is_loud=(bool, True), other=(str, "x"))
    form = ParameterForm.carried(after, posted({"parameter-left": "not a number"}), shown=before)
    assert form["left"].value() == "not a number"
    assert form["is_loud"].value() is False, "it was shown and not ticked"
    assert form["other"].value() == "x", "it was not shown: the default holds"
    assert not form.errors, "nobody has saved anything yet"


def posted(fields: dict[str, Any]) -> Any:
    data = QueryDict(mutable=True)
    for name, value in fields.items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return data
