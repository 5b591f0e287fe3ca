"""Where servers go: groups under races, zones of aggregates, forced and requested hosts, hosts on which builds failed."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"


async def a_group(cloud: TestedCloud, policy: str, **rules: int) -> str:
    body: dict[str, Any] = {"name": policy, "policy": policy}
    if rules:
        body["rules"] = rules
    answer = await cloud.demo.post(f"{V}/os-server-groups", json={"server_group": body})
    group: str = answer.json()["server_group"]["id"]
    return group


async def ask(cloud: TestedCloud, group: str | None, **fields: Any) -> str:
    image = await cloud.image_id()
    server = {"name": "web", "flavorRef": "1", "imageRef": image, "networks": "none", **fields}
    hints = {} if group is None else {"group": group}
    client = cloud.admin if "availability_zone" in fields or "host" in fields else cloud.demo
    answer = await client.post(f"{V}/servers", json={"server": server, "os:scheduler_hints": hints})
    assert answer.status_code == 202, answer.text
    made: str = answer.json()["server"]["id"]
    return made


async def homes(cloud: TestedCloud, ids: list[str]) -> list[str | None]:
    await cloud.settled()
    found = [await cloud.server(one, cloud.admin) for one in ids]
    return [one["OS-EXT-SRV-ATTR:host"] if one["status"] == "ACTIVE" else None for one in found]


@pytest.mark.parametrize(
    ("policy", "rules", "count", "expected"),
    [
        ("anti-affinity", {}, 5, [1, 1, 1]),
        ("anti-affinity", {"max_server_per_host": 2}, 6, [2, 2, 2]),
        ("affinity", {}, 5, [5]),
        ("soft-affinity", {}, 4, [4]),
        ("soft-anti-affinity", {}, 5, [1, 2, 2]),
    ],
)
async def test_servers_asked_for_at_once_keep_to_the_policy(
    policy: str, rules: dict[str, int], count: int, expected: list[int]
) -> None:
    async with AsyncExitStack() as stack:
        # Free memory weighs nothing here, nor does work under way: the policy has to do it.
        weights = ("ram", "cpu", "disk", "io_ops")
        cloud = await a_cloud(stack, hosts=3, **{f"{one}_weight_multiplier": 0.0 for one in weights})
        group = await a_group(cloud, policy, **rules)
        ids: list[str] = []

        async def one() -> None:
            ids.append(await ask(cloud, group))

        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(one)
        where = [host for host in await homes(cloud, ids) if host is not None]
        assert sorted(where.count(host) for host in set(where)) == expected
        for server_id in ids:
            server = await cloud.server(server_id, cloud.admin)
            if server["status"] == "ERROR":
                assert "of the 1 servers of the group allowed there" in server["fault"]["message"]
        assert await cloud.stuck() == []


async def test_a_forced_host_must_keep_to_the_policy_too_and_a_requested_one_to_all_filters() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=3)
        group = await a_group(cloud, "anti-affinity")
        [first] = await homes(cloud, [await ask(cloud, group)])
        other = next(host for host in ("host-1", "host-2", "host-3") if host != first)
        assert await homes(cloud, [await ask(cloud, None, availability_zone=f"nova:{other}:{other}")]) == [other]
        assert await homes(cloud, [await ask(cloud, None, availability_zone=f"nova:{other}")]) == [other]
        assert await homes(cloud, [await ask(cloud, None, host=other)]) == [other]
        assert await homes(cloud, [await ask(cloud, None, availability_zone="nova:nowhere")]) == [None]
        await cloud.host_silent(other)
        # The administrator forces it there; nothing but the host itself can refuse.
        assert await homes(cloud, [await ask(cloud, None, host=other)]) == [None]
        refused = await ask(cloud, None, host=other)
        await cloud.settled()
        assert "ComputeFilter refused 1 of 1" in (await cloud.server(refused, cloud.admin))["fault"]["message"]


async def test_a_zone_of_an_aggregate_is_asked_of_placement_and_told() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=3)
        aggregate = {"name": "e", "availability_zone": "east"}
        await cloud.admin.post(f"{V}/os-aggregates", json={"aggregate": aggregate})
        await cloud.admin.post(f"{V}/os-aggregates/1/action", json={"add_host": {"host": "host-3"}})
        assert await homes(cloud, [await ask(cloud, None, availability_zone="east")]) == ["host-3"]
        assert cloud.notes.facts("placement_candidates")[-1]["count"] == 1
        assert set(await homes(cloud, [await ask(cloud, None, availability_zone="nova") for _ in range(4)])) == {
            "host-1",
            "host-2",
        }
        services = (await cloud.admin.get(f"{V}/os-services?host=host-3")).json()["services"]
        closed = {"status": "disabled", "disabled_reason": "new disks"}
        await cloud.admin.put(f"{V}/os-services/{services[0]['id']}", json=closed)
        refused = await cloud.admin.post(
            f"{V}/servers",
            json={
                "server": {
                    "name": "x",
                    "flavorRef": "1",
                    "imageRef": await cloud.image_id(),
                    "networks": "none",
                    "availability_zone": "east",
                }
            },
        )
        assert refused.status_code == 400, "nobody in that zone takes servers"


async def test_hosts_on_which_builds_failed_come_last_until_one_works() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        await cloud.write(lambda tx: tx.execute("INSERT INTO build_failures (host, failures) VALUES ('host-1', 2)"))
        assert await homes(cloud, [await ask(cloud, None) for _ in range(3)]) == ["host-2"] * 3
        assert await homes(cloud, [await ask(cloud, None, availability_zone="nova:host-1")]) == ["host-1"]
        assert await cloud.read(lambda tx: tx.all("SELECT * FROM build_failures")) == []
