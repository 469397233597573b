"""Sending one thing now, as the body of a run: its outcome is the run's."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import nh3

from jobs.context import ActiveRun
from jobs.errors import PermanentError
from jobs.models import NotificationChannel
from jobs.notifications import channels, mail
from jobs.notifications.channels import Answer
from jobs.notifications.channels.webhook import WebhookSettings, signed_headers
from jobs.notifications.errors import NotNow, Refused
from jobs.notifications.posting import encode, post

#: Makes each recipient's `Message-ID` from the run's id: equal for every attempt.
_NAMESPACE = uuid.UUID("6f1f7a0e-4a52-5c0b-9a44-9f5b3f0f6c11")


def send_email(
    run: ActiveRun, *, to: Sequence[str], subject: str, text: str, html: str = ""
) -> dict[str, Any]:
    """Send one email to each address.

    Returns what the server said to each. Raises NotNow when it takes nothing at the moment, for the run to be made
    again; those who got theirs in an earlier attempt may get it twice, under the same `Message-ID`.
    """
    answers: dict[str, str] = {}
    for address in run.track(list(dict.fromkeys(to)), "Sending"):
        message_id = uuid.uuid5(_NAMESPACE, f"{run.id} {address}")
        try:
            answer = mail.send(
                id=message_id, to=address, subject=subject, text=text, html=nh3.clean(html) if html else ""
            )
        except NotNow:
            if not answers:
                raise
            run.unit_failed(address, "The mail server took no more emails; it took those before.")
        except Refused as error:
            run.unit_failed(address, str(error))
        else:
            answers[address] = _words(answer)
            run.unit_succeeded()
    return {"answers": answers}


def send_webhook(
    run: ActiveRun, *, payload: Mapping[str, Any], url: str | None, channel: str | None
) -> dict[str, Any]:
    """Post once. Returns the answer; raises NotNow or Refused, and PermanentError for a wrong choice of where."""
    if bool(url) == bool(channel):
        raise PermanentError("Give either an address (url) or the name of a webhook channel.")
    body = encode(payload)
    if channel:
        settings = _webhook_settings(channel)
        key, authorization = (
            settings.key.get_secret_value(),
            settings.authorization.get_secret_value(),
        )
        headers = signed_headers(key, str(run.id), body)
        headers |= {"authorization": authorization} if authorization else {}
        answer = post(settings.url, body, headers, hidden=[key, authorization])
    else:
        answer = post(url or "", body, {"webhook-id": str(run.id)})
    return {"status": answer.status, "answer": answer.text, **answer.request}


def _webhook_settings(name: str) -> WebhookSettings:
    channel = NotificationChannel.objects.filter(name=name, kind="webhook").first()
    if channel is None:
        raise PermanentError(f"There is no webhook channel named {name!r}.")
    if not channel.is_enabled:
        raise PermanentError(f"The channel {name!r} is disabled. {channel.disabled_reason}".strip())
    settings = channels.read_settings(channel)
    if not isinstance(settings, WebhookSettings):
        raise PermanentError(f"The channel {name!r} is no webhook.")
    return settings


def _words(answer: Answer) -> str:
    return " ".join(part for part in (str(answer.status or ""), answer.text) if part)
