"""Remote-control commands of our own. Workers import this module at their start (`CELERY_IMPORTS`)."""

from typing import Any

import psutil
from celery.worker import state as held
from celery.worker.control import (  # type: ignore[attr-defined]  # the stubs lack the last
    control_command,
    inspect_command,
    time_limit,
)
from celery.worker.request import Request

#: Ids of revoked tasks that are told; a worker remembers many more.
_REVOKED = 100


@inspect_command(name="almanac_report")
def report(state: Any, **kwargs: Any) -> dict[str, Any]:
    """Everything about this worker in one answer, so that a page needs one question and not eight.

    It never tells arguments: they may be secret, and whoever may see a run finds them on its page.
    """
    consumer = state.consumer
    worker = consumer.controller
    stats = worker.stats()
    scaler = worker.autoscaler
    running = list(held.active_requests)
    return {
        "pid": stats["pid"],
        "uptime": stats["uptime"],
        "processed": dict(stats["total"]),
        "pool": _pool(worker),
        "prefetch": consumer.qos.value if consumer.qos else 0,
        "memory": _memory(),
        "autoscale": [scaler.min_concurrency, scaler.max_concurrency] if scaler else None,
        "can_restart": bool(state.app.conf.worker_pool_restarts),
        "queues": sorted(queue.name for queue in consumer.task_consumer.queues)
        if consumer.task_consumer
        else [],
        "active": [_task(request) for request in running],
        "reserved": [_task(request) for request in held.reserved_requests if request not in running],
        "scheduled": [_task(request) for request in _with_eta(consumer.timer)],
        "revoked": list(held.revoked)[-_REVOKED:],
        "tasks": {
            name: _limits(task) for name, task in state.app.tasks.items() if not name.startswith("celery.")
        },
    }


@control_command(name="almanac_limit_time")
def limit_time(state: Any, task_name: str, soft: float | None, hard: float | None, **kwargs: Any) -> Any:
    """Celery's own command of the kind changes the task only, and messages are still treated by the former limits."""
    answer = time_limit(state, task_name=task_name, soft=soft, hard=hard)
    state.consumer.update_strategies()
    return answer


def _pool(worker: Any) -> dict[str, Any]:
    processes = getattr(getattr(worker.pool, "_pool", None), "_pool", [])
    return {
        "kind": type(worker.pool).__module__.rpartition(".")[2],
        "processes": [process.pid for process in processes],
        "size": worker.pool.num_processes,
    }


def _memory() -> list[int]:
    """Bytes in RAM: of the main process, and of all its children together (what they share counts for each)."""
    this = psutil.Process()
    children = 0
    for child in this.children(recursive=True):
        try:
            children += child.memory_info().rss
        except psutil.NoSuchProcess:  # it ended just now
            continue
    return [this.memory_info().rss, children]


def _task(request: Any) -> dict[str, Any]:
    return {
        "id": request.id,
        "name": request.name,
        "started_at": request.time_start,
        "pid": request.worker_pid,
        "eta": request.eta.isoformat() if request.eta else None,
    }


def _with_eta(timer: Any) -> list[Any]:
    entries = [waiting.entry.args for waiting in timer.schedule.queue]
    return [args[0] for args in entries if args and isinstance(args[0], Request)]


def _limits(task: Any) -> list[Any]:
    return [task.rate_limit, task.soft_time_limit, task.time_limit]
