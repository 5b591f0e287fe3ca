"""Several storage backends over HTTP: each is seen, volumes come to the one that fits, and to the next when one fails."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.drivers.faults import Fault
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.volume import VOLUME, a_snapshot, a_volume, message, read, volume_admin, volume_client

pytestmark = pytest.mark.anyio
USUAL, FAST, SLOW = "control@fake#fake", "control@fast#fast", "control@slow#slow"
HOST = "os-vol-host-attr:host"


@asynccontextmanager
async def with_backends() -> AsyncIterator[tuple[TestedCloud, httpx.AsyncClient, httpx.AsyncClient]]:
    """A cloud with three backends, of which ``fast`` is small; its administrator, and a member of the project demo."""
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, volume_backends="fast:10,slow")
        yield cloud, await volume_admin(cloud), await volume_client(cloud)


async def a_type(admin: httpx.AsyncClient, name: str, **specs: str) -> str:
    """A volume type that asks for these specs."""
    made = await admin.post(f"{VOLUME}/types", json={"volume_type": {"name": name, "extra_specs": specs}})
    assert made.status_code == 200, made.text
    return name


async def place(cloud: TestedCloud, admin: httpx.AsyncClient, **wanted: Any) -> str | None:
    """The backend on which a volume came to be."""
    found: str | None = (await a_volume(cloud, admin, **wanted))[HOST]
    return found


async def test_each_backend_is_a_service_with_a_pool_and_capabilities() -> None:
    async with with_backends() as (_, admin, _):
        services = (await admin.get(f"{VOLUME}/os-services", params={"binary": "cinder-volume"})).json()["services"]
        assert [(s["host"], s["state"]) for s in services] == [
            ("control@fake", "up"),
            ("control@fast", "up"),
            ("control@slow", "up"),
        ]

        async def pools(**wanted: str) -> list[str]:
            answer = await admin.get(f"{VOLUME}/scheduler-stats/get_pools", params=wanted)
            return [pool["name"] for pool in answer.json()["pools"]]

        assert await pools() == [USUAL, FAST, SLOW]
        assert await pools(name=FAST) == await pools(volume_backend_name="fast") == [FAST]
        await a_type(admin, "quick", volume_backend_name="fast")
        assert await pools(volume_type="quick") == [FAST]
        detailed = await admin.get(f"{VOLUME}/scheduler-stats/get_pools", params={"detail": "true", "name": FAST})
        [fast] = detailed.json()["pools"]
        told = fast["capabilities"]
        assert (told["volume_backend_name"], told["pool_name"], told["total_capacity_gb"]) == ("fast", "fast", 10)
        shown = (await admin.get(f"{VOLUME}/capabilities/control@slow")).json()
        assert shown["volume_backend_name"] == "slow"
        switched = await admin.put(
            f"{VOLUME}/os-services/disable", json={"binary": "cinder-volume", "host": "control@fast"}
        )
        assert switched.status_code == 200
        assert await pools() == [USUAL, SLOW]


async def test_a_volume_comes_to_the_backend_that_its_type_asks_for() -> None:
    async with with_backends() as (cloud, admin, _):
        assert await place(cloud, admin) == USUAL
        for name, specs in (
            ("quick", {"volume_backend_name": "fast"}),
            ("either", {"volume_backend_name": "<or> fast <or> none"}),
            ("small", {"capabilities:total_capacity_gb": "<= 10"}),
        ):
            assert await place(cloud, admin, volume_type=await a_type(admin, name, **specs)) == FAST
        # 20 times what it has may be promised, no more.
        large = await a_volume(cloud, admin, size=201, volume_type="quick")
        assert (large["status"], large[HOST]) == ("error", None)
        notes = [n for n in cloud.notes.notes if n.word == "backend" and n.facts.get("filter") == "CapacityFilter"]
        assert [note.facts["host"] for note in notes] == ["control@fast"]


async def test_the_backend_with_most_room_is_taken_and_a_disabled_one_gets_none() -> None:
    async with with_backends() as (cloud, admin, _):
        assert await place(cloud, admin, size=5) == USUAL
        assert await place(cloud, admin) == SLOW
        for host in ("control@slow", "control@fake"):
            await admin.put(f"{VOLUME}/os-services/disable", json={"binary": "cinder-volume", "host": host})
        assert await place(cloud, admin) == FAST


async def test_what_is_made_of_a_volume_stays_on_its_backend() -> None:
    async with with_backends() as (cloud, admin, demo):
        await a_type(admin, "quick", volume_backend_name="fast")
        source = await a_volume(cloud, demo, volume_type="quick")
        snapshot = await a_snapshot(cloud, demo, source["id"])
        for wanted in ({"source_volid": source["id"]}, {"snapshot_id": snapshot["id"]}):
            made = await a_volume(cloud, demo, **wanted)
            assert (await read(admin, "volume", made["id"]))[HOST] == FAST
        await a_type(admin, "lazy", volume_backend_name="slow")
        elsewhere = await a_volume(cloud, demo, source_volid=source["id"], volume_type="lazy")
        assert elsewhere["status"] == "error"


async def test_a_backend_that_fails_is_left_for_the_next() -> None:
    async with with_backends() as (cloud, admin, demo):
        assert cloud.cloud.fake is not None
        faults = cloud.cloud.fake.faults
        full = ErrorFacts(meaning="failed", message="the disk is full")
        faults.add(Fault(verb="ensure_volume", host="volumes", error=full))
        made = await a_volume(cloud, demo)
        assert made["status"] == "available"
        assert (await read(admin, "volume", made["id"]))[HOST] == SLOW
        faults.add(Fault(verb="ensure_volume", count=None, error=full))
        lost = await a_volume(cloud, demo)
        assert lost["status"] == "error"
        assert "IgnoreAttemptedHostsFilter" in {n.facts.get("filter") for n in cloud.notes.notes if n.word == "backend"}
        assert not any((await cloud.reconciled()).values())
        assert await cloud.stuck() == []


async def test_a_group_is_on_one_backend() -> None:
    async with with_backends() as (cloud, admin, demo):
        await a_type(admin, "quick", volume_backend_name="fast")
        kinds = (await admin.get(f"{VOLUME}/types")).json()["volume_types"]
        usual = next(kind["id"] for kind in kinds if kind["name"] == "__DEFAULT__")
        group_type = {"group_type": {"name": "g", "group_specs": {}}}
        made_type = (await admin.post(f"{VOLUME}/group_types", json=group_type)).json()["group_type"]["id"]
        asked = {"name": "g", "group_type": made_type, "volume_types": [usual, "quick"]}
        group = (await demo.post(f"{VOLUME}/groups", json={"group": asked})).json()["group"]["id"]
        await cloud.settled()
        first = await a_volume(cloud, demo, group_id=group, volume_type=usual)
        await a_volume(cloud, demo, size=9)
        second = await a_volume(cloud, demo, group_id=group, volume_type=usual)
        assert (await read(admin, "volume", second["id"]))[HOST] == (await read(admin, "volume", first["id"]))[HOST]
        other = await a_volume(cloud, demo, volume_type="quick")
        refused = await demo.put(f"{VOLUME}/groups/{group}", json={"group": {"add_volumes": other["id"]}})
        assert (refused.status_code, message(refused)) == (400, "Invalid volume: Volume is not local to this node.")
