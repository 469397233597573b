"""Notifications: people are told of alerts and reports, over channels, by rules.

    jobs.alerts ── AlertEvent ──► routing ── Delivery ──► courier ──► channels
                   (outbox)       rules       (outbox)    claims,     email, webhook,
                                  digests                 retries     slack, inbox
                                  escalation

Everything waits in the database; the courier, a thread in every scheduler and worker, needs no broker.
"""
