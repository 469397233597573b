"""The word index with several at work: nothing is lost, nothing is found twice, whoever is killed."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from django.db import DatabaseError, connection, connections, transaction

from knowledge.models import Paper, Part, SparsePosting, SparseSegment
from knowledge.search import sparse

pytestmark = pytest.mark.django_db(transaction=True)


def parts_of(texts: list[str]) -> list[Part]:
    papers = Paper.objects.bulk_create(Paper(title="") for _ in texts)
    return Part.objects.bulk_create(
        Part(paper=paper, text=text, text_hash="-") for paper, text in zip(papers, texts, strict=True)
    )


def together(*tasks: Callable[[], None]) -> None:
    """Each in a thread with a connection of its own; the first error of any is raised."""

    def run(task: Callable[[], None]) -> None:
        try:
            task()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for running in [pool.submit(run, task) for task in tasks]:
            running.result(60)


def found(query: str) -> list[int]:
    return sorted(sparse.rank(query).top(10_000)[0].tolist())


def test_workers_that_add_at_the_same_time_lose_nothing_and_searches_see_whole_segments():
    parts = parts_of([f"fever number{number}" for number in range(120)])
    seen: list[int] = []
    done = threading.Event()

    def add(some: list[Part]) -> None:
        for part in some:
            sparse.add([part])

    def look() -> None:
        while not done.is_set():
            ids = found("fever")
            assert len(set(ids)) == len(ids)
            # What was found once is never lost while segments are merged.
            assert len(ids) >= (seen[-1] if seen else 0)
            seen.append(len(ids))

    def work() -> None:
        try:
            together(lambda: add(parts[:60]), lambda: add(parts[60:]))
        finally:
            done.set()

    together(work, look)
    sparse.merge()
    assert found("fever") == sorted(part.pk for part in parts)
    assert found("number77") == [parts[77].pk]
    assert SparseSegment.objects.count() < 3 * sparse.FANOUT
    assert seen


def test_a_worker_that_is_killed_while_it_adds_leaves_nothing_behind():
    kept = parts_of(["fever", "heart"])
    sparse.add(kept)
    lost = parts_of(["fever and ague"] * 8)

    def be_killed() -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            for part in lost:  # the eighth merges, and holds the lock of mergers
                sparse.add([part])
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    together(be_killed)
    assert found("fever") == [kept[0].pk]
    assert SparseSegment.objects.count() == 1
    assert set(SparsePosting.objects.values_list("term", flat=True)) == {"fever", "heart"}
    # The next one can add and merge.
    for part in lost:
        sparse.add([part])
    sparse.rebuild()
    assert SparseSegment.objects.count() == 1
    assert len(found("fever")) == 9


def test_one_who_adds_does_not_wait_for_one_who_merges():
    parts = parts_of(["fever"] * 16)
    merging, added = threading.Event(), threading.Event()

    def merge() -> None:
        with transaction.atomic():
            for part in parts[:8]:
                sparse.add([part])
            merging.set()
            assert added.wait(30)

    def add() -> None:
        assert merging.wait(30)
        for part in parts[8:]:
            sparse.add([part])
        added.set()

    together(merge, add)
    assert found("fever") == [part.pk for part in parts]
    scores = sparse.rank("fever").of(np.array([part.pk for part in parts]))
    assert len(set(scores.tolist())) == 1
