"""Previews end in time, whatever the sources do."""

import time
from collections.abc import Iterator

import pytest

from knowledge import previews, rates
from knowledge.models import Source
from knowledge.rates import Pace
from knowledge.tests.ncbi_server import NcbiServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held() -> Iterator[None]:
    """PubMed has asked everybody to wait a minute."""
    with rates.turn(Pace("pubmed", 0.001)):
        pass
    rates.hold("pubmed", 60, "too many requests")
    yield
    rates.release("pubmed")


def test_a_source_that_keeps_us_waiting_is_given_up_and_says_why(ncbi: NcbiServer, held: None) -> None:
    pubmed = Source.objects.create(name="PubMed", connector="pubmed")
    begun = time.monotonic()

    [found] = previews.preview([(pubmed, "insulin")], days_back=7, patience=0.5)

    assert time.monotonic() - begun < 5
    assert found.hits is None
    assert found.problem.startswith("It has not answered in time.")


def test_nothing_to_ask_is_no_error() -> None:
    assert previews.preview([], days_back=7) == []
