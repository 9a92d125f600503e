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

SIZE, MINUTES = 64, "2.25"  # input size in pixels; what fine-tuning may take


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
    from ..classify.compare.report.write import read_results
    from ..console import say
    from ..demo import ABOUT, explain_outcome, write_digits

    say(ABOUT)
    digits = write_digits(out / "digits")
    report = out / "report"
    shared: dict[str, Any] = {"input_size": SIZE, "cache": cache, "quiet": quiet}
    model = out / "digits.headstart"
    steps: list[tuple[str, Any]] = [
        (
            f"headstart extract features {digits} --input-size {SIZE}",
            lambda: extract_features(digits, **shared),
        ),
        (
            f"headstart fit head {digits} --input-size {SIZE} --model logreg --out {model}",
            lambda: fit_head(digits, out=model, **shared),
        ),
        (
            (
                f"headstart compare transfer-vs-finetune {digits} --input-size {SIZE} "
                f"--model logreg --model ridge --budget {MINUTES} --out {report}"
            ),
            lambda: transfer_vs_finetune(
                digits, model=["logreg", "ridge"], budget=MINUTES, out=report, **shared
            ),
        ),
    ]
    for line, step in steps:
        say(f"\n$ {line}")
        step()
    say(f"\n{explain_outcome(read_results(report)['outcome'])}")
    say(f"Open {(report / 'index.html').absolute()} in a browser.")
