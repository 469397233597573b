"""A web server of feeds for `benchmarks.feeds`: plain asyncio, a fixed time to each answer, nothing else.

    python -m benchmarks.feed_server PORT SECONDS

`/same/…` answers 304 to who knows its ETag; `/changed/…` has two new entries at every request; `/error/404/…`
answers with that status. It listens on all loopback addresses, so that each can be a host of its own.
"""

import asyncio
import itertools
import sys

from benchmarks.feed_documents import ENTRIES, corpus

SHAPES = 50
#: In the documents: where what is new at each request goes.
_NEW = b"@new@"


class Feeds(asyncio.Protocol):
    seconds = 0.0
    documents: list[bytes] = []
    counter = itertools.count(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._got = b""

    def data_received(self, data: bytes) -> None:
        self._got += data
        while b"\r\n\r\n" in self._got:
            head, _, self._got = self._got.partition(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(self.seconds, self._transport.write, self._answer(head))

    def _answer(self, head: bytes) -> bytes:
        _, kind, rest = head.split(b" ", 2)[1].split(b"/", 2)
        if kind == b"error":
            status = rest.split(b"/")[0]
            return b"HTTP/1.1 " + status + b" No\r\nContent-Length: 0\r\n\r\n"
        if kind == b"same" and b"if-none-match" in head.lower():
            return b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nCache-Control: max-age=60\r\n\r\n'
        number = next(self.counter)
        body = self.documents[int(rest) % SHAPES].replace(_NEW, b"%d-" % number)
        start = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml; charset=utf-8\r\nETag: "
        tag = b'"1"' if kind == b"same" else b'"%d"' % number
        return start + tag + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def serve(port: int, seconds: float) -> None:
    Feeds.seconds = seconds
    Feeds.documents = corpus(SHAPES, entries=ENTRIES, new=_NEW.decode())
    server = await asyncio.get_running_loop().create_server(Feeds, "0.0.0.0", port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
