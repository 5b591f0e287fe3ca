"""Server groups over HTTP: policies and rules at each microversion, members, quotas; and the group of a server."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.clouds import a_cloud
from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
GROUPS = f"{V}/os-server-groups"


@pytest.mark.parametrize(
    ("version", "asked", "shown"),
    [
        ("2.1", {"policies": ["affinity"]}, {"policies": ["affinity"], "metadata": {}}),
        ("2.13", {"policies": ["anti-affinity"]}, {"policies": ["anti-affinity"], "metadata": {}, "user_id": "ann"}),
        ("2.15", {"policies": ["soft-affinity"]}, {"policies": ["soft-affinity"], "metadata": {}, "user_id": "ann"}),
        ("2.64", {"policy": "soft-anti-affinity"}, {"policy": "soft-anti-affinity", "rules": {}, "user_id": "ann"}),
        (
            "2.64",
            {"policy": "anti-affinity", "rules": {"max_server_per_host": 3}},
            {"policy": "anti-affinity", "rules": {"max_server_per_host": 3}, "user_id": "ann"},
        ),
    ],
)
async def test_a_group_is_made_shown_and_deleted(
    version: str, asked: dict[str, object], shown: dict[str, object]
) -> None:
    async with a_compute_service() as door:
        ann = at(door.as_(), version)
        made = await ann.post(GROUPS, json={"server_group": {"name": "web", **asked}})
        assert made.status_code == 200, made.text
        document = made.json()["server_group"]
        group = document["id"]
        more = {"project_id": "red"} if version != "2.1" else {}
        assert document == {"id": group, "name": "web", "members": [], **shown, **more}
        assert (await ann.get(f"{GROUPS}/{group}")).json() == {"server_group": document}
        assert (await ann.get(GROUPS)).json() == {"server_groups": [document]}
        stranger = at(door.as_("bob", project="blue"), version)
        assert (await stranger.get(f"{GROUPS}/{group}")).status_code == 404
        assert (await stranger.get(f"{GROUPS}?all_projects=1")).json() == {"server_groups": []}
        root = at(door.as_("root", project="blue", role="admin"), version)
        assert len((await root.get(f"{GROUPS}?all_projects=1")).json()["server_groups"]) == 1
        assert (await ann.delete(f"{GROUPS}/{group}")).status_code == 204
        gone = await ann.get(f"{GROUPS}/{group}")
        assert (gone.status_code, gone.json()["itemNotFound"]["message"]) == (
            404,
            f"Instance group {group} could not be found.",
        )


@pytest.mark.parametrize(
    ("version", "group", "status"),
    [
        ("2.1", {"policies": ["soft-affinity"]}, 400),
        ("2.1", {"policies": []}, 400),
        ("2.1", {"policies": ["affinity", "anti-affinity"]}, 400),
        ("2.1", {"policy": "affinity"}, 400),
        ("2.64", {"policies": ["affinity"]}, 400),
        ("2.64", {}, 400),
        ("2.64", {"policy": "legacy"}, 400),
        ("2.64", {"policy": "affinity", "rules": {"max_server_per_host": 2}}, 400),
        ("2.64", {"policy": "anti-affinity", "rules": {"max_server_per_host": 0}}, 400),
        ("2.64", {"policy": "anti-affinity", "rules": {"least": 1}}, 400),
        ("2.64", {"policy": "affinity", "name": " "}, 400),
    ],
)
async def test_odd_groups_are_refused(version: str, group: dict[str, object], status: int) -> None:
    async with a_compute_service() as door:
        ann = at(door.as_(), version)
        assert (await ann.post(GROUPS, json={"server_group": {"name": "g", **group}})).status_code == status


async def test_quotas_count_groups() -> None:
    async with a_compute_service() as door:
        ann = at(door.as_(), "2.64")
        for i in range(10):
            answer = await ann.post(GROUPS, json={"server_group": {"name": f"g{i}", "policy": "affinity"}})
            assert answer.status_code == 200
        over = await ann.post(GROUPS, json={"server_group": {"name": "more", "policy": "affinity"}})
        assert (over.status_code, over.json()["forbidden"]["message"]) == (
            403,
            "Quota exceeded, too many server groups.",
        )
        page = (await ann.get(f"{GROUPS}?limit=3&offset=8")).json()["server_groups"]
        assert len(page) == 2
        limits = (await at(ann, "2.1").get(f"{V}/limits")).json()["limits"]["absolute"]
        assert limits["totalServerGroupsUsed"] == 10
        assert (await at(ann, "2.75").get(f"{GROUPS}?color=red")).status_code == 400


async def test_a_server_tells_its_group_and_the_group_its_servers() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        made = await cloud.demo.post(GROUPS, json={"server_group": {"name": "g", "policy": "anti-affinity"}})
        group = made.json()["server_group"]["id"]
        client = cloud.demo
        image = await cloud.image_id()

        async def create(hint: str) -> tuple[int, dict[str, Any]]:
            body = {
                "server": {"name": "web", "flavorRef": "1", "imageRef": image, "networks": "none"},
                "os:scheduler_hints": {"group": hint},
            }
            answer = await client.post(f"{V}/servers", json=body)
            await cloud.settled()
            return answer.status_code, answer.json()

        status, answer = await create(group)
        assert status == 202, answer
        server_id = answer["server"]["id"]
        assert (await cloud.server(server_id))["server_groups"] == [group]
        assert (await client.get(f"{GROUPS}/{group}")).json()["server_group"]["members"] == [server_id]
        status, answer = await create("5eed0000-0000-4000-8000-00000000dead")
        assert (status, answer["badRequest"]["message"]) == (
            400,
            "Instance group 5eed0000-0000-4000-8000-00000000dead could not be found.",
        )
        limit = {"quota_set": {"server_group_members": 1}}
        project = (await cloud.server(server_id))["tenant_id"]
        assert (await cloud.admin.put(f"{V}/os-quota-sets/{project}", json=limit)).status_code == 200
        status, answer = await create(group)
        assert (status, answer["forbidden"]["message"]) == (
            403,
            "Quota exceeded, too many servers in group",
        )
        await client.delete(f"{V}/servers/{server_id}")
        await cloud.settled()
        assert (await client.get(f"{GROUPS}/{group}")).json()["server_group"]["members"] == []
        status, answer = await create(group)
        assert status == 202, answer
