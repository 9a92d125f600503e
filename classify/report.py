"""Results of a comparison to files: JSON and one HTML page."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import DataError

TEMPLATE = "report.html.j2"


def write_report(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write ``results.json`` and ``index.html``.

    Parameters
    ----------
    results : dict
        From :func:`headstart.classify.compare.compare`.
    folder : Path
        Made when missing.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    documents = {
        "results.json": json.dumps(results, indent=1) + "\n",
        "index.html": render(results),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in documents.items():
            temporary = folder / f".{name}.{os.getpid()}.tmp"
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, folder / name)
    except OSError as error:
        raise DataError(f"cannot write the report to {folder}: {error.strerror}") from error
    return [folder / name for name in documents]


def render(results: dict[str, Any]) -> str:
    """Return the page; names from the dataset are escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("headstart", "classify"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    # A name that is not UTF-8 holds lone surrogates, which no page can.
    text = environment.get_template(TEMPLATE).render(**results)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
