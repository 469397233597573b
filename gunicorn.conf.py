"""What every gunicorn process of ours shares; gunicorn reads this file by itself."""

import socket

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

logger_class = "config.gunicorn_logs.GunicornLogger"
# Web and live processes, and those of another checkout, would all want the one socket below the home folder.
control_socket_disable = True

#: A connection whose client takes nothing for so long (milliseconds) is broken, also one that we have closed and that
#: still has bytes to deliver.
UNREAD_FOR = 30_000


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Let the kernel break connections that nobody reads; they inherit it from the sockets that listen (Linux only)."""
    for listener in worker.sockets:
        if hasattr(socket, "TCP_USER_TIMEOUT") and listener.sock.family != socket.AF_UNIX:
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_FOR)
