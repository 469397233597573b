"""Abbreviations: a query with the short form finds texts with the long one, when that is asked for."""

import pytest

from knowledge.search.engine import Mode, search
from knowledge.search.expansion import MEANINGS, expanded
from knowledge.tests.shelf import shelve


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("COPD in winter", "COPD in winter chronic obstructive pulmonary disease"),
        ("NSAIDs and asthma", "NSAIDs and asthma nonsteroidal anti-inflammatory drug"),
        ("Chronic  obstructive-pulmonary diseases", "Chronic  obstructive-pulmonary diseases COPD"),
        ("COPD (chronic obstructive pulmonary disease)", "COPD (chronic obstructive pulmonary disease)"),
        ("HIV, LDL", "HIV, LDL human immunodeficiency virus low density lipoprotein"),
        ("als ob", "als ob"),
        ("HIVE", "HIVE"),
        ("", ""),
        ("\\(COPD[", "\\(COPD[ chronic obstructive pulmonary disease"),
    ],
)
def test_queries_are_expanded_by_what_is_not_there_yet(query, expected):
    assert expanded(query) == expected


def test_expanding_again_adds_nothing():
    for short, meaning in MEANINGS.items():
        for query in (short, meaning):
            assert expanded(expanded(query)) == expanded(query)
            assert expanded(query) != query


def test_no_two_abbreviations_mean_the_same():
    assert len({meaning.lower() for meaning in MEANINGS.values()}) == len(MEANINGS)


@pytest.mark.django_db
def test_the_search_expands_only_when_it_is_asked_to():
    shelve("Lungs", "Chronic obstructive pulmonary disease is common in smokers.")
    assert search("COPD", mode=Mode.SPARSE) == []
    (hit,) = search("COPD", mode=Mode.SPARSE, expand=True)
    assert [span.of(hit.passage.text) for span in hit.highlights] == ["Chronic obstructive pulmonary disease"]
