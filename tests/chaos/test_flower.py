"""A real Flower shows our runs and workers, and what it does ends in the ledger."""

import pytest

from tests.drills.flower import drill

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos]


def test_flower_shows_our_runs_and_can_revoke_one(world, tmp_path):
    found = drill(world, tmp_path)
    assert len(found.workers) == 1
    assert found.states == found.states_in_ledger
    assert set(found.states.values()) == {"SUCCESS", "FAILURE"}
    assert (found.revoked.status, found.revoked.attempt) == ("cancelled", 0)
    assert found.revoked.reason == "Revoked with Celery's remote control."
