"""A proxy that breaks a connection at a chosen point, so that a real server has done its work and nobody hears of it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

#: What can happen to a request; anything else passes it on and brings the whole answer back.
#: `dropped`: it never gets to the server. `cut`: the server has begun to answer, and nothing of that comes back.
#: `deserted`: the connection breaks as soon as the server has the whole request. `half`: half of an answer comes back.
CUTS = ("dropped", "cut", "deserted", "half")
#: No cut: the request arrives without the header Authorization, as from a web server that keeps it to itself.
UNSIGNED = "unsigned"
_PATIENCE = 60.0


class CuttingProxy:
    """Stands before the server at `target`; `meet` is given the first line of each request and names its cut, or nothing.

    It reads one request of each connection, as our client sends them.
    """

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self.meet: Callable[[str], str] = lambda line: ""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut_next(self, *cuts: str, method: str = "POST", path: str = "") -> None:
        """The next requests of the method, with this in their path, meet these one after the other; then all is well."""
        left = list(cuts)
        self.meet = lambda line: (
            left.pop(0) if left and line.startswith(f"{method} ") and path in line else ""
        )

    @contextmanager
    def running(self) -> Iterator["CuttingProxy"]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # it is closed
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        client.settimeout(_PATIENCE)
        with client, suppress(OSError):
            request = _read_request(client)
            cut = self.meet(request.partition(b"\r\n")[0].decode())
            if not request or cut == "dropped":
                return
            with socket.create_connection(("127.0.0.1", self.target), _PATIENCE) as server:
                server.sendall(_closing(request, *([b"authorization"] if cut == UNSIGNED else [])))
                if cut == "deserted":
                    client.shutdown(socket.SHUT_RDWR)
                answer = _read_all(server)  # the server may go on with its work for as long as it likes
            if cut == "half":
                client.sendall(answer[: len(answer) // 2])
            elif cut not in CUTS:
                client.sendall(answer)


def _read_request(client: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        if not (piece := client.recv(65536)):
            return b""
        found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        if not (piece := client.recv(65536)):
            return b""
        body += piece
    return head + b"\r\n\r\n" + body


def _closing(request: bytes, *without: bytes) -> bytes:
    """With a header that makes the server end the connection after its answer, and without these."""
    head, _, body = request.partition(b"\r\n\r\n")
    gone = {b"connection", *without}
    kept = [line for line in head.split(b"\r\n") if line.partition(b":")[0].lower() not in gone]
    return b"\r\n".join([*kept, b"Connection: close"]) + b"\r\n\r\n" + body


def _read_all(server: socket.socket) -> bytes:
    pieces = []
    while piece := server.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)
