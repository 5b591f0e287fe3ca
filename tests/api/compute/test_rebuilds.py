"""Rebuilding servers over HTTP: what changes, what stays, what is refused."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.clouds import a_cloud
from tests.support.compute import at

pytestmark = pytest.mark.anyio


async def test_a_rebuild_changes_what_it_says_and_keeps_the_rest() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        before = await cloud.a_server(metadata={"a": "1"}, user_data="YQ==")
        wanted = {
            "imageRef": await cloud.image_id(),
            "name": "new",
            "metadata": {"b": "2"},
            "description": "again",
            "adminPass": "secret-word",
            "user_data": None,
            "hostname": "other",
            "OS-DCF:diskConfig": "AUTO",
        }
        answer = await cloud.act(before["id"], {"rebuild": wanted})
        assert answer.status_code == 202, answer.text
        shown = answer.json()["server"]
        assert (shown["status"], shown["adminPass"], shown["name"]) == ("REBUILD", "secret-word", "new")
        assert (shown["user_data"], shown["key_name"]) == (None, None)
        assert answer.headers["Location"].endswith(f"/servers/{before['id']}")
        await cloud.settled()
        after = await cloud.server(before["id"])
        assert (after["status"], after["metadata"], after["description"]) == ("ACTIVE", {"b": "2"}, "again")
        assert (after["addresses"], after["OS-DCF:diskConfig"]) == (before["addresses"], "AUTO")
        assert [machine.id for machine in await cloud.hypervisor().machines()] == [before["id"]]


async def test_answers_to_changes_were_short_before_2_75() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        demo = at(cloud.demo, "2.1")
        answer = await cloud.act(server["id"], {"rebuild": {"imageRef": await cloud.image_id()}}, demo)
        basic = {
            "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated",
            "addresses", "accessIPv4", "accessIPv6", "links", "OS-DCF:diskConfig", "progress",
        }  # fmt: skip
        assert set(answer.json()["server"]) == basic | {"adminPass"}
        await cloud.settled()
        changed = await demo.put(f"/compute/v2.1/servers/{server['id']}", json={"server": {"name": "n"}})
        assert set(changed.json()["server"]) == basic
        assert {frozenset(p) for ps in changed.json()["server"]["addresses"].values() for p in ps} == {
            frozenset({"version", "addr"})
        }


async def test_a_stopped_server_is_stopped_again() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        await cloud.act(server["id"], {"os-stop": None})
        await cloud.settled()
        await cloud.act(server["id"], {"rebuild": {"imageRef": await cloud.image_id()}})
        await cloud.settled()
        assert (await cloud.server(server["id"]))["status"] == "SHUTOFF"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"imageRef": "5eed0000-0000-4000-8000-000000000001"}, 400),
        ({"imageRef": "nonsense"}, 400),
        ({"name": ""}, 400),
        ({"name": " "}, 400),
        ({"key_name": "none"}, 400),
        ({"user_data": "%"}, 400),
        ({"accessIPv4": "x"}, 400),
        ({"preserve_ephemeral": True}, 400),
        ({"metadata": {f"k{i}": "v" for i in range(129)}}, 403),
        ({"odd": 1}, 400),
    ],
)
async def test_odd_rebuilds_are_refused_and_change_nothing(change: dict[str, Any], status: int) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        answer = await cloud.act(server["id"], {"rebuild": {"imageRef": await cloud.image_id(), **change}})
        assert answer.status_code == status, answer.text
        assert await cloud.server(server["id"]) == server
