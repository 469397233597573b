"""Judging and evaluating the search in the admin: figures over time, query by query, and grades given by people."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import AuditEvent, JobRun
from jobs.tests.staff import signed_in, staff
from jobs.tests.workers import execute
from knowledge import judging
from knowledge.admin import plots
from knowledge.models import Evaluation, JudgedQuery, Judgement
from knowledge.search.engine import forget_queries
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db

QUALITY = "/admin/knowledge/evaluation/"
RUN = f"{QUALITY}run/"
EVIL = "<img src=x onerror=alert(1)>"
READER = ("knowledge.view_paper", "knowledge.view_evaluation", "knowledge.view_judgedquery")
EDITOR = (*READER, "knowledge.add_judgedquery", "knowledge.change_judgedquery", "knowledge.run_evaluation")


@pytest.fixture
def client():
    return signed_in(staff(*EDITOR))


@pytest.fixture
def query():
    return JudgedQuery.objects.create(text="aspirin", expected_terms=["infarction"])


def judge_page(query: JudgedQuery) -> str:
    return f"/admin/knowledge/judgedquery/{query.pk}/judge/"


def text_of(answer) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def evaluated(**fields) -> Evaluation:
    given = {"mode": "hybrid", "top_k": 10, "queries": 3, "hit_rate": 0.5, "ndcg": 0.25, "recall": None}
    return Evaluation.objects.create(**{**given, **fields})


# Evaluations


def test_the_last_figures_and_the_course_of_them_are_shown(client):
    evaluated(ndcg=0.1)
    evaluated(ndcg=0.75)
    evaluated(mode="sparse", ndcg=0.99)
    page = text_of(client.get(QUALITY))
    assert "<strong>0.750</strong>" in page
    assert "0.990" not in page
    assert (
        'aria-label="Hit rate, nDCG and recall over time: 2 times; the last Hit rate 0.500, nDCG 0.750."'
        in page
    )
    assert "<strong>0.990</strong>" in text_of(client.get(QUALITY, {"mode": "sparse"}))
    assert "Nothing was evaluated this way yet." in text_of(client.get(QUALITY, {"mode": "dense"}))
    assert client.get(QUALITY, {"mode": "magic"}).status_code == 200


def test_before_anything_was_judged_the_page_says_what_to_do(client):
    page = text_of(client.get(QUALITY))
    assert "Add queries that people really ask" in page
    assert "Add a judged query first." in page
    answer = client.post(RUN, {})
    assert answer.status_code == 302
    assert not JobRun.objects.exists()


def test_the_button_has_a_worker_evaluate(client, query):
    shelve("Aspirin", "Fewer infarctions with aspirin.")
    answer = client.post(RUN, {"mode": "sparse", "top_k": "5"})
    assert answer.url == QUALITY  # may not see runs
    run = JobRun.objects.get()
    assert run.parameters == {"mode": "sparse", "top_k": 5}
    assert run.requested_by is not None
    assert run.requested_by.username == "staff"
    execute(run)
    evaluation = Evaluation.objects.get()
    assert (evaluation.mode, evaluation.top_k, evaluation.hit_rate) == ("sparse", 5, 1.0)
    page = text_of(client.get(f"{QUALITY}{evaluation.pk}/change/"))
    assert "Words only, first 5 results" in page
    assert "infarction" in page


@pytest.mark.parametrize("given", [{"mode": "magic"}, {"top_k": "0"}, {"top_k": "101"}, {"top_k": "many"}])
def test_an_evaluation_that_makes_no_sense_is_refused(client, query, given):
    page = client.post(RUN, given, follow=True).content.decode()
    assert next(iter(given)) in page
    assert not JobRun.objects.exists()


def test_evaluating_needs_its_own_permission(query):
    reader = signed_in(staff(*READER, name="reader"))
    assert reader.post(RUN, {}).status_code == 403
    assert "Evaluate now" not in text_of(reader.get(QUALITY))
    assert not JobRun.objects.exists()
    stranger = signed_in(staff("knowledge.view_paper", name="stranger"))
    assert stranger.get(QUALITY).status_code == 403


def test_the_details_begin_with_the_worst_query_and_are_shown_as_text(client):
    found = [{"rank": 1, "title": EVIL, "paper": None, "document": None, "grade": None, "term": EVIL}]
    details = [
        {"query": 1, "text": "good", "is_hit": True, "first_hit": 1, "ndcg": 0.9, "recall": 1.0, "found": []},
        {
            "query": 2,
            "text": EVIL,
            "is_hit": False,
            "first_hit": None,
            "ndcg": 0.0,
            "recall": 0.0,
            "found": found,
        },
        "nonsense",
    ]
    page = text_of(client.get(f"{QUALITY}{evaluated(details=details).pk}/change/"))
    assert page.index("No hit") < page.index(">good<")
    assert "<img" not in page


def test_a_plot_leaves_gaps_where_nothing_is_known():
    points = [plots.Point("a", "a", {"ndcg": value}) for value in (0.5, 0.6, None, 0.7, None, None, 0.8, 0.9)]
    drawn = plots.lines("Quality", {"ndcg": "nDCG"}, points)
    assert [len(line.split()) for _, line in drawn.plot.lines] == [2, 1, 2]
    assert len(drawn.plot.dots) == 5
    assert [row[1] for row in drawn.rows] == ["0.900", "0.800", "", "", "0.700", "", "0.600", "0.500"]


@pytest.mark.parametrize(
    ("most", "axis"), [(0, "2"), (1, "2"), (3, "4"), (7, "8"), (11, "20"), (950, "1,000")]
)
def test_the_axis_of_bars_ends_with_a_round_number(most, axis):
    drawn = plots.bars("New", [("Mon", most), ("Tue", 0)], by="Day", what="papers")
    assert drawn.plot.y_labels[-1].text == axis
    assert all(rect.y >= 0 and rect.y + rect.height <= drawn.plot.height for rect in drawn.plot.rects)


# Judging


def test_what_the_search_finds_is_offered_for_a_grade_and_grades_are_kept(client, query):
    first, second = shelve("Aspirin", "Aspirin."), shelve("More", "Aspirin and other things.")
    page = text_of(client.get(judge_page(query)))
    for paper in (first, second):
        assert f'name="grade-{paper.pk}" value="2"' in page
    answer = client.post(judge_page(query), {f"grade-{first.pk}": "2", f"grade-{second.pk}": ""}, follow=True)
    assert "1 grade changed." in text_of(answer)
    assert f'name="grade-{first.pk}" value="2" checked' in text_of(client.get(judge_page(query)))
    client.post(judge_page(query), {f"grade-{first.pk}": "0", f"grade-{second.pk}": "1"})
    assert dict(query.judgements.values_list("paper", "grade")) == {first.pk: 0, second.pk: 1}
    client.post(judge_page(query), {f"grade-{first.pk}": "", f"grade-{second.pk}": "1"})
    assert dict(query.judgements.values_list("paper", "grade")) == {second.pk: 1}
    assert AuditEvent.objects.filter(subject_type="knowledge.judgedquery").count() == 3


def test_papers_that_are_not_found_any_more_keep_their_grade_on_the_page(client, query):
    gone = shelve("Tomatoes", "Sun.")
    Judgement.objects.create(query=query, paper=gone, grade=1)
    page = text_of(client.get(judge_page(query)))
    assert "not among the first results now" in page
    assert f'name="grade-{gone.pk}" value="1" checked' in page


@pytest.mark.parametrize("grade", ["3", "9999"])
def test_grades_that_there_are_not_are_refused(client, query, grade):
    paper = shelve("Aspirin")
    page = client.post(judge_page(query), {f"grade-{paper.pk}": grade}, follow=True).content.decode()
    assert "Grades are 0, 1 and 2" in page
    assert not Judgement.objects.exists()


def test_papers_that_are_gone_are_refused_and_other_fields_do_nothing(client, query):
    page = client.post(judge_page(query), {"grade-999999": "2"}, follow=True).content.decode()
    assert "There is no paper 999999." in page
    client.post(judge_page(query), {"grade-": "2", "grade-x": "2", f"grade-{'9' * 30}": "2", "other": "1"})
    assert not Judgement.objects.exists()


def test_judging_the_same_again_changes_nothing(query):
    paper = shelve("Aspirin")
    assert judging.judge(query, {paper.pk: 2}, by=None) == 1
    assert judging.judge(query, {paper.pk: 2}, by=None) == 0
    assert judging.judge(query, {}, by=None) == 0


def test_only_those_who_may_change_judged_queries_judge(query):
    paper = shelve("Aspirin")
    reader = signed_in(staff(*READER, name="reader"))
    assert reader.get(judge_page(query)).status_code == 403
    assert reader.post(judge_page(query), {f"grade-{paper.pk}": "2"}).status_code == 403
    assert not Judgement.objects.exists()


def test_when_meanings_cannot_be_compared_words_are(client, query):
    forget_queries()
    with registered(letters := Letters()):
        shelve("Aspirin", "Aspirin.")
        embed_all(letters)
    page = text_of(client.get(judge_page(query)))
    assert "Meanings cannot be compared now" in page
    assert "grade-" in page


def test_a_new_query_goes_on_to_its_papers(client):
    given = {"text": "heart attack", "expected_terms": " infarction , ,stroke", "is_enabled": "on"}
    answer = client.post("/admin/knowledge/judgedquery/add/", given)
    query = JudgedQuery.objects.get()
    assert answer.url == judge_page(query)
    assert query.expected_terms == ["infarction", "stroke"]
    again = client.post("/admin/knowledge/judgedquery/add/", given)
    assert "already exists" in text_of(again)
    listed = text_of(client.get("/admin/knowledge/judgedquery/"))
    assert "heart attack" in listed
    assert judge_page(query) in listed


def test_what_the_pages_cost_does_not_grow(client, query):
    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as found:
            text_of(client.get(address))
        return len(found)

    shelve("Aspirin", "Aspirin.")
    addresses = (QUALITY, "/admin/knowledge/judgedquery/", judge_page(query))
    for address in addresses:
        queries(address)
    before = [queries(address) for address in addresses]
    for number in range(5):
        evaluated(at=timezone.now())
        JudgedQuery.objects.create(text=f"Query {number}")
        Judgement.objects.create(query=query, paper=shelve(f"Paper {number}", "Sun."), grade=1)
    after = [queries(address) for address in addresses]
    assert after[:2] == before[:2]
    assert after[2] <= before[2] + 5  # the word index has one more segment for each paper
    assert max(before) < 30


def test_plots_are_drawn_without_styles_or_scripts_in_the_page(client):
    evaluated()
    page = text_of(client.get(QUALITY))
    main = page[page.index("jobs-card") :]
    assert not re.search(r"<figure.*?(style=|<script).*?</figure>", main, re.DOTALL)
