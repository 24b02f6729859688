"""What the control was trained on: the card of a study's validated set."""

from __future__ import annotations

from tasks.core.identity import Frozen
from tasks.core.store import ArtifactRef, Store

CARD = "card.json"


class ValidatedSource(Frozen):
    """One source of the validated mix.

    Attributes:
        origin: the file, hub dataset with its revision, or recipe that it is.
        licence: as declared; None where the study declares none.
        weight: its share of the mix, as declared.
        token_share: its share of the tokens that the control was trained on, 0 to 1.
        rows, tokens: what the source holds, once.
        epochs: how often the control saw it.
        left_out: rows that could not be used.
        same: rows whose words another row of the mix has too, that one left aside; None where nobody looked.
        near: further rows that nearly repeat one.
        exposed: benchmark items that a row of the source gives away.
    """

    name: str
    origin: str
    licence: str | None
    weight: float
    token_share: float
    rows: int
    tokens: int
    epochs: float
    left_out: int
    same: int | None
    near: int | None
    exposed: int | None


class ExposedItems(Frozen):
    """How many items of one benchmark the validated mix gives away, of those that could be checked."""

    benchmark: str
    checked: int
    exposed: int
    unchecked: int


class ValidatedCard(Frozen):
    """What all arms share: the validated sources, how much of them repeats and how much of them is in the benchmarks.

    Attributes:
        duplicates, overlap: the rules by which it was looked, in words; empty where nobody looked.
    """

    sources: tuple[ValidatedSource, ...]
    exposed: tuple[ExposedItems, ...]
    duplicates: str = ""
    overlap: str = ""


def read_card(store: Store, ref: ArtifactRef) -> ValidatedCard:
    """Return a published card."""
    return ValidatedCard.model_validate_json((store.folder(ref) / CARD).read_text(encoding="utf-8"))
