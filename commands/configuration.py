"""Options from a file, beside those that are typed; and a run's options to a file, to repeat it."""

import functools
import inspect
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.models import OptionInfo

PROJECT = Path("pyproject.toml")  # whose table tool.headstart counts where no file is named
Table = Mapping[str, Any]
Command = Callable[..., Any]


def configure(app: typer.Typer) -> None:
    """Let every command of an app take ``--config FILE`` and ``--save-config FILE``.

    What is typed comes first, then the environment, then the file, then the default.
    """
    for command in app.registered_commands:
        if command.callback is not None:
            command.callback = _configured(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            configure(group.typer_instance)


def _configured(command: Command) -> Command:
    """Give a command the two options; typer reads them in its signature."""
    own = list(inspect.signature(command).parameters.values())
    for option in (each for param in own for each in getattr(param.annotation, "__metadata__", ())):
        if isinstance(option, OptionInfo) and option.envvar is None:
            option.show_envvar = False  # docs/automation.md says the rule

    @functools.wraps(command)
    def run(context: typer.Context, config: None, save_config: Path | None, **typed: Any) -> Any:
        del config  # its callback has read it
        if save_config is not None:
            _write(save_config, context)
        return command(**typed)

    added = {"context": typer.Context, "config": Config, "save_config": SaveConfig}
    way = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        *(each.replace(kind=way) for each in own),
        *(
            inspect.Parameter(name, way, annotation=kind, default=None)
            for name, kind in added.items()
        ),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _names(ctx: Any) -> list[str]:
    """Return the names of a command, such as fit and head."""
    return [] if ctx.parent is None else [*_names(ctx.parent), str(ctx.info_name)]


def _words(command: Any) -> dict[str, Any]:
    """Return a command's options and arguments by what a file calls them."""
    return {
        (param.opts[0].lstrip("-").replace("-", "_")): param
        for param in command.params
        if param.name not in {"config", "save_config", "help"}
    }


def _take_config(ctx: typer.Context, path: Path | None) -> None:
    """Let what a file says be the defaults of the options that follow.

    Raises
    ------
    OptionError
        If the file cannot be read, or names what is no option.
    """
    if path is None:
        table = _read(PROJECT, optional=True).get("tool", {}).get("headstart", {})
    else:
        table = _read(path)
    own, known = _words(ctx.command), set(_all_words(ctx.find_root().command))
    names, found = _names(ctx), dict[str, Any]()
    for depth, level in enumerate(_levels(table, names)):
        valid = own if depth == len(names) else known
        for key, value in level.items():
            word = key.replace("-", "_")
            if word not in valid:
                _refuse(key, path or PROJECT, sorted(valid))
            if word in own and not isinstance(value, dict):
                found[own[word].name] = _fitting(own[word], value)
    ctx.default_map = found


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        is_eager=True,  # before the options that it may be the default of
        callback=_take_config,
        show_envvar=False,
        help="Options from a TOML file. Default: [tool.headstart] of ./pyproject.toml.",
    ),
]
SaveConfig = Annotated[
    Path | None,
    typer.Option(
        "--save-config",
        metavar="FILE",
        show_envvar=False,
        help="Write all options to a TOML file, which --config takes.",
    ),
]


def _refuse(key: str, path: Path, valid: list[str]) -> None:
    from ..errors import unknown

    raise unknown(f"option in {path}", key, valid)


def _levels(table: Table, names: list[str]) -> Iterator[Table]:
    """Yield the tables from the outermost, for all commands, to that of the command."""
    yield table
    if names and isinstance(table.get(names[0]), dict):
        yield from _levels(table[names[0]], names[1:])


def _all_words(command: Any) -> Iterator[str]:
    """Yield the names of all commands and of their options."""
    yield from _words(command)
    for name, below in getattr(command, "commands", {}).items():
        yield name.replace("-", "_")
        yield from _all_words(below)


def _fitting(param: Any, value: Any) -> Any:
    repeated = getattr(param, "multiple", False) or param.nargs == -1
    return [value] if repeated and not isinstance(value, list) else value


def _read(path: Path, *, optional: bool = False) -> Table:
    from ..errors import OptionError

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if optional and isinstance(error, FileNotFoundError):
            return {}
        raise OptionError(f"cannot read the options in {path}: {error}") from error


def _write(path: Path, ctx: typer.Context) -> None:
    """Write what a run was told, defaults too: a later version may have others.

    Raises
    ------
    OptionError
        If the file cannot be written.
    """
    from ..errors import OptionError
    from ..storage import replacing

    lines = [f"[{'.'.join(_names(ctx))}]"]
    for word, param in _words(ctx.command).items():
        value = ctx.params.get(param.name)
        if value not in (None, [], ()):
            lines.append(f"{word} = {_toml(value)}")
    try:
        with replacing(path) as temporary:
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise OptionError(f"cannot write the options to {path}: {error}") from error


def _toml(value: Any) -> str:
    """Return a value as TOML, whose strings, numbers, truths and lists are JSON's."""
    from ..cache import place_of

    if isinstance(value, Path):
        value = place_of(value)  # of a mirror, the URL
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if not isinstance(value, bool | int | float):
        value = str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
