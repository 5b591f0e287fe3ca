"""``minicloud schedule``: where would a server go, and why; nothing is created."""

from typing import Annotated, Any

import typer

from minicloud.base.errors import Invalid
from minicloud.base.trace import Note
from minicloud.cli import show
from minicloud.cli.folder import CONTROL
from minicloud.cli.options import Data, Json, folder_of


def schedule(
    flavor: Annotated[str, typer.Option("--flavor", help="Name or id of the flavor.")],
    image: Annotated[str | None, typer.Option("--image", help="Name or id of the image.")] = None,
    hint: Annotated[
        list[str] | None, typer.Option("--hint", help="A scheduler hint, as key=value; may be repeated.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--availability-zone", help="The zone, or zone:host:node to force a host.")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Only this host, if the filters let it pass.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="Name or id of the project that asks.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Nothing is created; this is always so.")] = True,
    data: Data = None,
    json: Json = False,
) -> None:
    """Tell where a server would go, and why: candidates, each filter's verdict, each weigher's score.

    The cloud has to be up. Exit code 1 where no host would take it.

    Example: minicloud schedule --flavor m1.tiny --image minilinux --dry-run

    Example: minicloud schedule --flavor m1.tiny --hint different_host=5f0d2c2e-6c5e-4a2e-9d53-0d2c2f0e7a11
    """
    import msgspec

    folder = folder_of(data)
    folder.need_running()
    given: dict[str, Any] = {
        "flavor": flavor,
        "image": image,
        "zone": zone,
        "host": host,
        "project": project,
        "hints": hints_of(hint or []),
    }
    from minicloud.cli import control

    found: dict[str, Any] = control.ask(folder.file(CONTROL), "schedule", **given)
    if json:
        show.as_json(found)
    else:
        show.lines(written(found, msgspec.convert(found["notes"], list[Note])))
    if found["refused"] is not None:
        raise typer.Exit(1)


def hints_of(given: list[str]) -> dict[str, Any]:
    """Hints as servers are asked for with; one that comes twice is a list. Raises Invalid."""
    found: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise Invalid(f"A hint is written key=value, not {text!r}")
        if key in found:
            found[key] = [*(found[key] if isinstance(found[key], list) else [found[key]]), value]
        else:
            found[key] = value
    return found


def written(found: dict[str, Any], notes: list[Note]) -> list[str]:
    """The answer first, then how it came about."""
    from minicloud.cli.sentences import sentence_of
    from minicloud.cli.sentences.facts import Facts

    if found["refused"] is not None:
        lines = [found["refused"]]
    else:
        first, *others = found["choices"]
        also = f"; else to {', '.join(other['host'] for other in others)}" if others else ""
        lines = [f"The server would go to {first['host']} in zone {first['zone']}{also}."]
        if first.get("seat"):
            lines += [f"  {line}" for line in _seat(first["seat"])]
    lines.append("")
    for note in notes:
        sentence = sentence_of(note, Facts(note.facts, {}))
        lines.append(f"  {sentence.text}")
        lines += [f"    {more}" for more in sentence.more]
    return lines


def _seat(seat: dict[str, Any]) -> list[str]:
    told = []
    for cell in seat["cells"]:
        pins = ", ".join(f"{virtual} on {cpu}" for virtual, cpu in cell["pins"].items())
        pages = f", pages of {cell['page_kb']} KiB" if cell["page_kb"] else ""
        told.append(f"cell {cell['cell']} on host cell {cell['host_cell']}{f': CPU {pins}' if pins else ''}{pages}")
    if seat["devices"]:
        told.append(f"devices {', '.join(seat['devices'])}")
    return told
