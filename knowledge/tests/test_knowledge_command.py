"""`manage.py knowledge`: every verb, its exit codes, and one line for what does not work."""

import csv
import io
import json
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from jobs.models import JobRun
from jobs.tests.workers import worker_thread
from knowledge.management.commands.knowledge import Command
from knowledge.models import (
    Evaluation,
    Finding,
    JudgedQuery,
    Judgement,
    KnowledgePolicy,
    Paper,
    Source,
    Topic,
)
from knowledge.search.engine import forget_queries
from knowledge.tests.papers import numbered
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db


def run(*arguments):
    """Run `manage.py knowledge …`; gives the exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("knowledge", *arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return ended.code, out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


def refused(*arguments):
    """The exit code and the one line of a command that does not work."""
    with pytest.raises(CommandError) as told:
        call_command("knowledge", *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    assert "\n" not in str(told.value)
    return told.value.returncode, str(told.value)


@pytest.fixture
def letters():
    forget_queries()
    with registered(embedder := Letters()):
        yield embedder
    forget_queries()


@pytest.fixture
def shelf(letters):
    shelve(
        "Aspirin & the {heart}",
        "Aspirin prevents a second heart attack in most people.",
        pmid="31",
        doi="10.1000/a_b",
        journal="Heart",
        year=2020,
        published_on=date(2020, 5, 1),
        published_precision="month",
        authors=[
            {"family": "Curie", "given": "Marie"},
            {"family": "Müller", "initials": "A", "suffix": "Jr"},
            {"collective": "The Heart Group"},
        ],
        details={"volume": "7", "issue": "2", "pages": "11-19"},
        keywords=["aspirin"],
        sources=["pubmed"],
    )
    shelve("Withdrawn", "Aspirin cures everything.", year=2021, is_retracted=True)
    shelve("=cmd|'x'!A1", "Tomatoes grow.", arxiv_id="2611.00001", year=2001, sources=["arxiv"])
    embed_all(letters)


# Search and ask


def test_search_prints_what_is_found_with_where_it_is_from(shelf):
    code, text = run("search", "aspirin heart attack", "--limit", "1")
    assert code == 0
    assert "1. Aspirin & the {heart}" in text
    assert "Marie Curie, A Müller Jr, The Heart Group · 2020-05 · pubmed_31" in text
    assert "not medical advice" in text
    assert "Withdrawn" not in text


def test_search_is_narrowed_and_prints_json_for_programs(shelf):
    found = json.loads(run("search", "aspirin", "--year-from", "2015", "--json")[1])
    assert [row["name"] for row in found] == ["pubmed_31"]
    assert found[0]["similarity"] > 0
    found = json.loads(run("search", "aspirin", "--retracted", "only", "--mode", "sparse", "--json")[1])
    assert [(row["title"], row["is_retracted"]) for row in found] == [("Withdrawn", True)]
    assert json.loads(run("search", "aspirin", "--source", "europepmc", "--json")[1]) == []


def test_a_search_that_finds_nothing_says_so(db):
    assert run("search", "zebra") == (0, "Nothing is found.\n")


def test_a_search_by_vectors_that_are_not_there_is_refused_in_one_line(shelf):
    code, text = refused("search", "aspirin", "--mode", "openai")
    assert (code, "letters:26" in text) == (2, True)


def test_ask_prints_an_answer_with_its_citations(shelf):
    code, text = run("ask", "Does aspirin prevent a second heart attack?")
    assert code == 0, text
    assert "[1]" in text
    assert "Aspirin & the {heart}" in text
    assert "no medical advice" in text
    code, text = run("ask", "Does aspirin prevent a second heart attack?", "--json")
    assert json.loads(text)["citations"][0]["pmid"] == "31"


def test_a_question_without_an_answer_is_exit_code_1_and_says_why(shelf):
    code, text = run("ask", "Does aspirin prevent a second heart attack?", "--year-from", "2025")
    assert code == 1
    assert text.startswith("There is no answer: ")


def test_a_question_that_is_none_is_refused(db):
    code, text = refused("ask", "???")
    assert (code, "no word" in text) == (2, True)


# Updates


@pytest.fixture
def library(literature, ncbi, letters, settings):
    settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = 0
    KnowledgePolicy.objects.update_or_create(pk=1, defaults={"embedder": "letters"})
    Source.objects.all().delete()
    Source.objects.create(name="PubMed", connector="pubmed")
    Topic.objects.all().delete()
    Topic.objects.create(name="Insulin")
    literature.today = today = timezone.now().date()
    literature.add(
        *(numbered(number, entered=today - timedelta(days=1), published=today) for number in range(1, 4))
    )


@pytest.mark.django_db(transaction=True)
def test_an_update_that_is_waited_for_shows_progress_and_what_it_brought(library, flush_broker):
    with worker_thread():
        code, text = run("update", "insulin", "--papers", "2", "--wait")
    assert code == 0, text
    assert "100 %" in text
    assert '"papers_indexed": 2' in text
    assert Paper.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_update_prints_the_id_of_its_run(library, flush_broker):
    code, text = run("update", "--days", "3")
    started = JobRun.objects.get()
    assert (code, text.strip()) == (0, str(started.id))
    assert (started.trigger, started.parameters["days_back"]) == ("command", 3)


def test_an_unknown_topic_is_told_in_one_line(db):
    code, text = refused("update", "Astrology")
    assert (code, "Astrology" in text) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [("update", "--papers", "21"), ("update", "--days", "0"), ("search", "x", "--mode", "magic"), ()],
)
def test_wrong_use_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        Command().run_from_argv(["manage.py", "knowledge", *arguments])
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


# Evaluate


def test_evaluate_prints_the_figures_and_keeps_them(shelf):
    query = JudgedQuery.objects.create(text="aspirin")
    Judgement.objects.create(query=query, paper=Paper.objects.get(pmid="31"), grade=2)
    code, text = run("evaluate", "--mode", "sparse", "--top-k", "3")
    assert code == 0
    assert "1 queries, the first 3 results of each." in text
    assert "ndcg      1.000" in text
    assert json.loads(run("evaluate", "--json")[1])["recall"] == 1
    assert Evaluation.objects.count() == 2


def test_evaluating_nothing_is_refused(db):
    code, text = refused("evaluate")
    assert (code, "no enabled judged queries" in text) == (2, True)


# Export


def test_papers_are_exported_as_json_lines_without_what_is_retracted(shelf):
    rows = [json.loads(line) for line in run("export")[1].splitlines()]
    assert [row["title"] for row in rows] == ["Aspirin & the {heart}", "=cmd|'x'!A1"]
    assert rows[0]["authors"][0] == "Marie Curie"
    assert rows[0]["published"] == "2020-05"
    assert len(run("export", "--with-retracted")[1].splitlines()) == 3
    assert len(run("export", "--source", "arxiv")[1].splitlines()) == 1
    assert len(run("export", "--year-from", "2015")[1].splitlines()) == 1


def test_papers_of_a_topic_are_exported(shelf):
    Finding.objects.create(topic=Topic.objects.create(name="Hearts"), paper=Paper.objects.get(pmid="31"))
    assert len(run("export", "--topic", "hearts")[1].splitlines()) == 1
    assert refused("export", "--topic", "Astrology")[0] == 2


def test_papers_are_exported_as_csv_that_no_spreadsheet_carries_out(shelf, tmp_path):
    file = tmp_path / "papers.csv"
    code, text = run("export", "--format", "csv", "--output", str(file))
    assert (code, text) == (0, f"Wrote 2 papers to {file}.\n")
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [row["title"] for row in rows] == ["Aspirin & the {heart}", "'=cmd|'x'!A1"]
    assert rows[0]["authors"] == "Marie Curie; A Müller Jr; The Heart Group"


def test_papers_are_exported_as_bibtex(shelf):
    text = run("export", "--format", "bibtex")[1]
    pk = Paper.objects.get(pmid="31").pk
    assert f"@article{{curie2020-{pk}," in text
    assert r"title = {{Aspirin \& the \{heart\}}}" in text
    assert "author = {Curie, Marie and Müller, Jr, A and {The Heart Group}}" in text
    assert "pages = {11--19}" in text
    assert r"doi = {10.1000/a\_b}" in text
    assert "eprint = {2611.00001}" in text
    assert text.count("\n@") + text.startswith("@") == 2


def test_papers_are_exported_as_ris(shelf):
    text = run("export", "--format", "ris")[1]
    first = text.split("ER  - ")[0]
    assert first.startswith("TY  - JOUR\r\nTI  - Aspirin & the {heart}\r\nAU  - Curie, Marie\r\n")
    assert "SP  - 11\r\nEP  - 19\r\n" in first
    assert "DO  - 10.1000/a_b\r\n" in first
    assert text.count("ER  - ") == 2


def test_a_file_that_cannot_be_written_is_told_in_one_line(shelf, tmp_path):
    code, text = refused("export", "--output", str(tmp_path / "no" / "papers.csv"))
    assert (code, "No such file" in text) == (1, True)


# Configure and statistics


def test_configure_brings_in_a_file_once(db, tmp_path):
    file = tmp_path / "knowledge.toml"
    file.write_text('[[topics]]\nname = "Zoonoses"\npriority = "high"\n')
    assert "1 topics" in run("configure", str(file))[1]
    assert Topic.objects.get(name="Zoonoses").priority == Topic.Priority.HIGH
    assert "nothing new" in run("configure", str(file))[1]


def test_a_file_that_makes_no_sense_is_told_in_one_line(db, tmp_path):
    file = tmp_path / "knowledge.toml"
    file.write_text("topics = 3")
    assert refused("configure", str(file))[0] == 2
    assert refused("configure", str(tmp_path / "missing.toml"))[0] == 2


def test_statistics_say_what_is_in_the_index(shelf):
    text = run("statistics")[1]
    assert "knowledge level      basic" in text
    found = json.loads(run("statistics", "--json")[1])
    assert (found["total_papers"], found["vectors"][0]["name"]) == (3, "letters:26")
