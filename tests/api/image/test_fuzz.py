"""Odd documents and query strings: whatever is sent, the answer is never a defect."""

import random

import httpx
import pytest

from tests.support.image import OCTETS, PATCH, an_image, an_image_service
from tests.support.odd_image import METHODS, RAW, VALUES, definitions, documents, patches
from tests.support.odd_requests import send

pytestmark = pytest.mark.anyio
FILTERS = [
    "name", "status", "visibility", "owner", "size_min", "size_max", "tag", "limit", "marker", "sort", "sort_key",
    "sort_dir", "member_status", "os_hidden", "protected", "created_at", "updated_at", "id", "checksum", "colour",
    "changes-since", "min_ram_min", "size", "",
]  # fmt: skip


KINDS = ["objects", "properties", "tags", "resource_types", "tags/x", ""]


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
        for _ in range(150):
            body = documents(chance)
            more = body if isinstance(body, dict) else {}
            some = str(chance.choice(VALUES))[:200]
            answers = [
                await ann.post("/v2/images", json=body),
                await ann.post("/v2/images", content=chance.choice(RAW)),
                await ann.post(f"{path}/members", json=body),
                await ann.put(f"{path}/members/{chance.choice(['blue', 'none'])}", json=body),
                await ann.post(f"{path}/import", json=body),
                await ann.request("PATCH", path, json=patches(chance), headers=PATCH),
                await ann.request("PATCH", path, content=chance.choice(RAW), headers=PATCH),
                await ann.get("/v2/images", params={chance.choice(FILTERS): some, chance.choice(FILTERS): some}),
                await ann.get(
                    f"{path}/file", headers={"Range": f"bytes={chance.choice(['', '-', '1-', '-1', '9-1', 'x'])}"}
                ),
                await ann.put(f"{path}/file", content=chance.choice(RAW), headers=OCTETS),
                *await odd_metadefs(ann, chance),
                await ann.post("/v2/tasks", json=chance.choice([body, {"type": "import", "input": body}])),
                await ann.post(
                    f"{path}/import", json={"method": {"name": chance.choice(METHODS), "uri": some}, **more}
                ),
                await ann.put(f"{path}/stage", content=chance.choice(RAW), headers=OCTETS),
                await ann.post(f"{path}/locations", json={"url": chance.choice(VALUES), **more}),
                await ann.get("/v2/tasks", params={chance.choice(FILTERS): some}),
            ]
            await door.executor.idle()
            assert [a.request.url for a in answers if a.status_code >= 500] == []
    assert door.notes.facts("defect") == []


async def test_what_routes_say_of_themselves_makes_no_defect() -> None:
    statuses = await send("image", 5, 400, per_cloud=400)
    assert sum(statuses.values()) == 400
    assert {200, 201, 400, 404} <= set(statuses)
