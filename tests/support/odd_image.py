"""Odd documents for images, whose routes take bytes and read them themselves: what odd requests send in their place."""

import json
import random
from collections.abc import Callable
from typing import Any

from minicloud.api.routes import Route

PATCH = "application/openstack-images-v2.1-json-patch"
OCTETS = "application/octet-stream"
NAMES = [
    "name", "id", "status", "visibility", "protected", "os_hidden", "owner", "size", "min_disk", "min_ram", "tags",
    "disk_format", "container_format", "locations", "checksum", "kernel_id", "a/b", "", "~", "\x00", "é", "x" * 300,
    "self", "schema", "created_at", "properties", "member", "method", "op", "path", "value", "deleted", "os_glance_x",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 1 << 31, 1 << 70, 1.5, "", "x", "é", "\x00", "x" * 70_000, "public", "private", "raw",
    "11111111-2222-4333-8444-555555555555", [], ["a"], [None], {}, {"a": 1}, [[[]]], "in:", 'in:"', "gt:", "2026-01-01",
]  # fmt: skip
OPERATIONS = ["add", "remove", "replace", "move", "", None, 3]
POINTERS = ["/name", "/tags/-", "/locations/0", "//", "/", "", "/a~1b", "/~", "/a b", "/ ", 3, None, "/x" * 200]
METHODS = ["glance-direct", "web-download", "copy-image", "", None]
RAW = [b"", b"{", b"\xff", b"[" * 5000, b"null", b'"\\ud800"']
"""Bytes that are no document."""

WORDS = [
    *("namespace", "name", "title", "type", "properties", "objects", "tags", "required", "default", "items", "prefix"),
    *("prefixes", "visibility", "owner", "protected", "display_name", "description", "enum", "properties_target"),
]


def documents(dice: random.Random) -> Any:
    """Something like an image, a member or a task."""
    if dice.random() < 0.1:
        return dice.choice(VALUES)
    return {dice.choice(NAMES): dice.choice(VALUES) for _ in range(dice.randrange(5))}


def images(dice: random.Random) -> Any:
    """Something like an image that is asked for, often one that may be made."""
    found = documents(dice)
    sensible = {"name": "odd", "disk_format": "raw", "container_format": "bare"}
    return {**sensible, **found} if isinstance(found, dict) and dice.random() < 0.5 else found


def patches(dice: random.Random) -> Any:
    """Something like a JSON patch, in the newer form and in the older one."""
    if dice.random() < 0.1:
        return dice.choice(VALUES)
    words = [("op", OPERATIONS), ("path", POINTERS), ("value", VALUES), ("add", POINTERS)]
    return [
        {name: dice.choice(choices) for name, choices in words if dice.random() < 0.8} for _ in range(dice.randrange(4))
    ]


def definitions(dice: random.Random, depth: int = 0) -> Any:
    """Something like a metadata definition."""
    if depth > 2 or dice.random() < 0.3:
        return dice.choice(VALUES)
    found: Any = {dice.choice(WORDS): definitions(dice, depth + 1) for _ in range(dice.randrange(5))}
    found |= {"namespace": "n", "name": "a", "title": "t", "type": "string"} if dice.random() < 0.5 else {}
    return [found] if dice.random() < 0.2 else found


def imports(dice: random.Random) -> Any:
    """Something like an import."""
    more = documents(dice)
    method = {"name": dice.choice(METHODS), "uri": str(dice.choice(VALUES))[:200]}
    return {"method": method, **(more if isinstance(more, dict) else {})}


def tasks(dice: random.Random) -> Any:
    """Something like a task."""
    return {"type": dice.choice(("import", "export", "x", None)), "input": documents(dice)}


def members(dice: random.Random) -> Any:
    """Something like a member, or what one says."""
    return {"member": dice.choice(VALUES), "status": dice.choice(("accepted", "rejected", "pending", "x", None))}


MAKERS: list[tuple[str, Callable[[random.Random], Any]]] = [
    ("/metadefs/", definitions),
    ("/import", imports),
    ("/tasks", tasks),
    ("/members", members),
    ("/images", images),
]


def content(route: Route, dice: random.Random) -> tuple[bytes, str]:
    """What to send to a route that reads bytes, and its content type."""
    if route.path.endswith(("/file", "/stage")):
        return dice.choice((*RAW, b"x" * 512)), OCTETS
    if dice.random() < 0.06:
        return dice.choice(RAW), dice.choice((OCTETS, PATCH, "application/json"))
    if route.method == "PATCH":
        return json.dumps(patches(dice)).encode(), PATCH
    maker = next((maker for part, maker in MAKERS if part in route.path), documents)
    body = documents(dice) if dice.random() < 0.2 else maker(dice)
    return json.dumps(body).encode(), "application/json"
