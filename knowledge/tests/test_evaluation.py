"""Judging the search: figures that can be checked by hand, and what is kept of them."""

import math

import pytest

from jobs.context import ActiveRun
from jobs.models import JobRun
from jobs.tests.workers import execute
from knowledge import evaluation, tasks
from knowledge.evaluation import NothingToEvaluate, Trial, evaluate, ndcg, try_out
from knowledge.models import Evaluation, JudgedQuery, Judgement, Paper
from knowledge.search.engine import Mode
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf():
    """Three papers that are found by their words in this order for "aspirin"."""
    return [
        shelve("Aspirin", "Aspirin, aspirin: infarctions were fewer."),
        shelve("More on aspirin", "Aspirin and several other things were given to people."),
        shelve(
            "Among many others", "Of heparin, warfarin, statins and also aspirin little is known here so far."
        ),
    ]


def judge(text, grades, expected_terms=(), **fields):
    query = JudgedQuery.objects.create(text=text, expected_terms=list(expected_terms), **fields)
    for paper, grade in grades.items():
        Judgement.objects.create(query=query, paper=paper, grade=grade)
    return query


# Formulas


def test_ndcg_is_what_the_definition_gives_by_hand():
    # Grades 1, 0, 2 were found, 2, 2, 1 could have been: (1 + 2 / log2(4)) / (2 + 2 / log2(3) + 1 / log2(4)).
    by_hand = (1 + 2 / 2) / (2 + 2 / math.log2(3) + 1 / 2)
    assert ndcg([1, 0, 2], [2, 2, 1, 0], 3) == pytest.approx(by_hand)


def test_ndcg_of_the_best_order_is_1_and_of_nothing_found_0():
    assert ndcg([2, 1, 0], [0, 1, 2], 10) == 1
    assert ndcg([], [2], 10) == 0
    assert ndcg([2], [], 10) == 0


def test_what_stands_behind_k_counts_neither_as_found_nor_as_missed():
    assert ndcg([0, 0, 2], [2], 2) == 0
    assert ndcg([2], [2, 2, 2], 1) == 1


# Evaluations


def test_an_evaluation_keeps_hits_order_and_what_was_missed(shelf):
    first, second, third = shelf
    judge("aspirin", {first: 1, third: 2})
    kept = evaluate(top_k=2, mode=Mode.SPARSE)
    assert (kept.queries, kept.top_k, kept.mode, kept.model) == (1, 2, "sparse", "")
    assert kept.hit_rate == 1
    assert kept.recall == 0.5
    assert kept.ndcg == pytest.approx(1 / (2 + 1 / math.log2(3)))
    (told,) = kept.details
    assert [(one["paper"], one["grade"]) for one in told["found"]] == [(first.pk, 1), (second.pk, None)]
    assert (told["text"], told["first_hit"], told["is_hit"]) == ("aspirin", 1, True)


def test_each_figure_is_the_mean_of_the_queries_that_it_can_be_told_of(shelf):
    judge("aspirin", {shelf[0]: 2})
    judge("heparin", {}, ["warfarin"])
    judge("statins", {}, ["tomatoes"])
    kept = evaluate(mode=Mode.SPARSE)
    assert kept.hit_rate == pytest.approx(2 / 3)
    assert (kept.ndcg, kept.recall) == (1, 1)


def test_queries_that_are_not_judged_have_no_figures(shelf):
    judge("aspirin", {})
    kept = evaluate(mode=Mode.SPARSE)
    assert (kept.queries, kept.hit_rate, kept.ndcg, kept.recall) == (1, None, None, None)


def test_retracted_papers_are_neither_wanted_nor_found(shelf):
    judge("aspirin", {shelf[0]: 2, shelf[1]: 2})
    Paper.objects.filter(pk=shelf[0].pk).update(is_retracted=True)
    assert evaluate(mode=Mode.SPARSE).recall == 1


def test_disabled_queries_are_left_out_unless_they_are_named(shelf):
    query = judge("aspirin", {shelf[0]: 2}, is_enabled=False)
    with pytest.raises(NothingToEvaluate):
        evaluate()
    assert evaluate([query]).queries == 1


def test_the_model_whose_vectors_were_asked_is_kept(shelf):
    judge("aspirin", {shelf[0]: 2})
    with registered(letters := Letters()):
        embed_all(letters)
        assert evaluate().model == "letters:26"
        assert evaluate(mode=Mode.SPARSE).model == ""


# Terms


@pytest.mark.parametrize(
    ("term", "is_hit"),
    [
        ("infarction", True),
        ("INFARCTIONS were", True),
        ("fewer infarctions", False),
        ("farct", False),
        ("asp", False),
        ("...", False),
        ("aspirin: infarctions", True),
    ],
)
def test_a_term_is_a_hit_in_any_form_and_only_as_whole_words_in_a_row(shelf, term, is_hit):
    (figures,) = try_out([Trial(query="aspirin", expected_terms=[term], top_k=1)], mode=Mode.SPARSE).queries
    assert figures.is_hit is is_hit
    assert figures.found[0].term == (term if is_hit else "")


def test_a_trial_counts_the_queries_that_hit_and_keeps_nothing(shelf):
    trials = [
        Trial(query="aspirin", expected_terms=["heparin", "infarction"]),
        Trial(query="aspirin", expected_terms=["heparin"], top_k=1),
        Trial(query="tomatoes", expected_terms=["tomato"]),
    ]
    figures = try_out(trials, mode=Mode.SPARSE)
    assert figures.hit_rate == pytest.approx(1 / 3)
    assert [query.first_hit for query in figures.queries] == [1, None, None]
    assert not Evaluation.objects.exists()


# The job


def test_the_job_keeps_one_evaluation_however_often_it_is_attempted(shelf):
    judge("aspirin", {shelf[0]: 2})
    run = execute(tasks.evaluate_search.enqueue(top_k=3, mode="sparse"))
    assert run.status == JobRun.Status.SUCCEEDED
    kept = Evaluation.objects.get()
    assert kept.run_id == run.id
    assert run.result == {
        "evaluation_id": kept.pk, "queries": 1, "hit_rate": 1, "ndcg": 1, "recall": 1,
    }  # fmt: skip
    assert run.progress == 100
    evaluation.evaluate(run=ActiveRun(run.id, attempt=2), mode=Mode.SPARSE)
    assert Evaluation.objects.count() == 1


def test_without_judged_queries_the_job_fails_and_says_why():
    run = execute(tasks.evaluate_search.enqueue())
    assert run.status == JobRun.Status.FAILED
    assert "no enabled judged queries" in run.error_message
