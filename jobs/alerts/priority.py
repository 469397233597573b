"""Which alert to look at first.

priority = severity + repetition + reach + unrest, at most 100, with

- severity: critical 70, high 50, medium 30, low 10
- repetition: 5 for each power of ten of the count, at most 15 (seen 10 times: 5, 100 times: 10)
- reach: 10 for an outage of a part on which everything depends
- unrest: 5 while it is flapping
"""

import math

from jobs.models import Alert

_SEVERITY = {
    Alert.Severity.CRITICAL: 70,
    Alert.Severity.HIGH: 50,
    Alert.Severity.MEDIUM: 30,
    Alert.Severity.LOW: 10,
}


def priority(severity: str, *, count: int, is_outage: bool, is_flapping: bool) -> int:
    """A number from 0 to 100 by the formula of this module."""
    repetition = min(int(5 * math.log10(max(count, 1))), 15)
    reach = 10 if is_outage else 0
    unrest = 5 if is_flapping else 0
    return min(_SEVERITY[Alert.Severity(severity)] + repetition + reach + unrest, 100)
