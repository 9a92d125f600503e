"""What the commands do with DATA before anything else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..extract.images.images import Dataset


def read_data(
    data: str, columns: str | None, *, quiet: bool, needs_labels: bool = True
) -> "Dataset":
    """Read DATA and say on standard error how it was understood.

    Images may lack a label where none is needed.

    Raises
    ------
    DataError
        If nothing usable is there.
    OptionError
        If ``columns`` is not understood.
    """
    from ..console import remark
    from ..extract.images.dataset import read_dataset, read_photographs
    from ..extract.images.manifest_table import read_columns

    read = read_dataset if needs_labels else read_photographs
    dataset = read(data, None if columns is None else read_columns(columns))
    if not quiet:
        remark(dataset.read_as)
    return dataset
