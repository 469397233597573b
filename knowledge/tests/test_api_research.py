"""Research jobs over the API: kept, run for real against a stand-in of PubMed, watched, cancelled, counted, exported."""

import csv
import io
import json
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from jobs import ledger
from jobs.api.tasks import remaining
from jobs.models import AuditEvent, JobRun, Schedule
from jobs.tests.workers import execute
from knowledge import research_export, tasks
from knowledge.models import Harvest, KnowledgePolicy, Outcome, Paper, ResearchJob, Source
from knowledge.tests.api_client import client_with, get, post, send
from knowledge.tests.papers import numbered
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/cronjobs/"
UNKNOWN = 2**31 - 1
RESULT = {
    "topics_searched": 0, "papers_found": 10, "papers_indexed": 3, "new": 3, "updated": 1, "known": 5, "skipped": 0,
    "failed": 1, "passages_embedded": 6,
    "errors": [{"topic": "", "source": "", "paper": "7", "reason": "x"}, {"source": "PubMed", "paper": "8", "reason": "y"}],
}  # fmt: skip


@pytest.fixture
def client(flush_broker):
    return client_with(is_superuser=True)


@pytest.fixture
def pubmed():
    Source.objects.all().delete()
    return Source.objects.create(name="PubMed", connector="pubmed")


@pytest.fixture
def job(client, pubmed):
    return post(client, JOBS, {"name": "Insulin", "keywords": ["insulin"], "interval_hours": 6}, 201)


def trigger(client, job, **body):
    told = post(client, f"{JOBS}{job['id']}/trigger/", body, 202)
    return JobRun.objects.get(pk=told["job_run_id"])


def ended(job, *, status="succeeded", result=RESULT, **fields):
    """A run of the job that has ended, as the ledger would have written it."""
    run = tasks.execute_research_job.enqueue(research_job_id=job["id"])
    now = timezone.now()
    JobRun.objects.filter(pk=run.pk).update(
        **{"status": status, "result": result, "started_at": now - timedelta(seconds=30), "finished_at": now, "progress": 100}
        | fields
    )  # fmt: skip
    return run


# Keeping them


def test_a_job_is_made_with_an_interval_and_all_enabled_sources(client, pubmed):
    Source.objects.create(name="Off", connector="arxiv", is_enabled=False)
    made = post(client, JOBS, {"name": "Insulin", "keywords": ["insulin", " "], "interval_hours": 6}, 400)
    assert "keywords.1" in made["fields"]
    made = post(client, JOBS, {"name": "Insulin", "keywords": ["insulin"], "interval_hours": 6}, 201)
    assert (made["cron_expression"], made["interval_hours"], made["sources"]) == (None, 6, [pubmed.pk])
    assert (made["enabled"], made["max_papers_per_run"], made["vector_db_provider"]) == (True, 50, "pgvector")
    assert made["next_run_at"] is not None
    row = Schedule.objects.get(pk=made["schedule"])
    assert (row.task, row.enabled) == ("knowledge.execute_research_job", True)
    assert get(client, f"{JOBS}{made['id']}/") == made


def test_a_job_is_made_with_a_cron_expression(client, pubmed):
    made = post(client, JOBS, {"name": "x", "keywords": ["x"], "cron_expression": "0 3 * * *"}, 201)
    assert (made["cron_expression"], made["interval_hours"]) == ("0 3 * * *", None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"interval_hours": None}, "cron_expression"),
        ({"cron_expression": "@daily"}, "interval_hours"),
        ({"interval_hours": 0}, "interval_hours"),
        ({"interval_hours": None, "cron_expression": "99 * * * *"}, "cron_expression"),
        ({"keywords": []}, "keywords"),
        ({"max_papers_per_run": 1001}, "max_papers_per_run"),
        ({"sources": []}, "sources"),
        ({"sources": [UNKNOWN]}, "sources"),
        ({"mode": "slow"}, "mode"),
        ({"name": "taken"}, "name"),
        ({"embedding_provider": "chroma"}, "embedding_provider"),
        ({"vector_db_provider": "chroma"}, "vector_db_provider"),
        ({"vector_db_config": {}}, "vector_db_config"),
    ],
)
def test_a_job_that_does_not_fit_is_refused_by_name(client, pubmed, change, field):
    ResearchJob.objects.create(name="taken", keywords=["x"])
    body = {"name": "x", "keywords": ["x"], "interval_hours": 6} | change
    assert field in post(client, JOBS, body, 400)["fields"]
    assert not ResearchJob.objects.filter(name="x").exists()


def test_what_all_jobs_share_may_be_named_when_it_is_what_is_used(client, pubmed):
    body = {"name": "x", "keywords": ["x"], "interval_hours": 6}
    made = post(client, JOBS, {**body, "embedding_provider": "minilm", "vector_db_provider": "pgvector"}, 201)
    assert made["embedding_provider"] == "minilm"


def test_put_replaces_and_patch_changes(client, job):
    address = f"{JOBS}{job['id']}/"
    changed = send(client, "patch", address, {"max_papers_per_run": 7})
    assert (changed["max_papers_per_run"], changed["interval_hours"]) == (7, 6)
    changed = send(client, "patch", address, {"cron_expression": "@daily"})
    assert (changed["cron_expression"], changed["interval_hours"]) == ("0 0 * * *", None)
    told = send(client, "put", address, {"name": "Insulin", "keywords": ["insulin"]}, 400)
    assert {"cron_expression", "interval_hours"} <= told["fields"].keys()
    replaced = send(client, "put", address, {"name": "New", "keywords": ["x"], "interval_hours": 12})
    assert (replaced["name"], replaced["interval_hours"], replaced["cron_expression"]) == ("New", 12, None)
    assert replaced["max_papers_per_run"] == 50
    assert replaced["schedule"] == job["schedule"]


def test_jobs_are_listed_by_skip_and_limit(client, pubmed, django_assert_max_num_queries):
    for name in "edcba":
        post(
            client, JOBS, {"name": name, "keywords": ["x"], "interval_hours": 6, "enabled": name != "b"}, 201
        )
    with django_assert_max_num_queries(10):
        answer = client.get(JOBS, {"skip": 1, "limit": 2})
    assert ([one["name"] for one in answer.json()], answer.headers["X-Total-Count"]) == (["b", "c"], "5")
    assert [one["name"] for one in get(client, JOBS, {"enabled_only": True})] == ["a", "c", "d", "e"]
    assert "limit" in get(client, JOBS, {"limit": 0}, 400)["fields"]


def test_toggling_switches_the_schedule_too_and_a_disabled_job_runs_only_when_it_is_asked_to(client, job):
    off = send(client, "patch", f"{JOBS}{job['id']}/toggle/")
    assert (off["enabled"], off["next_run_at"]) == (False, None)
    assert not Schedule.objects.get(pk=job["schedule"]).enabled
    assert trigger(client, job).trigger == "api"
    on = send(client, "patch", f"{JOBS}{job['id']}/toggle/")
    assert on["enabled"] is True
    assert Schedule.objects.get(pk=job["schedule"]).enabled


def test_a_deleted_job_takes_its_schedule_along_and_leaves_its_runs(client, job):
    run = ended(job)
    send(client, "delete", f"{JOBS}{job['id']}/", status=204)
    get(client, f"{JOBS}{job['id']}/", status=404)
    assert not Schedule.objects.filter(pk=job["schedule"]).exists()
    told = get(client, f"{JOBS}runs/{run.pk}/")
    assert (told["job_id"], told["job_name"], told["papers_found"]) == (job["id"], None, 10)
    assert AuditEvent.objects.filter(action="deleted", user=client.user).exists()


def test_unknown_ids_are_unknown_and_never_pending(client):
    for method, rest in (
        ("get", ""), ("put", ""), ("patch", ""), ("delete", ""), ("patch", "toggle/"), ("post", "trigger/"),
        ("get", "runs/"), ("get", "status/"),
    ):  # fmt: skip
        send(client, method, f"{JOBS}{UNKNOWN}/{rest}", status=404)
    for method, rest in (("get", "status"), ("get", "progress"), ("post", "cancel")):
        send(client, method, f"{JOBS}tasks/{uuid.uuid4()}/{rest}/", status=404)
    get(client, f"{JOBS}runs/{uuid.uuid4()}/", status=404)


def test_the_run_of_another_job_is_no_task_of_research(client):
    other = tasks.evaluate_search.enqueue()
    get(client, f"{JOBS}runs/{other.pk}/", status=404)
    post(client, f"{JOBS}tasks/{other.pk}/cancel/", status=404)


# Running


@pytest.mark.django_db(transaction=True)
def test_a_triggered_job_brings_papers_and_tells_of_them(client, job, literature, ncbi, settings):
    settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = 0
    KnowledgePolicy.objects.update_or_create(pk=1, defaults={"embedder": "letters"})
    literature.today = today = timezone.now().date()
    literature.add(
        *(numbered(number, entered=today - timedelta(days=1), published=today) for number in range(1, 5))
    )
    told = post(client, f"{JOBS}{job['id']}/trigger/", {}, 202)
    assert told["job_run_id"] == told["task_id"]
    assert (told["status"], "Insulin" in told["message"]) == ("PENDING", True)
    before = get(client, f"{JOBS}tasks/{told['task_id']}/status/")
    assert (before["status"], before["job_id"], before["progress"]) == ("PENDING", job["id"], 0)
    with registered(Letters()):
        run = execute(JobRun.objects.get(pk=told["task_id"]))
        assert run.status == "succeeded", run.error_message
        again = execute(trigger(client, job))
        anew = execute(trigger(client, job, force_reprocess=True))
    first = get(client, f"{JOBS}runs/{told['job_run_id']}/")
    assert (first["status"], first["papers_found"], first["papers_processed"]) == ("completed", 4, 4)
    assert (first["papers_skipped"], first["papers_embedded"], first["embedding_errors"]) == (0, 4, 0)
    assert (first["manual_trigger"], first["user_params"]["research_job_id"]) == (True, job["id"])
    assert first["execution_log"]
    after = get(client, f"{JOBS}tasks/{told['task_id']}/progress/")
    assert (after["status"], after["progress"], after["db_progress"]) == ("SUCCESS", 100, 100)
    assert (after["papers_embedded"], after["errors"]) == (4, {"embedding_errors": 0, "vector_db_errors": 0})
    assert after["estimated_remaining"] == 0
    # Nothing new is a success; known papers are skipped, unless they are to be made anew.
    second, third = (get(client, f"{JOBS}runs/{one.pk}/") for one in (again, anew))
    assert (second["status"], second["papers_processed"], second["papers_skipped"]) == ("completed", 0, 4)
    assert (third["status"], third["papers_processed"]) == ("completed", 4)
    assert Paper.objects.count() == 4
    state = get(client, f"{JOBS}{job['id']}/status/")
    assert state["latest_run"]["job_run_id"] == str(anew.pk)
    assert state["statistics"] == {
        "total_runs": 3, "successful_runs": 3, "partial_runs": 0, "failed_runs": 0, "success_rate": 100.0,
    }  # fmt: skip


def test_a_running_job_counts_what_has_come_so_far(client, job):
    run = trigger(client, job)
    harvest = Harvest.objects.create(
        run_id=run.pk, research_job_id=job["id"], source=Source.objects.get(), query={}
    )
    with_vector = shelve("Aspirin", "Aspirin.")
    with registered(letters := Letters()):
        embed_all(letters)
    without = shelve("Heparin", "Heparin.")
    for name, result, paper in (
        ("1", "new", with_vector),
        ("2", "updated", without),
        ("3", "known", with_vector),
        ("4", "failed", None),
    ):
        Outcome.objects.create(harvest=harvest, source_id_there=name, result=result, paper=paper, reason="x")
    claim = ledger.claim(run.pk, worker="w@h", pid=1)
    JobRun.objects.filter(pk=run.pk).update(
        progress=60, progress_current=3, progress_total=5, progress_text="Fetching",
        started_at=timezone.now() - timedelta(seconds=45.2),
    )  # fmt: skip
    told = get(client, f"{JOBS}tasks/{run.pk}/progress/")
    assert claim is not None
    assert (told["status"], told["progress"], told["current"], told["total"]) == ("PROGRESS", 60, 3, 5)
    assert (told["description"], told["current_step"]) == ("Fetching", "Fetching")
    assert told["elapsed_time"] == pytest.approx(45.2, abs=3)
    assert told["estimated_remaining"] == pytest.approx(30.1, abs=2)
    assert (told["papers_found"], told["papers_processed"], told["papers_skipped"]) == (4, 2, 1)
    assert (told["papers_embedded"], told["errors"]["vector_db_errors"]) == (1, 1)
    assert get(client, f"{JOBS}runs/{run.pk}/")["status"] == "running"


@pytest.mark.parametrize(
    ("elapsed", "percent", "left"), [(45.2, 60, 30.1), (10, 0, 0), (10, 100, 0), (1, 50, 1)]
)
def test_what_remains_is_told_by_what_has_passed(elapsed, percent, left):
    assert remaining(elapsed, percent) == pytest.approx(left, abs=0.05)


def test_a_waiting_run_is_cancelled_a_running_one_asked_to_stop_and_an_ended_one_left_alone(client, job):
    waiting, running, over = trigger(client, job), trigger(client, job), ended(job)
    assert post(client, f"{JOBS}tasks/{waiting.pk}/cancel/")["status"] == "CANCELLED"
    ledger.claim(running.pk, worker="w@h", pid=1)
    assert post(client, f"{JOBS}tasks/{running.pk}/cancel/", status=202)["status"] == "CANCELLING"
    assert "ended" in post(client, f"{JOBS}tasks/{over.pk}/cancel/", status=409)["message"]
    assert get(client, f"{JOBS}runs/{waiting.pk}/")["status"] == "cancelled"
    assert get(client, f"{JOBS}runs/{over.pk}/")["status"] == "completed"


def test_asking_again_with_the_same_key_runs_it_once(client, job):
    keyed = [
        client.post(f"{JOBS}{job['id']}/trigger/", {}, format="json", headers={"Idempotency-Key": "x"})
        for _ in range(2)
    ]
    assert keyed[0].json()["task_id"] == keyed[1].json()["task_id"]
    assert JobRun.objects.count() == 1


# History


def test_runs_are_listed_filtered_and_counted(client, job):
    other = post(client, JOBS, {"name": "Other", "keywords": ["x"], "interval_hours": 6}, 201)
    done, failed, waiting = ended(job), ended(job, status="failed", result=None), trigger(client, job)
    ended(other)
    answer = client.get(f"{JOBS}{job['id']}/runs/")
    assert [run["job_run_id"] for run in answer.json()] == [str(run.pk) for run in (waiting, failed, done)]
    assert answer.headers["X-Total-Count"] == "3"
    assert [run["status"] for run in answer.json()] == ["pending", "failed", "completed"]
    (only,) = get(client, f"{JOBS}{job['id']}/runs/", {"status_filter": "completed"})
    assert (only["papers_found"], only["papers_processed"], only["papers_skipped"]) == (10, 4, 5)
    assert (only["papers_embedded"], only["embedding_errors"], only["vector_db_errors"]) == (3, 1, 1)
    assert len(get(client, f"{JOBS}{job['id']}/runs/", {"skip": 1, "limit": 1})) == 1
    assert len(get(client, f"{JOBS}history/runs/")) == 4
    (theirs,) = get(client, f"{JOBS}history/runs/", {"job_id": other["id"]})
    assert theirs["job_name"] == "Other"
    assert "status_filter" in get(client, f"{JOBS}history/runs/", {"status_filter": "lost"}, 400)["fields"]


def test_statistics_share_and_add_up_by_day_and_job(client, job):
    other = post(client, JOBS, {"name": "Other", "keywords": ["x"], "interval_hours": 6}, 201)
    ended(job)
    ended(job, status="failed", result=None)
    ended(other, status="partial", result=RESULT | {"new": 30})
    ended(other, status="cancelled", result=None, started_at=None)
    told = get(client, f"{JOBS}history/stats/", {"days": 7})
    total = told["total"]
    assert (total["total_runs"], total["successful_runs"], total["partial_runs"]) == (4, 1, 1)
    assert (total["failed_runs"], total["cancelled_runs"], total["success_rate"]) == (1, 1, 33.3)
    assert (total["papers_found"], total["papers_processed"], total["papers_embedded"]) == (20, 35, 6)
    assert (total["processing_rate"], total["embedding_rate"]) == (175.0, 17.1)
    assert total["average_duration_seconds"] == pytest.approx(30, abs=1)
    assert len(told["daily"]) == 7
    assert told["daily"][-1]["date"] == timezone.now().date().isoformat()
    assert [day["total_runs"] for day in told["daily"]] == [0, 0, 0, 0, 0, 0, 4]
    assert [(top["job_name"], top["papers_processed"]) for top in told["top_jobs"]] == [
        ("Other", 31),
        ("Insulin", 4),
    ]
    alone = get(client, f"{JOBS}history/stats/", {"job_id": job["id"]})
    assert (alone["days"], alone["total"]["total_runs"]) == (30, 2)
    assert "days" in get(client, f"{JOBS}history/stats/", {"days": 0}, 400)["fields"]


def test_failed_runs_count_the_papers_that_they_brought_before(client, job):
    run = ended(job, status="failed", result=None)
    harvest = Harvest.objects.create(
        run_id=run.pk, research_job_id=job["id"], source=Source.objects.get(), query={}
    )
    Outcome.objects.create(harvest=harvest, source_id_there="1", result="new", paper=shelve("Aspirin"))
    Outcome.objects.create(harvest=harvest, source_id_there="2", result="known")
    total = get(client, f"{JOBS}history/stats/")["total"]
    assert (total["papers_found"], total["papers_processed"], total["papers_skipped"]) == (2, 1, 1)


def test_statistics_of_nothing_share_nothing(client):
    total = get(client, f"{JOBS}history/stats/")["total"]
    assert (total["total_runs"], total["success_rate"], total["processing_rate"]) == (0, None, None)


def exported(client, **query):
    answer = client.get(f"{JOBS}history/export/", query)
    assert answer.status_code == 200
    assert answer.streaming
    return answer, b"".join(answer.streaming_content).decode()


def test_the_history_is_exported_as_csv_that_no_spreadsheet_carries_out(client, job, monkeypatch):
    monkeypatch.setattr(research_export, "BATCH", 2)
    ResearchJob.objects.update(name='=HYPERLINK("http://x")')
    ended(job, status="failed", result=None, error_message="@SUM(A1)\r\n=cmd|'/c calc'!A1")
    for _ in range(4):
        ended(job, progress_text='+1 paper, "quoted"')
    answer, text = exported(client, format="csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert len(rows) == 5
    assert {row["job_name"] for row in rows} == {'\'=HYPERLINK("http://x")'}
    assert rows[-1]["error_message"].startswith("'@SUM")
    assert rows[0]["current_step"] == '\'+1 paper, "quoted"'
    assert rows[0]["papers_found"] == "10"
    for row in rows:
        assert not any((value or "").startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())


def test_the_history_is_exported_as_json(client, job, monkeypatch):
    monkeypatch.setattr(research_export, "BATCH", 2)
    runs = [ended(job) for _ in range(5)]
    answer, text = exported(client, format="json", days=3)
    assert answer.headers["Content-Type"] == "application/json"
    assert [row["job_run_id"] for row in json.loads(text)] == [str(run.pk) for run in reversed(runs)]
    assert json.loads(text)[0] == get(client, f"{JOBS}history/runs/", {"limit": 1})[0]
    ResearchJob.objects.all().delete()
    JobRun.objects.all().delete()
    assert json.loads(exported(client, format="json")[1]) == []
    assert "format" in get(client, f"{JOBS}history/export/", {"format": "xlsx"}, 400)["fields"]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1", "'=1"), ("  =1", "'  =1"), ("-1", "'-1"), (-1, -1), (1.5, 1.5), (None, ""), (True, "true"),
        ({"a": "=1"}, '{"a": "=1"}'), ("plain", "plain"), ("\t=1", "'\t=1"), ("a=1", "a=1"),
    ],
)  # fmt: skip
def test_cells_say_what_they_are(value, cell):
    assert research_export.cell(value) == cell


# Who sees what


def test_runs_of_a_group_are_unknown_to_others(client, job):
    run = ended(job)
    JobRun.objects.filter(pk=run.pk).update(owner_group=Group.objects.create(name="Team"))
    outsider = client_with("view_researchjob", "view_harvest", "cancel_run")
    assert get(outsider, f"{JOBS}{job['id']}/runs/") == []
    assert get(outsider, f"{JOBS}history/runs/") == []
    assert get(outsider, f"{JOBS}history/stats/")["total"]["total_runs"] == 0
    assert get(outsider, f"{JOBS}{job['id']}/status/")["latest_run"] is None
    assert json.loads(exported(outsider, format="json")[1]) == []
    get(outsider, f"{JOBS}runs/{run.pk}/", status=404)
    get(outsider, f"{JOBS}tasks/{run.pk}/status/", status=404)
    post(outsider, f"{JOBS}tasks/{run.pk}/cancel/", status=404)


def test_each_action_has_its_own_permission(client, job):
    run, address = ended(job), f"{JOBS}{job['id']}/"
    nobody = client_with()
    for path in (JOBS, address, f"{address}runs/", f"{JOBS}history/export/", f"{JOBS}tasks/{run.pk}/status/"):
        get(nobody, path, status=403)
    viewer = client_with("view_researchjob", "view_harvest")
    get(viewer, f"{address}status/")
    post(viewer, JOBS, {}, 403)
    for method, path in (
        ("put", address), ("patch", address), ("delete", address), ("patch", f"{address}toggle/"),
        ("post", f"{address}trigger/"), ("post", f"{JOBS}test-configuration/"),
        ("post", f"{JOBS}tasks/{run.pk}/cancel/"),
    ):  # fmt: skip
        send(viewer, method, path, status=403)
    post(client_with("run_researchjob"), f"{address}trigger/", {}, 202)
    send(client_with("enable_researchjob"), "patch", f"{address}toggle/")


# Setting up


def test_providers_tell_what_is_used_and_what_is_missing(client):
    told = get(client, f"{JOBS}providers/available/")
    makers = {maker["name"]: maker for maker in told["embedding_providers"]}
    assert (makers["minilm"]["is_used"], makers["minilm"]["is_usable"]) == (True, True)
    assert (makers["openai"]["is_used"], makers["openai"]["is_usable"]) == (False, False)
    assert makers["openai"]["why_not"]
    assert told["vector_db_providers"] == [{"name": "pgvector", "is_used": True, "live_model": ""}]
    assert {"pubmed", "arxiv", "europepmc", "feeds"} <= {one["name"] for one in told["paper_providers"]}


@pytest.mark.django_db(transaction=True)
def test_a_configuration_is_tried_for_real_and_each_check_says_what_it_found(
    client, pubmed, literature, ncbi
):
    Source.objects.create(name="Gone", connector="gone")
    body = {"keywords": ["insulin"], "cron_expression": "0 3 * * *"}
    told = post(client, f"{JOBS}test-configuration/", body)
    found = {check["name"]: check for check in told["checks"]}
    assert told["success"] is False
    assert (found["source PubMed"]["success"], found["source Gone"]["success"]) == (True, False)
    assert "384 numbers" in found["embedding"]["message"]
    assert "pgvector" in found["vector store"]["message"]
    assert "03:00 UTC" in found["timing"]["message"]
    assert (found["worker"]["success"], "knowledge" in found["worker"]["message"]) == (False, True)
    bad = post(
        client, f"{JOBS}test-configuration/", {"keywords": ["x"], "cron_expression": "x", "sources": []}
    )
    found = {check["name"]: check for check in bad["checks"]}
    assert (found["timing"]["success"], found["sources"]["success"]) == (False, False)
    assert "keywords" in post(client, f"{JOBS}test-configuration/", {}, 400)["fields"]


def test_health_is_told_with_what_runs(client, job):
    trigger(client, job)
    told = get(client, f"{JOBS}tasks/health-check/")
    assert told["active_runs"] == 1
    assert {"database", "broker", "workers"} <= {check["name"] for check in told["checks"]}
