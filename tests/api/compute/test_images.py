"""Images through Nova, as clients older than 2.36 have them, and their metadata until 2.38."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpx
import pytest

from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack, reconcile_interval=1e6)


@pytest.fixture
async def old(cloud: TestedCloud) -> httpx.AsyncClient:
    """A member's client of 2.35."""
    return await cloud.as_demo(version="compute 2.35")


async def an_image(cloud: TestedCloud, name: str, **fields: Any) -> str:
    body = {"name": name, "disk_format": "raw", "container_format": "bare", **fields}
    made: str = (await cloud.demo.post("/image/v2/images", json=body)).json()["id"]
    return made


async def test_listed_and_shown_in_novas_form(cloud: TestedCloud, old: httpx.AsyncClient) -> None:
    await anyio.sleep(1)
    mine = await an_image(cloud, "mine", min_ram=64, os_distro="none", instance_uuid=NOBODY, auto_disk_config="true")
    brief = (await old.get(f"{V}/images")).json()["images"]
    assert [one["name"] for one in brief] == ["mine", "minilinux"]
    assert [link["rel"] for link in brief[0]["links"]] == ["self", "bookmark", "alternate"]
    full = (await old.get(f"{V}/images/{mine}")).json()["image"]
    assert (full["status"], full["progress"], full["minRam"], full["OS-EXT-IMG-SIZE:size"]) == ("SAVING", 25, 64, None)
    assert (full["metadata"]["os_distro"], full["server"]["id"], full["OS-DCF:diskConfig"]) == ("none", NOBODY, "AUTO")
    assert full in (await old.get(f"{V}/images/detail")).json()["images"]
    for params, wanted in (
        ({"name": "mine"}, ["mine"]),
        ({"status": "ACTIVE"}, ["minilinux"]),
        ({"server": f"http://x/servers/{NOBODY}"}, ["mine"]),
        ({"minRam": "64"}, ["mine"]),
        ({"property-os_distro": "none"}, ["mine"]),
        ({"changes-since": "2030-01-01T00:00:00Z"}, []),
        ({"limit": "1"}, ["mine"]),
        ({"marker": mine}, ["minilinux"]),
    ):
        found = (await old.get(f"{V}/images", params=params)).json()["images"]
        assert [one["name"] for one in found] == wanted, params
    assert (await old.get(f"{V}/images", params={"changes-since": "x"})).status_code == 400
    assert (await cloud.demo.get(f"{V}/images")).status_code == 404


async def test_deleted_by_its_owner_only(cloud: TestedCloud, old: httpx.AsyncClient) -> None:
    mine = await an_image(cloud, "mine")
    assert (await old.delete(f"{V}/images/{await cloud.image_id()}")).status_code == 403
    assert (await old.delete(f"{V}/images/{mine}")).status_code == 204
    assert (await old.delete(f"{V}/images/{mine}")).status_code == 404


async def test_metadata(cloud: TestedCloud) -> None:
    mine = await an_image(cloud, "mine", a="1")
    client = await cloud.as_demo(version="compute 2.38")
    at = f"{V}/images/{mine}/metadata"
    assert (await client.get(at)).json() == {"metadata": {"a": "1"}}
    assert (await client.post(at, json={"metadata": {"b": "2"}})).json() == {"metadata": {"a": "1", "b": "2"}}
    assert (await client.get(f"{at}/b")).json() == {"meta": {"b": "2"}}
    assert (await client.put(f"{at}/b", json={"meta": {"b": "3"}})).json() == {"meta": {"b": "3"}}
    assert (await client.put(f"{at}/b", json={"meta": {"c": "3"}})).status_code == 400
    assert (await client.put(at, json={"metadata": {"c": "4"}})).json() == {"metadata": {"c": "4"}}
    assert (await client.delete(f"{at}/c")).status_code == 204
    assert (await client.delete(f"{at}/c")).status_code == 404
    assert (await client.get(f"{at}/c")).status_code == 404
    assert (await client.post(f"{V}/images/{NOBODY}/metadata", json={"metadata": {}})).status_code == 404
    foreign = f"{V}/images/{await cloud.image_id()}/metadata"
    assert (await client.post(foreign, json={"metadata": {"a": "b"}})).status_code == 403
    many = {f"k{number}": "v" for number in range(129)}
    assert (await client.post(at, json={"metadata": many})).status_code == 403
    assert (await cloud.demo.get(at)).status_code == 404
