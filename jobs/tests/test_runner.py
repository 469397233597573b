import pytest

from jobs import ledger
from jobs.models import JobRun
from tests.jobs_for_tests import tasks


@pytest.mark.django_db(transaction=True)
def test_a_run_is_claimed_once_however_often_its_message_arrives():
    run = tasks.add_numbers.enqueue(left=1)
    assert ledger.claim(run.id, worker="a", pid=1) is not None
    assert ledger.claim(run.id, worker="b", pid=2) is None
    assert ledger.finish(run.id, 1, ledger.Outcome(status=JobRun.Status.SUCCEEDED, result=3, progress=100))
    assert not ledger.finish(run.id, 1, ledger.Outcome(status=JobRun.Status.FAILED))
