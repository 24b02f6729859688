"""Model FLOPs utilisation: how much of the device's peak goes into the model's own arithmetic.

A training step of D tokens costs about 6·N·D FLOPs (Kaplan et al. 2020, arXiv:2001.08361, section 2.1), N the
parameters that a token meets: of a mixture of experts only the routed share, and no input embedding that is not also
the output's. Attention's own FLOPs are left out, so the figure is a lower bound. Recomputed activations do not count.
"""

from __future__ import annotations

#: Peak dense bfloat16 FLOPs a second, from the makers' data sheets. Sought in this order in the device's name.
GPU_PEAKS = {
    "B200": 2250e12, "GH200": 989e12, "H200": 989e12, "H100 PCIe": 756e12, "H100 NVL": 835e12, "H100": 989e12,
    "H20": 148e12, "A100": 312e12, "A800": 312e12, "A40": 150e12, "A10": 125e12, "L40S": 362e12, "L4": 121e12,
    "RTX 6000 Ada": 364e12, "RTX 4090": 165e12, "RTX 3090": 71e12, "MI300X": 1307e12, "MI250": 383e12,
}  # fmt: skip


def gpu_peak(name: str) -> tuple[float, str] | None:
    """Return a GPU's peak bfloat16 FLOPs a second and the source of the figure, or None for an unknown one."""
    for known, peak in GPU_PEAKS.items():
        if known.lower() in name.lower():
            return peak, f"data sheet, {known}"
    return None


def active_parameters(counts: dict[str, int], experts: int, experts_used: int, tied: bool) -> int:
    """Return the parameters that one token meets.

    Args:
        counts: parameters by kind: ``embedding`` (the input's), ``experts`` (all routed experts), ``other``.
        experts: routed experts in a layer, 0 where there are none.
        experts_used: experts that a token is routed to.
        tied: whether the input embedding is the output's too.
    """
    routed = counts["experts"] * experts_used // experts if experts else 0
    return counts["other"] + routed + (counts["embedding"] if tied else 0)


def utilisation(parameters: int, tokens_per_second: float, peak: float) -> float:
    """Return the share of the peak that 6·N FLOPs a token amount to, 0 to 1."""
    return 6 * parameters * tokens_per_second / peak if peak else 0.0
