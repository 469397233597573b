"""A mail server in a process of its own: it keeps what it gets as files, and refuses by the recipient's name.

550@example.org    no such mailbox           451@example.org    not now
552@example.org    the message is too large  421@example.org    hangs up
slow@example.org   takes five seconds
"""

import argparse
import asyncio
import json
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

_AT_RCPT = {
    "550": "550 5.1.1 No such mailbox",
    "451": "451 4.7.1 Try again later",
    "421": "421 4.3.2 Shutting down",
}
SLOW_SECONDS = 5


@dataclass(frozen=True)
class Mailbox:
    """A running server, from outside."""

    port: int
    folder: Path
    process: "subprocess.Popen[str]"

    def messages(self) -> list[EmailMessage]:
        """What came, in order."""
        return [_read(path) for path in sorted(self.folder.glob("*.eml"))]

    def recipients(self) -> list[list[str]]:
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))]

    def clear(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()


def _read(path: Path) -> EmailMessage:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@contextmanager
def mail_server(folder: Path, *options: str) -> Iterator[Mailbox]:
    """A server on a free port while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.smtp_server", str(folder), *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Mailbox(int(process.stdout.readline()), folder, process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Keep:
    """Keeps messages, and refuses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        name = address.partition("@")[0]
        if name in _AT_RCPT:
            return _AT_RCPT[name]
        if name == "slow":
            (self._folder / "slow.begun").touch()
            await asyncio.sleep(SLOW_SECONDS)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if any(address.startswith("552@") for address in envelope.rcpt_tos):
            return "552 5.3.4 Message too large"
        name = f"{time.time_ns()}-{uuid.uuid4().hex[:6]}"
        assert isinstance(envelope.content, bytes)
        (self._folder / f"{name}.eml").write_bytes(envelope.content)
        (self._folder / f"{name}.json").write_text(json.dumps(envelope.rcpt_tos))
        return f"250 2.0.0 Queued as {name[-6:]}"


def _may_enter(
    password: str, server: SMTP, session: Session, envelope: Envelope, how: str, given: Any
) -> AuthResult:
    is_right = isinstance(given, LoginPassword) and given.password == password.encode()
    return AuthResult(success=is_right, handled=False)


async def serve(folder: Path, password: str, certificate: str, key: str) -> None:
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)

    def connection() -> SMTP:
        return SMTP(
            Keep(folder),
            hostname="mail.test",
            tls_context=context,
            auth_required=bool(password),
            auth_require_tls=False,
            authenticator=lambda *given: _may_enter(password, *given),
        )

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--password", default="")
    parser.add_argument("--certificate", default="")
    parser.add_argument("--key", default="")
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.folder, chosen.password, chosen.certificate, chosen.key))
