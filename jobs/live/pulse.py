"""The system's figures for those who watch: queues, schedulers, and workers that fell silent."""

from django.db import Error, connection
from django.utils import timezone

from jobs import heartbeats, queues
from jobs.live.telling import Message, message
from jobs.models import ProcessHeartbeat

Kind = ProcessHeartbeat.Kind


class Watch:
    """Looks at the system every few seconds and remembers who was alive. Belongs to one thread."""

    def __init__(self) -> None:
        self._alive: dict[str, ProcessHeartbeat] = {}

    def measure(self) -> list[Message]:
        """One message with the figures, and one for each process that died without a word."""
        try:
            return [self._figures(), *self._silent()]
        except Error:
            connection.close()
            raise

    def _figures(self) -> Message:
        now = timezone.now()
        beats = heartbeats.alive(Kind.BEAT, now)
        workers = heartbeats.alive(Kind.WORKER, now)
        self._dead = [
            process
            for name, process in self._alive.items()
            if name not in {alive.name for alive in (*beats, *workers)}
        ]
        self._alive = {process.name: process for process in (*beats, *workers)}
        lags = [float(beat.info.get("lag_seconds", 0)) for beat in beats]
        return message(
            "system",
            {
                "at": now.isoformat(),
                "workers": len(workers),
                "slots": sum(worker.info.get("concurrency") or 0 for worker in workers),
                "schedulers": len(beats),
                "lag_seconds": min(lags) if lags else None,
                "tick_seconds": max(
                    (float(beat.info.get("tick_seconds", 0)) for beat in beats), default=None
                ),
                "queues": [
                    {
                        "name": queue.name,
                        "depth": queue.depth,
                        "waiting": queue.waiting,
                        "retrying": queue.retrying,
                        "running": queue.running,
                        "consumers": queue.consumers,
                    }
                    for queue in queues.overview()
                ],
            },
        )

    def _silent(self) -> list[Message]:
        """Those whose row is still there, and old: who said goodbye was told of by the event log."""
        names = [process.name for process in self._dead]
        rows = ProcessHeartbeat.objects.filter(name__in=names) if names else []
        return [
            message(
                "worker",
                {
                    "name": row.name,
                    "at": timezone.now().isoformat(),
                    "kind": row.kind,
                    "state": "silent",
                    "pid": row.pid,
                    "started_at": row.started_at.isoformat(),
                    "seen_at": row.seen_at.isoformat(),
                    "info": row.info,
                },
            )
            for row in rows
        ]
