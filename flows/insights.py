"""What is looked at once a study's comparison is there: single items, the validated set, power and prices.

None of it decides anything, so where a look fails the report is made without it and says why. The flow ends in the
failure all the same, once the report is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flows.cards import publish_card
from flows.chances import declared_power_of
from flows.costing import price_of_an_hour
from flows.findings import Insights
from flows.ledgers import publish_ledgers
from flows.record import StudyRecord
from flows.work import Work

T = TypeVar("T")


def insights(work: Work, record: StudyRecord) -> Insights:
    """Return what a study's report says beside its comparison, and what failed of it; what takes long is cached.

    Power is as the study's file alone has it, and says so, not as earlier studies of the store would: those change, and
    a report with them, while nothing of the study does.
    """
    failed = dict[str, Exception]()
    ledgers = _looked(
        failed,
        "what was fixed and what was broken",
        lambda: publish_ledgers(work.store, record, work.runtime.retrieve, work.runtime.evaluate),
    )
    card = _looked(failed, "the validated set", lambda: publish_card(work.store, record, work.overlap))
    return Insights(
        ledgers=ledgers or {},
        card=card,
        power=declared_power_of(work),
        device_price=price_of_an_hour(work),
        failed=failed,
    )


def _looked(failed: dict[str, Exception], what: str, look: Callable[[], T]) -> T | None:
    """Return what a look gives; None where it fails, and then why is in `failed`."""
    try:
        return look()
    except Exception as error:  # whatever it is, the verdicts stand; `assess` raises it again
        failed[what] = error
        return None
