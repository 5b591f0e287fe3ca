"""A rehearsal: where a server would go and why, agreed with where it then goes; and nothing is left of it."""

from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from minicloud.base.errors import Invalid, NotFound
from minicloud.base.trace import Note
from minicloud.cli.schedule import hints_of, written
from minicloud.operations.desk import answers
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"


async def ask(cloud: TestedCloud, **given: Any) -> tuple[dict[str, Any], list[str]]:
    found = await answers(cloud.cloud)["schedule"]({"flavor": "m1.tiny", "image": "minilinux", **given})
    plain = msgspec.to_builtins(found, enc_hook=str, str_keys=True)
    return plain, written(plain, msgspec.convert(plain["notes"], list[Note]))


async def test_it_tells_where_the_server_then_goes() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=3)
        before = await cloud.read(lambda tx: tx.all("SELECT count(*) FROM servers"))
        for _ in range(4):
            found, lines = await ask(cloud, project="demo")
            assert lines[0].startswith(f"The server would go to {found['choices'][0]['host']} in zone nova; else to ")
            server = await cloud.a_server(cloud.admin)
            assert server["OS-EXT-SRV-ATTR:host"] == found["choices"][0]["host"]
        assert any("filter ComputeFilter passes host host-1: is enabled and up" in line for line in lines)
        assert any("host host-2 weighs" in line for line in lines)
        rows = await cloud.read(lambda tx: tx.all("SELECT count(*) FROM servers"))
        assert rows[0][0] == before[0][0] + 4


async def test_hints_zones_and_forced_hosts_count() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(
            stack, hosts=2, enabled_filters="ComputeFilter,DifferentHostFilter,AvailabilityZoneFilter"
        )
        server = await cloud.a_server(cloud.admin)
        home = server["OS-EXT-SRV-ATTR:host"]
        found, _ = await ask(cloud, hints={"different_host": server["id"]})
        assert [choice["host"] for choice in found["choices"]] == [{"host-1": "host-2", "host-2": "host-1"}[home]]
        found, _ = await ask(cloud, zone=f"nova:{home}")
        assert [choice["host"] for choice in found["choices"]] == [home]
        found, lines = await ask(cloud, zone="west")
        assert found["refused"] == lines[0]
        assert "is in zone nova, not in west" in lines[0]
        group = {"name": "g", "policy": "anti-affinity"}
        made = (await cloud.admin.post(f"{V}/os-server-groups", json={"server_group": group})).json()
        found, _ = await ask(cloud, hints={"group": made["server_group"]["id"]})
        assert len(found["choices"]) == 2
        for wrong in ({"flavor": "none"}, {"image": "none"}, {"project": "none"}):
            with pytest.raises(NotFound, match="has the name or id none"):
                await ask(cloud, **wrong)


def test_hints_are_read() -> None:
    assert hints_of(["a=1", "b=2", "b=3", "c=x=y"]) == {"a": "1", "b": ["2", "3"], "c": "x=y"}
    with pytest.raises(Invalid):
        hints_of(["a"])


async def test_the_real_placement_client_is_told_of_the_same_hosts() -> None:
    """What ``openstack allocation candidate list`` asks is answered with the hosts that a rehearsal looks at."""
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=5, fake_vcpus=1, cpu_allocation_ratio=1.0)
        for _ in range(2):
            await cloud.a_server(networks="none")
        found, _ = await ask(cloud)
        asked = next(note["facts"] for note in found["notes"] if note["word"] == "placement_request")
        resources = ",".join(f"{name}:{amount}" for name, amount in asked["resources"].items())
        http = await cloud.as_admin(version="placement 1.39")
        answer = await http.get(f"/placement/allocation_candidates?resources={resources}")
        candidates = [next(iter(one["allocations"])) for one in answer.json()["allocation_requests"]]
        assert len(candidates) == 3
        looked_at = {note["facts"]["host"] for note in found["notes"] if note["word"] == "weigh"}
        providers = (await http.get("/placement/resource_providers")).json()["resource_providers"]
        assert {one["name"] for one in providers if one["uuid"] in candidates} == looked_at
