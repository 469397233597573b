"""The table of Temporal's scenarios names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_table_names_exists() -> None:
    table = (ROOT / "docs/temporal-scenarios.md").read_text()
    named = set(re.findall(r"\btest_[a-z0-9_]+\b(?!\.py)", table)) | set(
        re.findall(r"\b(Test[A-Z]\w+)", table)
    )
    sources = "".join(
        path.read_text() for folder in ("jobs/tests", "tests") for path in (ROOT / folder).rglob("test_*.py")
    )
    assert len(named) > 40
    assert [name for name in sorted(named) if not re.search(rf"(def|class) {name}\b", sources)] == []
