"""Registered limits and limits: who sees which, and the model of two levels."""

from typing import Any

import pytest

from minicloud.core.identity.registered_limits import FLAT, STRICT_TWO_LEVEL
from tests.support.identity import Caller, IdentityCloud, an_identity

pytestmark = pytest.mark.anyio


async def _service(admin: Caller) -> str:
    found: str = (await admin.get("/services?type=compute"))["services"][0]["id"]
    return found


async def _registered(admin: Caller, name: str = "servers", default: int = 10) -> dict[str, Any]:
    body = {"service_id": await _service(admin), "resource_name": name, "default_limit": default}
    made: dict[str, Any] = (await admin.post("/registered_limits", {"registered_limits": [body]}))["registered_limits"][
        0
    ]
    return made


async def _limit(admin: Caller, amount: int, *, status: int = 201, **owner: str) -> Any:
    body = {"service_id": await _service(admin), "resource_name": "servers", "resource_limit": amount, **owner}
    return await admin.post("/limits", {"limits": [body]}, status=status)


async def _two(cloud: IdentityCloud) -> tuple[Caller, str]:
    admin = await cloud.as_("admin")
    await _registered(admin)
    return admin, cloud.ids.projects["demo"]


async def test_registered_limits_are_made_changed_and_removed() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo")
        made = await _registered(admin)
        path = f"/registered_limits/{made['id']}"
        assert (await demo.get(path))["registered_limit"] == made
        await demo.patch(path, {"registered_limit": {"default_limit": 99}}, status=403)
        changed = (await admin.patch(path, {"registered_limit": {"default_limit": 0}}))["registered_limit"]
        assert changed["default_limit"] == 0
        again = {"service_id": made["service_id"], "resource_name": "servers", "default_limit": 1}
        await admin.post("/registered_limits", {"registered_limits": [again]}, status=409)
        await admin.post("/registered_limits", {"registered_limits": []}, status=400)
        await admin.post("/registered_limits", {"registered_limits": [{**again, "service_id": "x"}]}, status=400)
        await admin.post("/registered_limits", {"registered_limits": [{**again, "default_limit": -2}]}, status=400)
        listed = (await demo.get("/registered_limits?resource_name=servers"))["registered_limits"]
        assert [one["id"] for one in listed] == [made["id"]]
        await admin.delete(path)
        await admin.get(path, status=404)


async def test_a_registered_limit_outlives_its_service_and_region() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        service = (await admin.post("/services", {"service": {"type": "tape", "name": "tapes"}}))["service"]
        region = (await admin.post("/regions", {"region": {"id": "elsewhere"}}))["region"]
        body = {"service_id": service["id"], "region_id": region["id"], "resource_name": "tapes", "default_limit": 3}
        made = (await admin.post("/registered_limits", {"registered_limits": [body]}))["registered_limits"][0]
        await admin.delete(f"/regions/{region['id']}")
        await admin.delete(f"/services/{service['id']}")
        path = f"/registered_limits/{made['id']}"
        assert (await admin.get(path))["registered_limit"] == made
        await admin.delete(path)
        await admin.get(path, status=404)


async def test_limits_need_a_registered_one_which_then_stays() -> None:
    async with an_identity() as cloud:
        admin, project = await cloud.as_("admin"), cloud.ids.projects["demo"]
        await _limit(admin, 5, project_id=project, status=403)
        registered = await _registered(admin)
        made = (await _limit(admin, 5, project_id=project))["limits"][0]
        assert (made["resource_limit"], made["project_id"], made["domain_id"]) == (5, project, None)
        await _limit(admin, 6, project_id=project, status=409)
        await _limit(admin, 6, project_id="nothing", status=400)
        await _limit(admin, 6, status=400)
        await admin.delete(f"/registered_limits/{registered['id']}", status=403)
        path = f"/limits/{made['id']}"
        changed = (await admin.patch(path, {"limit": {"resource_limit": 0, "description": "none"}}))["limit"]
        assert (changed["resource_limit"], changed["description"]) == (0, "none")
        of_domain = (await _limit(admin, 7, project_id="default"))["limits"][0]
        assert (of_domain["project_id"], of_domain["domain_id"]) == (None, "default")
        await admin.delete(path)
        await admin.get(path, status=404)


async def test_everybody_sees_the_limits_of_the_own_project_alone() -> None:
    async with an_identity() as cloud:
        admin, project = await _two(cloud)
        mine = (await _limit(admin, 5, project_id=project))["limits"][0]
        other = (await _limit(admin, 6, project_id=cloud.ids.projects["admin"]))["limits"][0]
        demo = await cloud.as_("demo")
        assert [one["id"] for one in (await demo.get("/limits"))["limits"]] == [mine["id"]]
        assert len((await admin.get("/limits"))["limits"]) == 2
        await demo.get(f"/limits/{mine['id']}")
        await demo.get(f"/limits/{other['id']}", status=403)
        await demo.get("/limits/nothing", status=403)


async def test_the_model_is_told() -> None:
    for model in (FLAT, STRICT_TWO_LEVEL):
        async with an_identity(limit_model=model) as cloud:
            told = (await (await cloud.as_("demo")).get("/limits/model"))["model"]
            assert told == {"name": model.name, "description": model.description}


async def test_in_two_levels_a_project_has_no_more_than_its_domain() -> None:
    async with an_identity(limit_model=STRICT_TWO_LEVEL) as cloud:
        admin, project = await _two(cloud)
        await _limit(admin, 11, project_id=project, status=403)
        domain = (await _limit(admin, 20, domain_id="default"))["limits"][0]
        await _limit(admin, 15, project_id=project)
        await admin.patch(f"/limits/{domain['id']}", {"limit": {"resource_limit": 14}}, status=403)
        assert (await admin.get(f"/limits/{domain['id']}"))["limit"]["resource_limit"] == 20
        child = (await admin.post("/projects", {"project": {"name": "c", "parent_id": project}}))["project"]
        await _limit(admin, 1, project_id=child["id"], status=403)


async def test_without_levels_nothing_is_compared() -> None:
    async with an_identity() as cloud:
        admin, project = await _two(cloud)
        await _limit(admin, 1000, project_id=project)
