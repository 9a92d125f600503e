"""What the commands do with DATA before anything else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..extract.images.images import Dataset


def read_data(data: str, columns: str | None, *, quiet: bool) -> "Dataset":
    """Read DATA and say on standard error how it was understood.

    Raises
    ------
    DataError
        If nothing usable is there.
    OptionError
        If ``columns`` is not understood.
    """
    from ..console import remark
    from ..extract.images.dataset import read_dataset
    from ..extract.images.manifest_table import read_columns

    dataset = read_dataset(data, None if columns is None else read_columns(columns))
    if not quiet:
        remark(dataset.read_as)
    return dataset
