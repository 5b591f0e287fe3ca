"""The commands as people read them: each with its arguments and options, asked of the parser itself."""

from collections.abc import Iterator
from typing import Any

import msgspec


class Option(msgspec.Struct, frozen=True):
    """An option or an argument of a command."""

    name: str
    help: str


class Command(msgspec.Struct, frozen=True):
    """A command: its words after ``minicloud``, what it does, examples, options."""

    words: str
    help: str
    examples: list[str]
    options: list[Option]


def commands() -> list[Command]:
    """Every command, in the order of ``minicloud --help``."""
    import typer

    from minicloud.cli.program import app

    return list(_walk(typer.main.get_command(app), ""))


def commands_page() -> str:
    """The sections of docs/commands.md."""
    lines: list[str] = []
    for one in commands():
        lines += [f"## minicloud {one.words}", "", one.help, ""]
        if one.examples:
            lines += ["```", *one.examples, "```", ""]
        if one.options:
            lines += ["| option | what it is |", "| --- | --- |"]
            lines += [f"| `{_cell(option.name)}` | {_cell(option.help)} |" for option in one.options]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _walk(command: Any, words: str) -> Iterator[Command]:
    """The parser's own objects are typer's business: only what all its versions have is asked for."""
    inner = getattr(command, "commands", None)
    if inner is not None:
        for name, one in inner.items():
            yield from _walk(one, f"{words} {name}".strip())
        return
    paragraphs = (command.help or "").split("\n\n")
    text = [" ".join(part.split()) for part in paragraphs]
    yield Command(
        words,
        "\n\n".join(part for part in text if not part.startswith("Example: ")),
        [part.removeprefix("Example: ") for part in text if part.startswith("Example: ")],
        [
            _option(parameter)
            for parameter in command.params
            if not getattr(parameter, "hidden", False) and parameter.name != "help"
        ],
    )


def _option(parameter: Any) -> Option:
    names = [*parameter.opts, *parameter.secondary_opts]
    if parameter.param_type_name == "argument":
        names = [parameter.metavar or parameter.name.upper()]
    return Option(", ".join(names), getattr(parameter, "help", "") or "")


def _cell(text: str) -> str:
    return text.replace("\\[", "[").replace("|", "\\|").replace("``", "`")
