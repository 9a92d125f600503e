"""``headstart.push``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..classify.saved.card import card_paths
from ..errors import ModelError, OptionError, first_line
from ..progress import stage
from .options import Place
from .result import Block, Result

CARD = "README.md"  # where the Hub looks for a model's card


@dataclass(frozen=True, repr=False)
class Pushed(Result):
    """What a repository of the Hugging Face Hub got."""

    repo: str
    files: dict[str, Path]  # name there → file here
    url: str | None  # of the commit; None where it was a trial

    def to_dict(self) -> Mapping[str, Any]:
        """Return the contract of ``push --json``."""
        return {"version": 1, "repo": self.repo, "files": self.records(), "url": self.url}

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the files."""
        return [
            {"name": name, "path": str(path), "bytes": path.stat().st_size}
            for name, path in self.files.items()
        ]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        for name, path in self.files.items():
            yield f"{path} → {self.repo}/{name}"
        yield "nothing was sent: --dry-run" if self.url is None else self.url


def push(
    model: Place,
    repo: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    endpoint: str | None = None,
) -> Pushed:
    """Put a saved classifier and its card into a repository of the Hugging Face Hub.

    The token is that of ``hf auth login`` or ``HF_TOKEN``.

    Parameters
    ----------
    model : path
        What ``fit_head`` or ``fit_finetune`` wrote, its card beside it.
    repo : str
        Such as ``"me/flowers"``; made when missing.
    private : bool
        Whether a repository that is made is private.
    dry_run : bool
        Check the card and say what would be sent.
    endpoint : str, optional
        Address of the Hub; ``HF_ENDPOINT`` or the public one when None.

    Returns
    -------
    Pushed
        Prints files and address.

    Raises
    ------
    ModelError
        If a file is missing, the card's metadata is not valid, or the Hub refuses.
    OptionError
        If huggingface_hub is not installed.

    Examples
    --------
    >>> import headstart
    >>> print(headstart.push("photographs.headstart", "me/photographs", dry_run=True))
    photographs.MODEL.md → me/photographs/README.md
    photographs.MODEL.json → me/photographs/photographs.MODEL.json
    photographs.headstart → me/photographs/photographs.headstart
    nothing was sent: --dry-run
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi, ModelCard
    except ModuleNotFoundError as error:
        raise OptionError("push needs huggingface_hub: pip install 'headstart[hub]'") from error
    path = Path(model)
    card, document = card_paths(path)
    files = {CARD: card, document.name: document, path.name: path}
    for file in files.values():
        if not file.is_file():
            raise ModelError(f"no file {file}: 'fit head --out {path}' writes model and card")
    try:
        ModelCard.load(card)  # metadata that the Hub can read
        if dry_run:
            return Pushed(repo, files, None)
        stage(f"sending {path} to {repo}")
        hub = HfApi(endpoint=endpoint)
        hub.create_repo(repo, private=private, exist_ok=True)
        commit = hub.create_commit(
            repo,
            [CommitOperationAdd(name, file) for name, file in files.items()],
            commit_message=f"{path.name}, by headstart",
        )
    except Exception as error:  # a network's, the Hub's, a token's: each library has its own
        raise ModelError(f"cannot push {path} to {repo}: {first_line(error)}") from error
    return Pushed(repo, files, commit.commit_url)
