"""Commands that are functions of the API: a signature of options, and nothing to be done but ask."""

import functools
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .options import takes

if TYPE_CHECKING:
    from ..api.result import Result

Command = Callable[..., None]


def asks(
    name: str, group: str | None = None, **told: Callable[[], Any]
) -> Callable[[Command], Any]:
    """Make a command of a signature: it asks ``headstart``'s function and prints what that returns.

    The parameters are the function's own, by name, but for ``quiet``, ``as_json`` and what is done
    with the result: ``gates`` (``--assert``) and ``track``. What nobody typed and has no default
    here is left to the function's.

    Parameters
    ----------
    name : str
        Of the function, and of its module in :mod:`headstart.api`.
    group : str, optional
        Of shared options, see :func:`headstart.commands.options.takes`.
    **told : callable
        Arguments that are nobody's to type, each asked for when the command runs.
    """

    def decorate(command: Command) -> Any:
        @functools.wraps(command)
        def run(
            *,
            quiet: bool = False,
            as_json: bool = False,
            gates: Any = None,
            track: Any = None,
            options: dict[str, Any] | None = None,
            **typed: Any,
        ) -> None:
            from ..classify.statistics.gates import check_gates, check_measured
            from ..console import stages

            check_measured(gates or [], compared=typed.get("compare_with") is not None)
            given = {key: value for key, value in typed.items() if value not in (None, [])}
            given |= (options or {}) | {key: tell() for key, tell in told.items()}
            function = getattr(import_module(f"..api.{name}", __package__), name)
            with stages(quiet=quiet):
                result = function(**given)
            give(result, as_json=as_json, quiet=quiet)
            if track is not None:
                result.track(track, given)
            result.check()
            if gates:
                check_gates(gates, result.figures)

        run.asks = name  # type: ignore[attr-defined]
        return run if group is None else takes(group)(run)

    return decorate


def give(result: "Result", *, as_json: bool, quiet: bool) -> None:
    """Print what was found on standard output, and what is worth telling on standard error."""
    from ..console import print_json, show, warn_all

    if as_json:
        print_json(result.to_dict())
    else:
        show(result.blocks())
    warn_all(result.warnings, quiet=quiet)
