"""Run the example notebooks from top to bottom and keep what they show (``make examples``).

In place by default: the notebooks in the repository hold what they showed on the real
photographs. ``--into FOLDER`` runs and writes copies there instead, as the tests do.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
SECONDS = 600  # for one cell


def execute(notebook: Path, folder: Path) -> Path:
    """Run one notebook in a folder and write it there, its outputs in it.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails; nothing is written then.
    """
    document = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        document,
        timeout=SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    document.metadata["language_info"] = {"name": "python"}  # no version of this machine
    written = folder / notebook.name
    nbformat.write(document, written)
    return written


def main() -> None:
    """Run the notebooks that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    parser.add_argument("--into", type=Path, default=HERE, help="folder to run and write in")
    options = parser.parse_args()
    # The notebooks call the command line of this environment.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # tqdm's, of this machine
    options.into.mkdir(parents=True, exist_ok=True)
    for notebook in options.notebooks:
        print(execute(notebook, options.into))


if __name__ == "__main__":
    main()
