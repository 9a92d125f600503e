"""How a kind of approach looks in every plot, and how long a name may be."""

from __future__ import annotations

from ....text import shown
from ..documents import Kind

# Over 3:1 against white and against the dark page alike.
COLOURS: dict[Kind, str] = {"transfer": "#3b7ddd", "finetune": "#d9601a"}
MARKERS: dict[Kind, str] = {"transfer": "o", "finetune": "D"}
KINDS: dict[Kind, str] = {"transfer": "head on frozen features", "finetune": "fine-tuned network"}


def short(name: str, most: int) -> str:
    """Return a name fit for print, of at most so many letters."""
    printable = shown(name)
    return printable if len(printable) <= most else f"{printable[: most - 1]}…"
