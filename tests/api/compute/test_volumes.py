"""Volumes and snapshots through Nova, as clients older than 2.36 have them."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_a_volume_and_its_snapshot_from_first_to_last() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, reconcile_interval=1e6)
        old = await cloud.as_demo(version="compute 2.35")
        body = {"size": "1", "display_name": "data", "display_description": "of mine", "metadata": {"a": "b"}}
        made = await old.post(f"{V}/os-volumes", json={"volume": body})
        assert made.status_code == 200, made.text
        volume = made.json()["volume"]
        assert made.headers["location"].endswith(f"/os-volumes/{volume['id']}")
        await cloud.settled()
        shown = (await old.get(f"{V}/os-volumes/{volume['id']}")).json()["volume"]
        assert (shown["status"], shown["size"], shown["attachments"]) == ("available", 1, [{}])
        assert (shown["displayName"], shown["displayDescription"], shown["metadata"]) == ("data", "of mine", {"a": "b"})
        for path in ("os-volumes", "os-volumes/detail"):
            assert (await old.get(f"{V}/{path}")).json() == {"volumes": [shown]}
        assert (await old.get(f"{V}/os-volumes?offset=1")).json() == {"volumes": []}
        asked = {"snapshot": {"volume_id": volume["id"], "display_name": "then", "force": "false"}}
        snapshot = (await old.post(f"{V}/os-snapshots", json=asked)).json()["snapshot"]
        assert (snapshot["volumeId"], snapshot["size"], snapshot["displayName"]) == (volume["id"], 1, "then")
        await cloud.settled()
        taken = (await old.get(f"{V}/os-snapshots/{snapshot['id']}")).json()["snapshot"]
        assert taken["status"] == "available"
        for path in ("os-snapshots", "os-snapshots/detail"):
            assert (await old.get(f"{V}/{path}")).json() == {"snapshots": [taken]}
        assert (await old.delete(f"{V}/os-volumes/{volume['id']}")).status_code == 400
        for path in (f"os-snapshots/{snapshot['id']}", f"os-volumes/{volume['id']}"):
            assert (await old.delete(f"{V}/{path}")).status_code == 202
            await cloud.settled()
            assert (await old.get(f"{V}/{path}")).status_code == 404
        assert (await cloud.demo.get(f"{V}/os-volumes")).status_code == 404


async def test_what_cannot_be() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, reconcile_interval=1e6)
        old = await cloud.as_demo(version="compute 2.35")
        for body, status in (
            ({"size": 0}, 400),
            ({"size": "x"}, 400),
            ({}, 400),
            ({"size": 1, "odd": 1}, 400),
            ({"size": 1, "snapshot_id": NOBODY}, 404),
            ({"size": 1, "availability_zone": "nowhere"}, 400),
            ({"size": 2000}, 403),
        ):
            assert (await old.post(f"{V}/os-volumes", json={"volume": body})).status_code == status, body
        for force, status in (("perhaps", 400), (False, 404)):
            body = {"snapshot": {"volume_id": NOBODY, "force": force}}
            assert (await old.post(f"{V}/os-snapshots", json=body)).status_code == status
        assert (await old.get(f"{V}/os-volumes?limit=x")).status_code == 400
