"""One email to one recipient over SMTP, by the `EMAIL_*` settings, and what the server said to it."""

import smtplib
import ssl
import uuid
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

from jobs.notifications.channels.base import Answer
from jobs.notifications.errors import ChannelRefused, NotNow, RecipientRefused, Refused
from jobs.storable import clean_text

_KEPT = 500
_HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


class _Recording(smtplib.SMTP):
    """Remembers the answer to the message itself, which smtplib throws away."""

    answer: tuple[int, bytes] = (0, b"")

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.answer = super().data(msg)
        return self.answer


class _RecordingTLS(_Recording, smtplib.SMTP_SSL):
    pass


class _Backend(EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _RecordingTLS if self.use_ssl else _Recording


def send(
    *,
    id: uuid.UUID,
    to: str,
    subject: str,
    text: str,
    html: str = "",
    headers: dict[str, str] | None = None,
) -> Answer:
    """Send it; the answer is the server's to the message.

    The `Message-ID` is made of `id`, so that a mail server or reader can tell a repetition. Raises NotNow, Refused,
    RecipientRefused, and ChannelRefused when no email at all can be sent like this.
    """
    if not settings.EMAIL_HOST:
        raise ChannelRefused("No email can be sent: EMAIL_HOST is not set.")
    email = EmailMultiAlternatives(
        subject=" ".join(subject.split())[:300],
        body=text,
        to=[to],
        headers={**_HEADERS, "Message-ID": f"<{id}@{_domain()}>", **(headers or {})},
    )
    if html:
        email.attach_alternative(html, "text/html")
    request = {"method": "SMTP", "to": to, "server": f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"}
    backend = _Backend()
    try:
        backend.open()
        backend.send_messages([email])
        code, said = getattr(backend.connection, "answer", (0, b""))
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise _meaning(error, to, request) from error
    finally:
        backend.close()
    return Answer(status=code or None, text=_words(said), request=request)


def _domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def _meaning(error: Exception, to: str, request: dict[str, Any]) -> NotNow | Refused:
    """What a failure of SMTP means for the message, the recipient and the channel."""
    server = request["server"]
    said: bytes | str
    match error:
        case smtplib.SMTPRecipientsRefused():
            code, said = error.recipients.get(to) or next(iter(error.recipients.values()))
            kind: type[Refused] = RecipientRefused
            sentence = f"{server} refused {to}: {code} {_words(said)}"
        case smtplib.SMTPAuthenticationError():
            code, said = error.smtp_code, error.smtp_error
            kind, sentence = ChannelRefused, f"{server} refused our name or password: {code} {_words(said)}"
        case smtplib.SMTPSenderRefused():
            code, said = error.smtp_code, error.smtp_error
            kind, sentence = ChannelRefused, f"{server} refused our address: {code} {_words(said)}"
        case smtplib.SMTPDataError():
            code, said = error.smtp_code, error.smtp_error
            kind, sentence = Refused, f"{server} refused the message: {code} {_words(said)}"
        case ssl.SSLCertVerificationError():
            return ChannelRefused(
                f"The certificate of {server} cannot be trusted: {error.verify_message}.", request=request
            )
        case smtplib.SMTPNotSupportedError():
            return ChannelRefused(f"{server} does not offer what EMAIL_* asks for: {error}", request=request)
        case smtplib.SMTPResponseException():
            code, said = error.smtp_code, error.smtp_error
            kind, sentence = Refused, f"{server} answered {code} {_words(said)}"
        case ValueError():
            return RecipientRefused(f"No email can be made for {to}: {error}", request=request)
        case _:
            return NotNow(
                f"{server} could not be asked: {str(error) or type(error).__name__}", request=request
            )
    if 500 <= code < 600:
        return kind(sentence, status=code, request=request)
    return NotNow(sentence, status=code if code > 0 else None, request=request)


def _words(said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return clean_text(" ".join(text.split()))[:_KEPT]
