"""The kinds of alerts that the control plane raises itself."""

from datetime import timedelta

from jobs.alerts import pauses, recovery
from jobs.alerts.kinds import Kind, register
from jobs.alerts.names import (
    BROKER_DOWN,
    CANARY_SILENT,
    DATABASE_DOWN,
    NO_WORKER,
    NOTIFICATION_FAILING,
    REPORTED,
    RULE_BROKEN,
    RUN_FAILED,
    RUN_LATE,
    RUN_LOST,
    RUN_TOO_LONG,
    SCHEDULE_PAUSED,
    SCHEDULER_SILENT,
    SLOT_MISSED,
)
from jobs.models import Alert

Severity = Alert.Severity

register(
    Kind(
        name=RUN_FAILED,
        title="Run failed",
        severity=Severity.HIGH,
        help_text="Runs of a job failed for good, all for the same cause: the same error at the same place.",
        runbook="Open the latest run and read its error and log.\n"
        "If the cause is outside, wait for it to pass and retry the failed runs.\n"
        "If the parameters are wrong, retry with other ones and correct the schedule.\n"
        "It resolves itself when every schedule that failed has succeeded again.",
        find_good=recovery.after_success,
    ),
    Kind(
        name=RUN_LOST,
        title="Run lost",
        severity=Severity.HIGH,
        help_text="Workers fell silent or died while they executed a job, and its runs are not made again.",
        runbook="Look at the machine of the worker that the run names: was it out of memory, or restarted?\n"
        "Look at the worker's log around the time.\n"
        "Retry the run if repeating its work does no harm.",
        is_folded=True,
        find_good=recovery.after_success,
    ),
    Kind(
        name=SLOT_MISSED,
        title="Slot missed",
        severity=Severity.MEDIUM,
        help_text="A schedule had slots that were not run: too late to catch up, or no worker took them in time.",
        runbook="Read the reason at the run.\n"
        "Run the schedule now if its work is still wanted.\n"
        "Widen its catch-up window if it should have been caught up.",
        is_folded=True,
        find_good=recovery.after_later_slot,
    ),
    Kind(
        name=RUN_LATE,
        title="Runs start late",
        severity=Severity.MEDIUM,
        help_text="Runs of a job have waited for a worker for longer than they should.",
        runbook="Look at the queue: how many runs wait, and do its workers take them?\n"
        "Start more workers for it, or give urgent jobs a queue of their own.",
        bad_in_a_row=2,
        good_in_a_row=2,
        is_folded=True,
        find_good=recovery.when_unseen,
    ),
    Kind(
        name=RUN_TOO_LONG,
        title="Run takes too long",
        severity=Severity.MEDIUM,
        help_text="A run takes far longer than runs of its job usually do.",
        runbook="Look at the run's log and progress: does it still move?\n"
        "Cancel it if it hangs; its hard time limit ends it in any case.",
        bad_in_a_row=2,
        find_good=recovery.when_unseen,
    ),
    Kind(
        name=NO_WORKER,
        title="No worker",
        severity=Severity.HIGH,
        help_text="Runs wait in a queue that no living worker takes from.",
        runbook="Start a worker with this queue, or look why the one that had it ended.\n"
        "Runs are kept; they start as soon as there is a worker.",
        bad_for=timedelta(seconds=60),
        good_in_a_row=2,
        is_folded=True,
        find_good=recovery.when_unseen,
    ),
    Kind(
        name=CANARY_SILENT,
        title="Queue does not move",
        severity=Severity.HIGH,
        help_text="A worker lives and has a free process, but does not take a message sent to the queue as a test.",
        runbook="Restart the workers of the queue: they may have lost their broker connection without noticing.\n"
        "Runs are kept; they are sent again.",
        is_folded=True,
    ),
    Kind(
        name=SCHEDULER_SILENT,
        title="Scheduler silent",
        severity=Severity.CRITICAL,
        help_text="No scheduler works: no schedule fires, retries wait, lost runs are not found.",
        runbook="Start `celery beat`, or look at its log: why did it end?\n"
        "Slots that pass meanwhile are settled by each schedule's catch-up rule when it is back.",
        bad_for=timedelta(seconds=30),
        reopens_within=timedelta(minutes=5),
        is_outage=True,
    ),
    Kind(
        name=BROKER_DOWN,
        title="Broker down",
        severity=Severity.CRITICAL,
        help_text="The message broker does not answer: no run can start. Slots still become runs, which wait.",
        runbook="Look at the broker (Redis or Valkey): does it run, is its disk or memory full?\n"
        "Nothing is lost: when it is back, every waiting run is sent again.",
        bad_for=timedelta(seconds=15),
        reopens_within=timedelta(minutes=5),
        is_outage=True,
    ),
    Kind(
        name=DATABASE_DOWN,
        title="Database was down",
        severity=Severity.CRITICAL,
        help_text="The database did not answer for a while; noticed afterwards, as alerts are kept in it.",
        runbook="Look at the database's log around the time.\n"
        "Running jobs were kept; slots that passed are settled by each schedule's catch-up rule.",
        reopens_within=timedelta(minutes=5),
        is_outage=True,
    ),
    Kind(
        name=SCHEDULE_PAUSED,
        title="Schedule paused by failures",
        severity=Severity.HIGH,
        help_text="A schedule failed so often in a row that it was paused, as its policy says.",
        runbook="Mend the cause, then resume the schedule: it asks what to do with the slots that passed.",
        find_bad=pauses.look,
        find_good=recovery.when_resumed,
    ),
    Kind(
        name=NOTIFICATION_FAILING,
        title="Notifications fail",
        severity=Severity.HIGH,
        help_text="A channel does not deliver notifications.",
        runbook="Open the channel, read the last answer in its log, correct it, and press its test button.",
    ),
    Kind(
        name=RULE_BROKEN,
        title="Alert rule broken",
        severity=Severity.HIGH,
        help_text="The rule of a kind of alert fails, so nobody sees what it should find, or that it is over.",
        runbook="Read the error in the message; its traceback is in the log of the schedulers.\n"
        "Mend the rule in the app that declares the kind. Until then, look yourself at what it watches.",
    ),
    Kind(
        name=REPORTED,
        title="Reported trouble",
        severity=Severity.MEDIUM,
        help_text="Something that a person or another system reported through the API.",
        runbook="Read the message; ask whoever reported it.",
        quiet_after=timedelta(days=7),
        is_reportable=True,
    ),
)
