"""Options that several commands share, and those of ``minicloud up``, made from the settings."""

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from minicloud.cli.described import Described, described
from minicloud.cli.folder import Folder

Data = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="DIR", help="The cloud's folder. Default: MINICLOUD_DATA, else minicloud in XDG_DATA_HOME."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

_TYPES: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool}
_USUAL = (
    "data",
    "driver",
    "hosts",
    "listen",
    "port",
    "durability",
    "memory",
    "admin_password",
    "stop_servers",
)


def folder_of(data: str | None) -> Folder:
    """The data folder that a command is about."""
    from minicloud import settings

    return Folder(settings.load({"data": data}).settings.data)


def with_settings(command: Callable[..., None], own: Iterable[inspect.Parameter]) -> Callable[..., None]:
    """The command with an option for each setting (None: not given), before its own parameters."""
    settings = sorted(described(), key=lambda one: _USUAL.index(one.name) if one.name in _USUAL else len(_USUAL))
    parameters = [_parameter(one) for one in settings if one.name in _USUAL]
    parameters += [*own, *(_parameter(one) for one in settings if one.name not in _USUAL)]
    # typer asks both: the signature for defaults, the annotations for types.
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # functions have one, yet typeshed does not say so
    command.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return command


def _parameter(one: Described) -> inspect.Parameter:
    flag = f"{one.flag}/--no-{one.flag[2:]}" if one.type == "bool" else one.flag
    given = str(one.default)
    option = typer.Option(
        flag,
        metavar=None if one.type in ("int", "float", "bool") else one.choices if "|" in one.choices else "TEXT",
        help=one.sentence if one.default == "" or one.type == "bool" else f"{one.sentence} \\[default: {given}]",
        rich_help_panel="Options" if one.name in _USUAL else "Further settings",
        show_default=False,
    )
    kind = _TYPES.get(one.type, str)
    return inspect.Parameter(
        one.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )
