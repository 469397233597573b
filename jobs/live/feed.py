"""One reader of the event log for all streams of this process, and the streams' ends of it.

Everything here runs on the event loop's thread, except `_read` and `_measure`, which ask the database each in a thread
of its own.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import Error, InterfaceError, OperationalError, connection, transaction

from jobs.live import log, pulse
from jobs.live.log import Cursor
from jobs.live.telling import Message, Teller
from jobs.live.wishes import Wish

logger = logging.getLogger(__name__)

#: Seconds between two looks at the event log, and between two messages of the system's figures.
LOOK_EVERY = 0.1
MEASURE_EVERY = 3.0
#: Seconds between two tries while the database does not answer.
PATIENCE = 1.0
#: A stream that has so many bytes still to send is too slow: it is dropped, and its client may come back.
MOST_WAITING = 512 * 1024


#: A moment that no log remembers.
_LOST = Cursor("00000000", datetime.fromtimestamp(0, UTC), "1:1:")


@dataclass(eq=False)
class Subscription:
    """One stream's end: what it wants, and what waits to be sent to it."""

    wish: Wish
    #: Called when the stream is too slow.
    drop: Callable[[], object]
    #: Where the stream stands: the id that its client comes back with.
    cursor: Cursor | None = None
    _waiting: deque[bytes] = field(default_factory=deque)
    _size: int = 0
    _has_some: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > MOST_WAITING:
            self.drop()
            return
        self._waiting.append(chunk)
        self._has_some.set()

    async def get(self, timeout: float) -> bytes:
        """Everything that waits; nothing after `timeout` seconds without any."""
        try:
            async with asyncio.timeout(timeout):
                await self._has_some.wait()
        except TimeoutError:
            return b""
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._has_some.clear()
        return chunk

    def sign_of_life(self) -> bytes:
        """A comment, with the id that has grown although nothing came that is wanted here."""
        return f": \nid: {self.cursor}\n\n".encode() if self.cursor else b": \n\n"


@dataclass(frozen=True)
class _Read:
    """What one look at the log found: for those who listen, and for each who joins."""

    cursor: Cursor
    messages: Sequence[Message] | None
    missed: Sequence[Sequence[Message] | None]


class Feed:
    """The streams of this process."""

    def __init__(self) -> None:
        self._listening: set[Subscription] = set()
        self._joining: list[tuple[Subscription, Cursor | None]] = []
        self._cursor: Cursor | None = None
        self._somebody_joins = asyncio.Event()
        self._teller = Teller()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="events")
        self._measurer = ThreadPoolExecutor(1, thread_name_prefix="figures")
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return len(self._listening) + len(self._joining)

    def join(self, subscription: Subscription, after: Cursor | None) -> None:
        """Begin to fill the subscription, with what it missed since `after` first."""
        self._joining.append((subscription, after))
        self._somebody_joins.set()
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._look()), asyncio.create_task(self._take_pulse())]

    def leave(self, subscription: Subscription) -> None:
        self._listening.discard(subscription)
        self._joining = [(other, after) for other, after in self._joining if other is not subscription]

    async def close(self) -> None:
        """End the reader's work and give its connections up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for executor in (self._reader, self._measurer):
            executor.submit(connection.close)
            executor.shutdown()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._until_due()
            joining, self._joining = self._joining, []
            wishes = {subscription.wish for subscription in self._listening}
            try:
                found = await loop.run_in_executor(self._reader, self._read, wishes, joining)
            except (OperationalError, InterfaceError) as error:
                logger.warning("Live events wait for the database: %s", error)
                self._joining[:0] = joining
                await asyncio.sleep(PATIENCE)
            except Exception:  # a dead reader would leave every stream silent
                logger.exception("Reading the event log failed; it goes on.")
                self._start_anew(joining)
                await asyncio.sleep(PATIENCE)
            else:
                self._hand_out(found, joining)

    def _start_anew(self, joining: Sequence[tuple[Subscription, Cursor | None]]) -> None:
        """Skip what could not be read: every reader is told to look at everything anew."""
        self._joining[:0] = [(one, _LOST) for one in (*self._listening, *(one for one, _ in joining))]
        self._listening.clear()
        self._cursor = None

    async def _until_due(self) -> None:
        """Wait for the next look, and without any stream for the first to join."""
        if not self._listening and not self._joining:
            self._cursor = None
            await self._somebody_joins.wait()
        else:
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._somebody_joins.wait()
            except TimeoutError:
                pass
        self._somebody_joins.clear()

    def _read(self, wishes: set[Wish], joining: Sequence[tuple[Subscription, Cursor | None]]) -> _Read:
        """All news in one transaction with one snapshot, so that joining leaves no gap and repeats nothing."""
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                here = log.now()
                messages: Sequence[Message] | None = []
                if self._cursor is not None:
                    messages, here = self._news(self._cursor, wishes)
                missed = [
                    [] if after is None else self._news(after, {subscription.wish})[0]
                    for subscription, after in joining
                ]
            return _Read(here, messages, missed)
        except Error:
            connection.close()
            raise

    def _news(self, after: Cursor, wishes: set[Wish]) -> tuple[Sequence[Message] | None, Cursor]:
        news = log.since(after)
        return None if news.is_broken else self._teller.tell(news.events, wishes), news.cursor

    def _hand_out(self, found: _Read, joining: Sequence[tuple[Subscription, Cursor | None]]) -> None:
        self._cursor = found.cursor
        chunks: dict[Wish, bytes] = {}
        for subscription in list(self._listening):
            subscription.cursor = found.cursor
            if subscription.wish not in chunks:
                chunks[subscription.wish] = _chunk(found.messages, subscription.wish, found.cursor)
            if chunk := chunks[subscription.wish]:
                subscription.put(chunk)
        for (subscription, _), messages in zip(joining, found.missed, strict=True):
            subscription.cursor = found.cursor
            subscription.put(b"retry: 2000\n" + _frame("ready", "{}", found.cursor))
            if chunk := _chunk(messages, subscription.wish, found.cursor):
                subscription.put(chunk)
            self._listening.add(subscription)

    async def _take_pulse(self) -> None:
        loop = asyncio.get_running_loop()
        watch = pulse.Watch()
        while True:
            await asyncio.sleep(MEASURE_EVERY)
            wanting = [one for one in self._listening if one.wish.kinds & {"system", "worker"}]
            if not wanting:
                continue
            try:
                messages = await loop.run_in_executor(self._measurer, watch.measure)
            except (OperationalError, InterfaceError) as error:
                logger.warning("The figures wait for the database: %s", error)
                continue
            except Exception:
                logger.exception("The figures could not be read; the next ones may.")
                continue
            for subscription in wanting:
                wish = subscription.wish
                if chunk := b"".join(one.text for one in messages if one.is_for(wish)):
                    subscription.put(chunk)


def _chunk(messages: Sequence[Message] | None, wish: Wish, cursor: Cursor) -> bytes:
    """The messages that the wish includes, the last one with the id; none: the log is broken, and that is said."""
    if messages is None:
        return _frame("reset", '{"reason":"Events were missed: look at everything anew."}', cursor)
    wanted = [one.text for one in messages if one.is_for(wish)]
    if not wanted:
        return b""
    if sum(map(len, wanted)) > MOST_WAITING / 2:
        return _chunk(None, wish, cursor)
    # Who loses the connection amid a chunk gets all of it again: that is better than the rest never.
    return b"".join([*wanted[:-1], f"id: {cursor}\n".encode(), wanted[-1]])


def _frame(kind: str, data: str, cursor: Cursor) -> bytes:
    return f"id: {cursor}\nevent: {kind}\ndata: {data}\n\n".encode()
