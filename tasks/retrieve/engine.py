"""What the stage asks of an index, whether it compares vectors or words."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Queries = TypeVar("Queries", contravariant=True)


class Neighbours(NamedTuple):
    """What was found for n queries: `rows` (n, k) numbers rows of the base, -1 where none is left; `scores` falls."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class Index(Protocol[Queries]):
    """A searchable base. `facts` says what it is, for the manifest."""

    facts: dict[str, Any]

    def search(self, queries: Queries, k: int) -> Neighbours:
        """Return the `k` best rows of the base for each query: vectors (n, dimension), or n texts.

        Raises:
            EngineError: where the engine fails.
        """
        ...


class TextBase(Protocol):
    """The texts to be searched; `positions` has one entry for each."""

    @property
    def positions(self) -> Sized: ...

    def texts(self) -> Iterator[str]:
        """Yield the texts in order, as often as it is asked to."""
        ...


class VectorBase(Protocol):
    """The vectors to be searched, `rows` x `dimension`, too many to be held."""

    @property
    def rows(self) -> int: ...

    @property
    def dimension(self) -> int: ...

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield all vectors in order, a block in memory at a time."""
        ...
