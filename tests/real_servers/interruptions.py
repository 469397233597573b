"""A proxy between us and a real server that interrupts single requests."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import SHUT_RDWR, create_connection

#: `dropped`: the server never sees it. `cut`: it is carried out, and nobody hears. `half`: half of the answer arrives.
#: `unsigned`: it arrives without the header Authorization, as from a web server that keeps it to itself.
INTERRUPTIONS = ("dropped", "cut", "half", "unsigned")


class InterruptingProxy:
    """`fault` is given the first line of a request, such as “POST /a HTTP/1.1”, and says how it is interrupted, if at all."""

    def __init__(self, port: int) -> None:
        self.fault: Callable[[str], str] = lambda line: ""
        self._port = port
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["InterruptingProxy"]:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        yield self
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                lines = self._head()
                if not lines:
                    return
                fault = proxy.fault(lines[0].decode().strip())
                if fault == "dropped":
                    self.request.shutdown(SHUT_RDWR)
                    return
                named = {line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in lines}
                body = self.rfile.read(int(named.get(b"content-length", 0)))
                gone = {b"connection", b"authorization"} if fault == "unsigned" else {b"connection"}
                kept = [line for line in lines if line.partition(b":")[0].lower() not in gone]
                answer = self._ask(b"".join([*kept, b"Connection: close\r\n\r\n", body]))
                shares = {"cut": 0, "half": len(answer) // 2}
                self.wfile.write(answer[: shares.get(fault, len(answer))])
                self.request.shutdown(SHUT_RDWR)

            def _head(self) -> list[bytes]:
                """The lines before the empty one; none when the connection is only closed."""
                lines: list[bytes] = []
                while (line := self.rfile.readline()) not in {b"", b"\r\n"}:
                    lines.append(line)
                return lines

            def _ask(self, request: bytes) -> bytes:
                """All of the server's answer: when it is here, the request has been carried out."""
                with create_connection(("127.0.0.1", proxy._port), timeout=60) as connection:
                    connection.sendall(request)
                    return b"".join(iter(lambda: connection.recv(65536), b""))

        return Handler
