"""Polling sources: politely, without losing or repeating an item.

`poll_due(run)` polls everything that is due, `poll_source(run, id)` one source now, `preview(id)` looks without storing.
"""

from publishing.polling.poll import Preview, poll_source, preview
from publishing.polling.record import PollResult
from publishing.polling.round import RoundResult, poll_due

__all__ = ["PollResult", "Preview", "RoundResult", "poll_due", "poll_source", "preview"]
