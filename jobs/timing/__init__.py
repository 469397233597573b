"""When schedules run: pure values with one contract, `Timing.next_after`. See each module for its rules."""

from jobs.timing.base import Clocked, Timing, Windowed
from jobs.timing.cronfields import CronFields, parse_cron
from jobs.timing.crontab import Crontab, zone_of
from jobs.timing.errors import InvalidTiming
from jobs.timing.interval import Every, Interval, parse_interval
from jobs.timing.preview import DstWarning, Slot, dst_warnings, preview
from jobs.timing.rows import RELATED, timing_of
from jobs.timing.solar import Solar
from jobs.timing.words import describe

__all__ = [
    "RELATED",
    "Clocked",
    "CronFields",
    "Crontab",
    "DstWarning",
    "Every",
    "Interval",
    "InvalidTiming",
    "Slot",
    "Solar",
    "Timing",
    "Windowed",
    "describe",
    "dst_warnings",
    "parse_cron",
    "parse_interval",
    "preview",
    "timing_of",
    "zone_of",
]
