"""Results of a comparison to files, and back: a page for people, JSON and CSV for programs."""

from __future__ import annotations

import json
from pathlib import Path

from ....errors import DataError
from ....progress import stage
from ....storage import replacing
from ..compare import Comparison
from ..documents import RESULTS_VERSION, Results
from .tables import to_csv, to_markdown

RESULTS = "results.json"


def write_report(comparison: Comparison, folder: Path) -> list[Path]:
    """Write ``index.html``, ``results.json``, ``results.csv`` and ``report.md``.

    Returns
    -------
    list of Path
        The files written, the page first.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    from .page import page_text

    stage("writing the report")
    results = comparison.results
    documents = {
        "index.html": page_text(comparison),
        RESULTS: json.dumps(results, indent=1) + "\n",
        "results.csv": to_csv(results),
        "report.md": to_markdown(results),
    }
    try:
        for name, text in documents.items():
            with replacing(folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise DataError(f"cannot write the report to {folder}: {error.strerror}") from error
    return [folder / name for name in documents]


def read_results(folder: Path) -> Results:
    """Return the ``results.json`` of a report.

    Raises
    ------
    DataError
        If there is none, or it is of another version.
    """
    path = folder / RESULTS
    try:
        results: Results = json.loads(path.read_text(encoding="utf-8"))
        version = results["version"]
    except FileNotFoundError:
        raise DataError(
            f"no report in {folder}: 'compare transfer-vs-finetune --out {folder}' writes one"
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is not the results of a comparison: {error}") from error
    if version != RESULTS_VERSION:
        raise DataError(
            f"{path} has results version {version}, this headstart reads {RESULTS_VERSION}: "
            "run the comparison again"
        )
    return results
