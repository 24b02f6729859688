"""What a model's memory is reckoned from: its shape, and bytes by what they hold. Pure arithmetic."""

from __future__ import annotations

from tasks.core.identity import Frozen

GIB = 2**30
#: Bytes of one number.
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


class ModelShape(Frozen):
    """The sizes of a causal language model that its memory and arithmetic follow from.

    Attributes:
        parameters: all of them, tied ones once.
        active_parameters: those that one token meets; see `tasks.anneal.flops.active_parameters`.
        largest_module: parameters of the largest module, such as the embedding: what ZeRO-3 gathers at once.
        layers, hidden, heads, vocabulary: as in its config.
        head_width: all query heads together, in numbers a token.
        mlp_width: the inner width of the MLP; for a mixture of experts that of all experts a token is routed to.
        cache_width: numbers that a layer caches of one token: keys and values, or the latent of both.
        positions: the longest context, None where the config names none.
        weight_bits: bits of a weight as it is stored, where the model is quantised; None where it is not.
    """

    parameters: int
    active_parameters: int
    largest_module: int
    layers: int
    hidden: int
    heads: int
    head_width: int
    mlp_width: int
    cache_width: int
    vocabulary: int
    positions: int | None = None
    weight_bits: float | None = None

    def weight_bytes(self, dtype: str) -> int:
        """Return the bytes of all weights as they are loaded."""
        return int(self.parameters * (self.weight_bits / 8 if self.weight_bits else BYTES[dtype]))

    def cache_bytes(self, tokens: int, dtype: str) -> int:
        """Return the bytes that the cache of keys and values takes for so many tokens."""
        return tokens * self.layers * self.cache_width * BYTES[dtype]


class Memory(Frozen):
    """Bytes that one process needs at its peak, by what they hold.

    Attributes:
        parts: on its device (on the host, where it computes there).
        host: beside them, in the host's memory: what is offloaded.
    """

    parts: dict[str, int]
    host: int = 0

    @property
    def device(self) -> int:
        """All bytes on the device."""
        return sum(self.parts.values())
