"""Whether what was fixed lies near the training rows, and if so, whether because they teach it or hold its text.

Counted are the items of the benchmarks that decide which the control gets wrong at more than half of its seeds: only
those can be fixed. A stratum is a benchmark and a share of seeds that the control gets right, so that easy benchmarks
and half-known items do not pass for the data's work. Items are taken as independent.

=============  =======================================================================================================
learned        items near to a row, but sharing little text with any, are shown to be fixed more than far ones
memorised      that is not shown, and items whose text the rows hold are shown to be fixed more than all others
cannot tell    everything else: too few items of a kind, or an interval that includes no difference
=============  =======================================================================================================

Shown means that the exact interval of the common odds ratio lies above one. Near is a declared share of the item's own
score (`config`); where that puts nearly all items on one side, so that nothing could be compared, it is the median
share instead. Either way it knows nothing of what was fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tasks.core.ledgers import Conclusion, FixedShare, OddsRatio, Targeted
from tasks.ledger.odds import Stratum, common_odds_ratio

#: The least part of the items that has to lie on either side of a declared share.
_LEAST = 0.1


class WeakItem(NamedTuple):
    """An item that the control gets wrong more often than not.

    Attributes:
        stratum: its benchmark and the control's share right.
        share: how near the nearest training row is, 0 to 1.
        held: whether rows hold its text; None where that is unknown.
    """

    stratum: tuple[str, float]
    fixed: bool
    share: float
    held: bool | None


def near_from(shares: Sequence[float], declared: float) -> float:
    """Return the share from which an item is near: as declared, if one item in ten lies on either side of it.

    Else it is what half of the items are below: just above their median.
    """
    near = sum(share >= declared for share in shares)
    if _LEAST <= near / len(shares) <= 1 - _LEAST:
        return declared
    middle = sorted(shares)[(len(shares) - 1) // 2]
    return min((share for share in shares if share > middle), default=declared)


def targeted(items: Sequence[WeakItem], confidence: float, *, failures: bool, declared: float) -> Targeted | None:
    """Return what nearness to the training rows had to do with what was fixed, None where there is no item to fix.

    Args:
        failures: whether near means near to the failed questions that the candidate was made for.
        declared: the share from which an item is near, unless nearly all or nearly none are.
    """
    if not items:
        return None
    least = near_from([one.share for one in items], declared)
    known = [one for one in items if one.held is not None]
    apart = [one for one in known if one.share >= least and not one.held]
    held = [one for one in known if one.held]
    far = [one for one in known if one.share < least and not one.held]
    near, rest = [one for one in items if one.share >= least], [one for one in items if one.share < least]
    near_to_far = _compared(near, rest, confidence)
    apart_to_far = _compared(apart, far, confidence)
    held_to_rest = _compared(held, [*apart, *far], confidence)
    conclusion, sentence = _conclusion(
        "the failed questions" if failures else "its rows", bool(known), near_to_far, apart_to_far, held_to_rest
    )
    return Targeted(
        failures=failures,
        near_from=round(least, 6),
        near=_share(near),
        apart=_share(apart),
        held=_share(held),
        far=_share(far),
        near_to_far=near_to_far,
        apart_to_far=apart_to_far,
        held_to_rest=held_to_rest,
        conclusion=conclusion,
        sentence=sentence,
    )


def _share(items: Sequence[WeakItem]) -> FixedShare:
    return FixedShare(items=len(items), fixed=sum(one.fixed for one in items))


def _compared(first: Sequence[WeakItem], second: Sequence[WeakItem], confidence: float) -> OddsRatio | None:
    strata = []
    for stratum in sorted({one.stratum for one in (*first, *second)}):
        ours, theirs = (_share([one for one in group if one.stratum == stratum]) for group in (first, second))
        strata.append(Stratum(ours.fixed, ours.items, theirs.fixed, theirs.items))
    return common_odds_ratio(strata, confidence)


def _conclusion(
    what: str, overlap_known: bool, near: OddsRatio | None, apart: OddsRatio | None, held: OddsRatio | None
) -> tuple[Conclusion, str]:
    if _is_up(apart):
        more = f"; those whose text the rows hold more still ({_said(held)})" if _is_up(held) else ""
        return "learned", (
            f"Learned: items near to {what} were fixed more than items far from them ({_said(apart)}), also where no "
            f"row shares much text with them{more}."
        )
    if _is_up(held):
        return "memorised", (
            f"Memorised: items whose text the rows hold were fixed more than all others ({_said(held)}), and items "
            f"that are only near to {what} are not shown to be."
        )
    if _is_up(near) and not overlap_known:
        return "cannot tell", (
            f"Items near to {what} were fixed more than others ({_said(near)}); whether they were learned or memorised "
            "cannot be told, since their overlap with the rows is not known."
        )
    compared = apart or near
    if compared is None:
        return "cannot tell", f"It cannot be told: there are no items both near to {what} and far from them to compare."
    return "cannot tell", f"It cannot be told: items near to {what} are not shown to be fixed more ({_said(compared)})."


def _is_up(ratio: OddsRatio | None) -> bool:
    return ratio is not None and ratio.low > 1


def _said(ratio: OddsRatio | None) -> str:
    if ratio is None:
        return "no odds ratio"
    return f"odds ratio {_number(ratio.estimate)}, {_number(ratio.low)} to {_number(ratio.high)}"


def _number(value: float | None) -> str:
    return "without bound" if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
