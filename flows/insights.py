"""What is looked at once a study's comparison is there: single items, the validated set, power and prices."""

from __future__ import annotations

from flows.cards import publish_card
from flows.chances import power_of
from flows.costing import price_of_an_hour
from flows.findings import Insights
from flows.ledgers import publish_ledgers
from flows.record import StudyRecord
from flows.work import Work
from tasks.compare.power import ITEM_SHARE


def insights(work: Work, record: StudyRecord) -> Insights:
    """Return what a study's report says beside its comparison; what takes long is cached.

    Power is as the study's file alone has it, not as earlier studies of the store would: those change, and a report
    with them, while nothing of the study does.
    """
    return Insights(
        ledgers=publish_ledgers(work.store, record, work.runtime.retrieve),
        card=publish_card(work.store, record, work.overlap),
        power=power_of(work, (), ITEM_SHARE),
        device_price=price_of_an_hour(work),
    )
