"""``headstart demo``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .compare import transfer_vs_finetune
from .extract import extract_features
from .fit import fit_head
from .options import (
    Cache,
    Quiet,
)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for images and report.")] = Path(
        "headstart-demo"
    ),
    cache: Cache = None,
    quiet: Quiet = False,
) -> None:
    """Run the whole job on handwritten digits that come with the install, offline.

    Example: headstart demo
    """
    from ..console import say
    from ..demo import ABOUT, write_digits

    say(ABOUT)
    digits = write_digits(out / "digits")
    steps: list[tuple[str, Any]] = [
        (
            f"headstart extract features {digits}",
            lambda: extract_features(digits, cache=cache, quiet=quiet),
        ),
        (
            f"headstart fit head {digits} --model logreg --out {out / 'digits.headstart'}",
            lambda: fit_head(digits, cache=cache, out=out / "digits.headstart", quiet=quiet),
        ),
        (
            (
                f"headstart compare transfer-vs-finetune {digits} --model logreg --model ridge "
                f"--start head --learning-rate 1e-5 --epochs 2 --out {out / 'report'}"
            ),
            lambda: transfer_vs_finetune(
                digits,
                model=["logreg", "ridge"],
                start=["head"],
                learning_rate=[1e-5],
                epochs=2,
                cache=cache,
                out=out / "report",
                quiet=quiet,
            ),
        ),
    ]
    for line, step in steps:
        say(f"\n$ {line}")
        step()
    say(f"\nOpen {(out / 'report' / 'index.html').absolute()} in a browser.")
