"""What a stage has to say while it works and no report carries: one line on standard error."""

from __future__ import annotations

import sys


def notice(stage: str, text: str) -> None:
    """Print one line on standard error, laid out as the lines of progress that flows print are."""
    print(f"{stage:>9}  {text}", file=sys.stderr, flush=True)
