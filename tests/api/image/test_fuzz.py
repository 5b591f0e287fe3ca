"""Odd documents and query strings: whatever is sent, the answer is never a defect."""

import random
from typing import Any

import httpx
import pytest

from tests.support.image import OCTETS, PATCH, an_image, an_image_service

pytestmark = pytest.mark.anyio
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
FILTERS = [
    "name", "status", "visibility", "owner", "size_min", "size_max", "tag", "limit", "marker", "sort", "sort_key",
    "sort_dir", "member_status", "os_hidden", "protected", "created_at", "updated_at", "id", "checksum", "colour",
    "changes-since", "min_ram_min", "size", "",
]  # fmt: skip


def documents(chance: random.Random) -> Any:
    if chance.random() < 0.1:
        return chance.choice(VALUES)
    return {chance.choice(NAMES): chance.choice(VALUES) for _ in range(chance.randrange(5))}


def patches(chance: random.Random) -> Any:
    if chance.random() < 0.1:
        return chance.choice(VALUES)
    words = [("op", OPERATIONS), ("path", POINTERS), ("value", VALUES), ("add", POINTERS)]
    return [
        {name: chance.choice(choices) for name, choices in words if chance.random() < 0.8}
        for _ in range(chance.randrange(4))
    ]


METHODS = ["glance-direct", "web-download", "copy-image", "", None]
KINDS = ["objects", "properties", "tags", "resource_types", "tags/x", ""]
WORDS = [
    "namespace",
    "name",
    "title",
    "type",
    "properties",
    "objects",
    "tags",
    "required",
    "default",
    "items",
    "prefix",
]


def definitions(chance: random.Random, depth: int = 0) -> Any:
    """Something like a metadata definition."""
    if depth > 2 or chance.random() < 0.3:
        return chance.choice(VALUES)
    found: Any = {chance.choice(WORDS): definitions(chance, depth + 1) for _ in range(chance.randrange(5))}
    found |= {"namespace": "n", "name": "a", "title": "t", "type": "string"} if chance.random() < 0.5 else {}
    return [found] if chance.random() < 0.2 else found


async def odd_metadefs(http: httpx.AsyncClient, chance: random.Random) -> list[httpx.Response]:
    base, kind = "/v2/metadefs/namespaces", chance.choice(KINDS)
    some = str(chance.choice(VALUES))[:200]
    return [
        await http.post(base, json=definitions(chance)),
        await http.post(f"{base}/n/{kind}".rstrip("/"), json=definitions(chance)),
        await http.put(f"{base}/n/{kind}".rstrip("/"), json=definitions(chance)),
        await http.get(f"{base}/n/{kind}".rstrip("/"), params={chance.choice(FILTERS): some}),
        await http.get(base, params={chance.choice([*FILTERS, "resource_types"]): some}),
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_odd_is_answered_with_500(seed: int) -> None:
    chance = random.Random(seed)
    async with an_image_service() as door:
        ann = door.as_("root" if seed % 2 else "ann", role="admin" if seed % 2 else "member", mount="/image")
        image = await an_image(ann)
        path = f"/v2/images/{image['id']}"
        odd = [b"", b"{", b"\xff", b"[" * 5000, b"null", b'"\\ud800"']
        for _ in range(150):
            body = documents(chance)
            more = body if isinstance(body, dict) else {}
            some = str(chance.choice(VALUES))[:200]
            answers = [
                await ann.post("/v2/images", json=body),
                await ann.post("/v2/images", content=chance.choice(odd)),
                await ann.post(f"{path}/members", json=body),
                await ann.put(f"{path}/members/{chance.choice(['blue', 'none'])}", json=body),
                await ann.post(f"{path}/import", json=body),
                await ann.request("PATCH", path, json=patches(chance), headers=PATCH),
                await ann.request("PATCH", path, content=chance.choice(odd), headers=PATCH),
                await ann.get("/v2/images", params={chance.choice(FILTERS): some, chance.choice(FILTERS): some}),
                await ann.get(
                    f"{path}/file", headers={"Range": f"bytes={chance.choice(['', '-', '1-', '-1', '9-1', 'x'])}"}
                ),
                await ann.put(f"{path}/file", content=chance.choice(odd), headers=OCTETS),
                *await odd_metadefs(ann, chance),
                await ann.post("/v2/tasks", json=chance.choice([body, {"type": "import", "input": body}])),
                await ann.post(
                    f"{path}/import", json={"method": {"name": chance.choice(METHODS), "uri": some}, **more}
                ),
                await ann.put(f"{path}/stage", content=chance.choice(odd), headers=OCTETS),
                await ann.post(f"{path}/locations", json={"url": chance.choice(VALUES), **more}),
                await ann.get("/v2/tasks", params={chance.choice(FILTERS): some}),
            ]
            await door.executor.idle()
            assert [a.request.url for a in answers if a.status_code >= 500] == []
    assert door.notes.facts("defect") == []
