"""/extensions: exactly what this service understands beyond networks, subnets and ports. The list is extensions.txt."""

from pathlib import Path
from typing import Any

from minicloud.api.call import Call
from minicloud.api.network.lists import pick
from minicloud.api.routes import Get


def _documents() -> dict[str, dict[str, Any]]:
    """The extensions by alias: a line has alias, name, description and when upstream last changed it."""
    found = {}
    for line in Path(__file__).with_suffix(".txt").read_text().splitlines():
        alias, name, description, updated = line.split(" | ")
        found[alias] = {
            "alias": alias,
            "name": name,
            "description": description,
            "updated": updated,
            "links": [],
        }
    return found


EXTENSIONS = _documents()


async def index(call: Call) -> Any:
    """All extensions."""
    return {"extensions": [pick(call, extension) for extension in EXTENSIONS.values()]}


async def show(call: Call, alias: str) -> Any:
    """One extension."""
    if alias not in EXTENSIONS:
        raise call.absent(f"Extension with alias {alias} does not exist")
    return {"extension": pick(call, EXTENSIONS[alias])}


routes = [
    Get("/extensions", index, policy=None),
    Get("/extensions/{alias}", show, policy=None),
]
