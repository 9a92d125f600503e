"""The table of formats: a module each, and a row here."""

from __future__ import annotations

from pathlib import Path

from ...errors import OptionError, unknown
from . import mediapipe, onnx, saved_model, tflite
from .artefact import Format

QUANTIZATIONS = ("dynamic", "int8")
FORMATS = {
    row.name: row for row in (onnx.FORMAT, tflite.FORMAT, saved_model.FORMAT, mediapipe.FORMAT)
}


def find_format(name: str | None, out: Path) -> Format:
    """Return the row of this name, or of the file's ending when None.

    Raises
    ------
    OptionError
        If there is none; the message lists the valid names.

    Examples
    --------
    >>> find_format(None, Path("monkeys.onnx")).name
    'onnx'
    """
    if name is None:
        rows = [row for row in FORMATS.values() if row.ending and row.ending == out.suffix]
        if not rows:
            endings = [row.ending for row in FORMATS.values() if row.ending]
            folders = [row.name for row in FORMATS.values() if row.ending == ""]
            raise OptionError(
                f"{out} ends in neither {' nor '.join(endings)}: name the format with --format "
                f"{'|'.join(FORMATS)}; a folder is --format {' or '.join(folders)}"
            )
        return rows[0]
    if name not in FORMATS:
        raise unknown("format", name, list(FORMATS))
    return FORMATS[name]
