"""What of the catalog a project sees."""

from typing import Any

import pytest

from tests.support.identity import Caller, an_identity

pytestmark = pytest.mark.anyio

ROOT = "/OS-EP-FILTER"


async def _group(admin: Caller, **filters: str) -> dict[str, Any]:
    body = {"endpoint_group": {"name": "g", "filters": filters}}
    made: dict[str, Any] = (await admin.post(f"{ROOT}/endpoint_groups", body))["endpoint_group"]
    return made


async def test_a_group_is_made_changed_listed_and_removed() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo")
        made = await _group(admin, interface="public")
        path = f"{ROOT}/endpoint_groups/{made['id']}"
        assert (await admin.get(path))["endpoint_group"] == made
        changed = await admin.patch(path, {"endpoint_group": {"name": "h", "filters": {"region_id": "RegionOne"}}})
        assert changed["endpoint_group"]["filters"] == {"region_id": "RegionOne"}
        renamed = await admin.patch(path, {"endpoint_group": {"description": "d"}})
        assert renamed["endpoint_group"]["filters"] == {"region_id": "RegionOne"}
        await admin.patch(path, {"endpoint_group": {"filters": {}}})
        assert (await admin.get(path))["endpoint_group"]["filters"] == {}
        await admin.patch(path, {"endpoint_group": {"filters": {"interface": "public"}}})
        assert len((await admin.get(f"{ROOT}/endpoint_groups?name=h"))["endpoint_groups"]) == 1
        endpoints = (await admin.get(f"{path}/endpoints"))["endpoints"]
        assert {one["interface"] for one in endpoints} == {"public"}
        await admin.patch(path, {"endpoint_group": {"filters": {"colour": "red"}}}, status=400)
        await admin.patch(path, {"endpoint_group": {"filters": {"interface": "red"}}}, status=400)
        await demo.get(path, status=403)
        await admin.delete(path)
        await admin.get(path, status=404)


async def test_a_project_that_was_given_endpoints_sees_those_alone() -> None:
    async with an_identity() as cloud:
        admin, project = await cloud.as_("admin"), cloud.ids.projects["demo"]
        everything = (await cloud.sign_in("demo", project="demo")).json()["token"]["catalog"]
        group = await _group(admin, interface="public")
        pair = f"{ROOT}/endpoint_groups/{group['id']}/projects/{project}"
        await admin.get(pair, status=404)
        await admin.put(pair)
        await admin.put(pair, status=409)
        assert (await admin.get(pair))["project_endpoint_group"]["project_id"] == project
        assert [one["id"] for one in (await admin.get(f"{ROOT}/endpoint_groups/{group['id']}/projects"))["projects"]]
        assert len((await admin.get(f"{ROOT}/projects/{project}/endpoint_groups"))["endpoint_groups"]) == 1
        seen = (await cloud.sign_in("demo", project="demo")).json()["token"]["catalog"]
        assert {one["interface"] for service in seen for one in service["endpoints"]} == {"public"}
        await admin.delete(pair)
        again = (await cloud.sign_in("demo", project="demo")).json()["token"]["catalog"]
        assert again == everything


async def test_single_endpoints_are_given_and_taken() -> None:
    async with an_identity() as cloud:
        admin, project = await cloud.as_("admin"), cloud.ids.projects["demo"]
        endpoint = (await admin.get("/endpoints?interface=public"))["endpoints"][0]
        one = f"{ROOT}/projects/{project}/endpoints/{endpoint['id']}"
        await admin.get(one, status=404)
        await admin.put(one)
        await admin.get(one, status=204)
        await admin.head(one, status=204)
        listed = (await admin.get(f"{ROOT}/projects/{project}/endpoints"))["endpoints"]
        assert [found["id"] for found in listed] == [endpoint["id"]]
        owners = (await admin.get(f"{ROOT}/endpoints/{endpoint['id']}/projects"))["projects"]
        assert [found["id"] for found in owners] == [project]
        catalog = (await cloud.sign_in("demo", project="demo")).json()["token"]["catalog"]
        assert [found["id"] for service in catalog for found in service["endpoints"]] == [endpoint["id"]]
        await admin.delete(one)
        await admin.delete(one, status=404)
