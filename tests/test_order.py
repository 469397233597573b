from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests import order


def item(kind: str, number: int) -> Any:
    fixtures = {"waiting": [], "rolling back": ["db"], "committing": ["transactional_db"]}[kind]
    path = Path(order.PROCESSES) / "chaos" / "test_x.py"
    return SimpleNamespace(
        name=f"{kind} {number}", path=path, fixturenames=fixtures, get_closest_marker=lambda name: None
    )


@given(
    kinds=st.lists(st.sampled_from(["waiting", "rolling back", "committing"]), max_size=40),
    workers=st.integers(1, 9),
)
def test_no_test_is_lost_or_repeated_however_few_there_are(kinds, workers):
    items = [item(kind, number) for number, kind in enumerate(kinds)]
    names = [one.name for one in order.spread(items, workers)]
    assert Counter(names) == Counter(one.name for one in items)
