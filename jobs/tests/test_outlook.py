"""Queues played through: who starts when, on which places."""

import random

import pytest

from jobs.outlook import FEWEST, Job, Running, Worker, play

ONE = Worker("one", frozenset({"a", "b"}), 1)
TWO = Worker("two", frozenset({"b"}), 2)


def job(key, queue="a", ready=0.0, seconds=10.0):
    return Job(key, queue, ready, (seconds,))


def ends(courses):
    return {key: course.ends[0] for key, course in courses.items()}


def test_one_place_takes_one_after_the_other():
    assert ends(play([ONE], [], [job(1), job(2), job(3)])) == {1: 10, 2: 20, 3: 30}


def test_more_places_take_more_at_a_time():
    three = Worker("three", frozenset({"a"}), 3)
    assert ends(play([three], [], [job(1), job(2), job(3), job(4)])) == {1: 10, 2: 10, 3: 10, 4: 20}


def test_nothing_starts_before_it_is_ready_and_who_is_ready_first_goes_first():
    courses = play([ONE], [], [job("late", ready=100), job("early", ready=5), job("soon", ready=8)])
    assert ends(courses) == {"early": 15, "soon": 25, "late": 110}
    assert courses["soon"].starts[0] == 15


def test_what_runs_now_keeps_its_place():
    assert ends(play([ONE], [Running("now", "one", (60.0,))], [job(1)])) == {"now": 60, 1: 70}


def test_what_runs_on_a_worker_that_is_gone_keeps_nobody_waiting():
    assert ends(play([ONE], [Running("now", "gone", (60.0,))], [job(1)])) == {"now": 60, 1: 10}


def test_workers_take_from_their_queues_only():
    courses = play([ONE, TWO], [], [job(1, "a"), job(2, "a"), job(3, "b"), job(4, "b"), job(5, "b")])
    assert ends(courses) == {1: 10, 2: 20, 3: 10, 4: 10, 5: 20}


def test_what_no_worker_takes_never_starts():
    assert play([TWO], [], [job(1, "a")]) == {}
    assert play([], [], [job(1, "a")]) == {}
    assert play([Worker("idle", frozenset({"a"}), 0)], [], [job(1, "a")]) == {}


def test_durations_vary_as_they_did():
    draws = random.Random(2)
    history = tuple(draws.uniform(1, 9) for _ in range(50))
    course = play([ONE], [], [Job(1, "a", 0, history)])[1]
    assert set(course.ends) <= set(history)
    assert list(course.ends) == sorted(course.ends)
    assert sum(course.ends) / len(course.ends) == pytest.approx(sum(history) / len(history), rel=0.15)


def test_the_same_question_has_the_same_answer():
    jobs = [Job(number, "a", number, (1.0, 5.0, 9.0)) for number in range(20)]
    assert play([ONE], [], jobs) == play([ONE], [], jobs)


def test_a_little_traffic_jam_agrees_with_queueing_theory():
    """M/D/1: arrivals at random, each served in 1 s, at 80 % load: a mean wait of 2 s (Pollaczek and Khinchine)."""
    draws, now, jobs = random.Random(4), 0.0, []
    for number in range(6000):
        now += draws.expovariate(0.8)
        jobs.append(job(number, ready=now, seconds=1.0))
    courses = play([ONE], [], jobs)
    assert len(courses[0].ends) == max(FEWEST, 100_000 // 6000)
    waits = [courses[one.key].starts[0] - one.ready for one in jobs]
    assert sum(waits) / len(waits) == pytest.approx(2.0, rel=0.2)
