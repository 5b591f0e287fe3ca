"""The list of role assignments, as stored and in effect."""

from typing import Any

import pytest

from tests.support.identity import URL, an_identity

pytestmark = pytest.mark.anyio


async def test_stored_assignments_and_their_filters() -> None:
    async with an_identity() as cloud:
        admin, ids = await cloud.as_("admin"), cloud.ids
        whole = (await admin.get("/role_assignments"))["role_assignments"]
        assert len(whole) == 4
        assert {
            "links": {
                "assignment": f"{URL}/identity/v3/projects/{ids.projects['demo']}/users/{ids.users['demo']}"
                f"/roles/{ids.roles['member']}"
            },
            "scope": {"project": {"id": ids.projects["demo"]}},
            "user": {"id": ids.users["demo"]},
            "role": {"id": ids.roles["member"]},
        } in whole

        async def found(query: str) -> int:
            return len((await admin.get(f"/role_assignments?{query}"))["role_assignments"])

        assert await found(f"user.id={ids.users['admin']}") == 3
        assert await found("scope.system=all") == 1
        assert await found(f"scope.project.id={ids.projects['demo']}") == 2
        assert await found(f"role.id={ids.roles['admin']}&user.id={ids.users['admin']}") == 3
        assert await found("scope.domain.id=default") == 0
        assert await found("group.id=none") == 0


async def test_assignments_in_effect_tell_where_they_come_from() -> None:
    async with an_identity() as cloud:
        admin, ids = await cloud.as_("admin"), cloud.ids
        group = (await admin.post("/groups", {"group": {"name": "pupils"}}))["group"]["id"]
        await admin.put(f"/groups/{group}/users/{ids.users['demo']}")
        await admin.put(f"/OS-INHERIT/domains/default/groups/{group}/roles/{ids.roles['member']}/inherited_to_projects")
        query = f"effective&include_names&user.id={ids.users['demo']}&scope.project.id={ids.projects['service']}"
        found = (await admin.get(f"/role_assignments?{query}"))["role_assignments"]
        by_role: dict[str, Any] = {entry["role"]["name"]: entry for entry in found}
        assert set(by_role) == {"member", "reader"}
        entry = by_role["member"]
        assert entry["user"] == {
            "id": ids.users["demo"],
            "name": "demo",
            "domain": {"id": "default", "name": "Default"},
        }
        assert entry["scope"] == {
            "project": {
                "id": ids.projects["service"],
                "name": "service",
                "domain": {"id": "default", "name": "Default"},
            },
            "OS-INHERIT:inherited_to": "projects",
        }
        base = f"{URL}/identity/v3"
        assert entry["links"] == {
            "assignment": f"{base}/OS-INHERIT/domains/default/groups/{group}/roles/{ids.roles['member']}"
            "/inherited_to_projects",
            "membership": f"{base}/groups/{group}/users/{ids.users['demo']}",
        }
        assert by_role["reader"]["links"]["prior_role"] == (
            f"{base}/prior_role/{ids.roles['reader']}/implies/{ids.roles['member']}"
        )
        stored = (await admin.get(f"/role_assignments?group.id={group}"))["role_assignments"]
        assert stored[0]["scope"] == {"domain": {"id": "default"}, "OS-INHERIT:inherited_to": "projects"}
        assert stored[0]["group"] == {"id": group}


async def test_a_subtree_and_names_of_the_system() -> None:
    async with an_identity() as cloud:
        admin, ids = await cloud.as_("admin"), cloud.ids
        child = await admin.post("/projects", {"project": {"name": "child", "parent_id": ids.projects["demo"]}})
        await admin.put(f"/projects/{child['project']['id']}/users/{ids.users['demo']}/roles/{ids.roles['reader']}")
        found = await admin.get(f"/role_assignments?include_subtree&scope.project.id={ids.projects['demo']}")
        assert len(found["role_assignments"]) == 3
        await admin.get("/role_assignments?include_subtree", status=400)
        named = (await admin.get("/role_assignments?scope.system=all&include_names=1"))["role_assignments"]
        assert named[0]["scope"] == {"system": {"all": True}}
        assert named[0]["role"]["name"] == "admin"
        assert named[0]["links"]["assignment"].endswith(
            f"/system/users/{ids.users['admin']}/roles/{ids.roles['admin']}"
        )


@pytest.mark.parametrize(
    "query",
    [
        "scope.project.id=x&scope.domain.id=x",
        "scope.system=all&scope.domain.id=x",
        "scope.system=all&scope.project.id=x",
        "user.id=x&group.id=x",
        "effective&group.id=x",
        "effective&scope.OS-INHERIT:inherited_to=projects&scope.domain.id=x",
    ],
)
async def test_filters_that_contradict_each_other(query: str) -> None:
    async with an_identity() as cloud:
        await (await cloud.as_("admin")).get(f"/role_assignments?{query}", status=400)


async def test_members_may_not_look() -> None:
    async with an_identity() as cloud:
        await (await cloud.as_("demo")).get("/role_assignments", status=403)
