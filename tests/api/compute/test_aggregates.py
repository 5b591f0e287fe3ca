"""Aggregates over HTTP: made, changed, given hosts and metadata; zones and Placement follow."""

from contextlib import AsyncExitStack

import pytest

from minicloud.core.compute import hosts
from minicloud.core.placement import aggregates as placed
from minicloud.engines.database import Transaction
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
AGGREGATES = f"{V}/os-aggregates"


async def test_an_aggregate_is_made_shown_changed_and_deleted() -> None:
    async with a_compute_service() as door:
        admin = at(door.as_("root", role="admin"), "2.1")
        made = await admin.post(AGGREGATES, json={"aggregate": {"name": "fast", "availability_zone": "east"}})
        assert made.status_code == 200, made.text
        document = made.json()["aggregate"]
        assert len(document.pop("created_at")) == 26
        basic = {"id": 1, "name": "fast", "availability_zone": "east", "updated_at": None}
        assert document == {**basic, "deleted": False, "deleted_at": None}
        shown = (await admin.get(f"{AGGREGATES}/1")).json()["aggregate"]
        assert (shown["hosts"], shown["metadata"]) == ([], {"availability_zone": "east"})
        assert "uuid" not in shown
        newer = at(door.as_("root", role="admin"), "2.41")
        assert len((await newer.get(AGGREGATES)).json()["aggregates"][0]["uuid"]) == 36
        twice = await admin.post(AGGREGATES, json={"aggregate": {"name": "fast"}})
        assert (twice.status_code, twice.json()["conflictingRequest"]["message"]) == (
            409,
            "Aggregate fast already exists.",
        )
        changed = await admin.put(f"{AGGREGATES}/1", json={"aggregate": {"name": "slow", "availability_zone": "west"}})
        assert changed.json()["aggregate"]["name"] == "slow"
        assert changed.json()["aggregate"]["availability_zone"] == "west"
        metadata = {"ssd": "true", "availability_zone": "north"}
        set_ = await admin.post(f"{AGGREGATES}/1/action", json={"set_metadata": {"metadata": metadata}})
        assert set_.json()["aggregate"]["metadata"] == metadata
        gone = await admin.post(f"{AGGREGATES}/1/action", json={"set_metadata": {"metadata": {"ssd": None}}})
        assert gone.json()["aggregate"]["metadata"] == {"availability_zone": "north"}
        assert (await admin.delete(f"{AGGREGATES}/1")).status_code == 200
        missing = await admin.get(f"{AGGREGATES}/1")
        assert (missing.status_code, missing.json()["itemNotFound"]["message"]) == (
            404,
            "Aggregate 1 could not be found.",
        )


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", {"aggregate": {"name": ""}}, 400),
        ("POST", "", {"aggregate": {"name": " a "}}, 400),
        ("POST", "", {"aggregate": {"name": "a", "availability_zone": "a:b"}}, 400),
        ("POST", "", {"aggregate": {"name": "a", "color": "red"}}, 400),
        ("PUT", "/1", {"aggregate": {}}, 400),
        ("PUT", "/1", {"aggregate": {"availability_zone": None}}, 400),
        ("PUT", "/9", {"aggregate": {"name": "b"}}, 404),
        ("GET", "/abc", None, 400),
        ("POST", "/1/action", {"add_host": {"host": "nobody"}}, 404),
        ("POST", "/1/action", {"add_host": {"host": "b d"}}, 400),
        ("POST", "/1/action", {"remove_host": {"host": "nobody"}}, 404),
        ("POST", "/1/action", {"set_metadata": {"metadata": {"a/b": "c"}}}, 400),
        ("POST", "/1/action", {"set_metadata": {"metadata": {"availability_zone": None}}}, 400),
        ("POST", "/1/action", {"dance": {}}, 400),
        ("POST", "/1/images", {"cache": []}, 400),
        ("POST", "/1/images", {"cache": [{"id": "5eed0000-0000-4000-8000-000000000001"}] * 2}, 400),
        ("POST", "/9/images", {"cache": [{"id": "5eed0000-0000-4000-8000-000000000001"}]}, 404),
    ],
)
async def test_odd_requests_are_refused(method: str, path: str, body: object, status: int) -> None:
    async with a_compute_service() as door:
        admin = at(door.as_("root", role="admin"), "2.96")
        await admin.post(AGGREGATES, json={"aggregate": {"name": "one"}})
        answer = await admin.request(method, f"{AGGREGATES}{path}", json=body)
        assert answer.status_code == status, answer.text


async def test_only_administrators_see_them() -> None:
    async with a_compute_service() as door:
        assert (await door.as_("ann").get(AGGREGATES)).status_code == 403


async def zones(cloud: TestedCloud) -> dict[str, list[str]]:
    answer = await cloud.admin.get(f"{V}/os-availability-zone/detail")
    return {
        zone["zoneName"]: sorted(zone["hosts"])
        for zone in answer.json()["availabilityZoneInfo"]
        if zone["zoneName"] != "internal"
    }


async def test_hosts_of_an_aggregate_are_in_its_zone_and_in_placements_group() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        made = (
            await cloud.admin.post(AGGREGATES, json={"aggregate": {"name": "e", "availability_zone": "east"}})
        ).json()
        number = made["aggregate"]["id"]
        added = await cloud.admin.post(f"{AGGREGATES}/{number}/action", json={"add_host": {"host": "host-2"}})
        assert added.json()["aggregate"]["hosts"] == ["host-2"]
        again = await cloud.admin.post(f"{AGGREGATES}/{number}/action", json={"add_host": {"host": "host-2"}})
        assert (again.status_code, again.json()["conflictingRequest"]["message"]) == (
            409,
            f"Aggregate {number} already has host host-2.",
        )
        assert await zones(cloud) == {"east": ["host-2"], "nova": ["host-1"]}

        def of_host(tx: Transaction) -> list[str]:
            node = hosts.node_of(tx, "host-2")
            assert node is not None
            return placed.of_provider(tx, node.uuid)

        assert await cloud.read(of_host) == [made["aggregate"]["uuid"]]
        server = await cloud.a_server(availability_zone="east")
        assert server["OS-EXT-AZ:availability_zone"] == "east"
        west = (
            await cloud.admin.post(AGGREGATES, json={"aggregate": {"name": "w", "availability_zone": "west"}})
        ).json()
        other = west["aggregate"]["id"]
        moved = await cloud.admin.post(f"{AGGREGATES}/{other}/action", json={"add_host": {"host": "host-2"}})
        assert moved.status_code == 409
        assert "One or more hosts already in availability zone(s) ['east']" in moved.text
        for action in ({"remove_host": {"host": "host-2"}},):
            refused = await cloud.admin.post(f"{AGGREGATES}/{number}/action", json=action)
            assert refused.status_code == 409
            assert "the host already has 1 instance(s)" in refused.text
        renamed = await cloud.admin.put(f"{AGGREGATES}/{number}", json={"aggregate": {"availability_zone": "north"}})
        assert (renamed.status_code, "One or more hosts contain instances" in renamed.text) == (400, True)
        busy = await cloud.admin.delete(f"{AGGREGATES}/{number}")
        assert (busy.status_code, "Host aggregate is not empty" in busy.text) == (400, True)
        await cloud.demo.delete(f"{V}/servers/{server['id']}")
        await cloud.settled()
        removed = await cloud.admin.post(f"{AGGREGATES}/{number}/action", json={"remove_host": {"host": "host-2"}})
        assert removed.status_code == 200, removed.text
        assert await cloud.read(of_host) == []
        assert await zones(cloud) == {"nova": ["host-1", "host-2"]}
        assert "aggregate_host_removed" in cloud.notes.words()


async def test_an_aggregates_ratio_is_what_its_hosts_offer() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)

        async def offered() -> dict[str, float]:
            rows = await cloud.read(
                lambda tx: tx.all(
                    "SELECT p.name, i.allocation_ratio FROM placement_inventories i JOIN placement_providers p "
                    "ON p.id = i.provider_id WHERE i.resource_class = 'VCPU'"
                )
            )
            return dict(rows)

        assert await offered() == {"host-1": 16.0, "host-2": 16.0}
        for number, ratio in ((1, "4.0"), (2, "2.5"), (3, "many")):
            await cloud.admin.post(AGGREGATES, json={"aggregate": {"name": f"a{number}"}})
            ratios = {"cpu_allocation_ratio": ratio}
            await cloud.admin.post(f"{AGGREGATES}/{number}/action", json={"set_metadata": {"metadata": ratios}})
            added = await cloud.admin.post(f"{AGGREGATES}/{number}/action", json={"add_host": {"host": "host-1"}})
            assert added.status_code == 200, added.text
        assert await offered() == {"host-1": 2.5, "host-2": 16.0}
        await cloud.admin.post(f"{AGGREGATES}/2/action", json={"remove_host": {"host": "host-1"}})
        assert await offered() == {"host-1": 4.0, "host-2": 16.0}
        none = {"cpu_allocation_ratio": None}
        await cloud.admin.post(f"{AGGREGATES}/1/action", json={"set_metadata": {"metadata": none}})
        assert await offered() == {"host-1": 16.0, "host-2": 16.0}


async def test_images_are_brought_to_the_hosts_of_an_aggregate() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        await cloud.admin.post(AGGREGATES, json={"aggregate": {"name": "fast"}})
        await cloud.admin.post(f"{AGGREGATES}/1/action", json={"add_host": {"host": "host-2"}})
        unknown = "00000000-0000-4000-8000-000000000000"
        body = {"cache": [{"id": await cloud.image_id()}, {"id": unknown}]}
        answer = await cloud.admin.post(f"{AGGREGATES}/1/images", json=body)
        assert (answer.status_code, answer.content) == (202, b"")
        await cloud.settled()
        assert cloud.cloud.fake is not None
        log = cloud.cloud.fake.log
        assert [len(log.rows("bases", host)) for host in ("host-1", "host-2")] == [0, 1]
        await cloud.reconciled()
        assert (await cloud.admin.get(f"/image/v2/cache/nodes/{await cloud.image_id()}")).json() == ["host-2"]
        assert await cloud.stuck() == []
