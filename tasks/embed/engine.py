"""What the stage asks of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Encoder(Protocol):
    """Turns texts into vectors."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (texts, dimension), every row of length one, in the order of the texts.

        Neither order nor batch size changes a vector by more than rounding (about 1e-6 in float32).

        Raises:
            EngineError: where the engine fails, or a vector is zero or not finite.
            InfrastructureError: where a process of it died.
        """
        ...
