"""The embedded Valkey: the broker that carries Celery's messages."""

import signal
import socket
from pathlib import Path

from config.embedded.account import Programs
from config.embedded.server import Server

#: Room for one database number for each parallel test worker.
DATABASES = 64


class Broker(Server):
    title = "Valkey"
    program_name = "valkey-server"
    endings = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))

    @property
    def folder(self) -> Path:
        return self.places.home / "broker"

    @property
    def socket(self) -> Path:
        return self.places.broker_socket

    def command(self, programs: Programs) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "databases": str(DATABASES),
            "maxmemory-policy": "noeviction",
            "save": "",
            "appendonly": "yes",  # messages outlive the server
            "appendfsync": "everysec" if self.durable else "no",
            "loglevel": "warning",
            "daemonize": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [str(programs.valkey), *options]

    def problem(self) -> str | None:
        try:
            answer = self.ask("PING")
        except OSError as error:
            return error.strerror or str(error)
        return None if answer == "+PONG" else f"it answers {answer!r}"

    def ask(self, command: str) -> str:
        """The first line of the server's answer to one plain command; OSError when there is none."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2.0)
            connection.connect(str(self.socket))
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(1024).decode(errors="replace").partition("\r\n")[0]
