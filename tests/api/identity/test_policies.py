"""Policy documents, and what they are for."""

import pytest

from tests.support.identity import Caller, an_identity

pytestmark = pytest.mark.anyio


async def _policy(admin: Caller, blob: str = "{}") -> str:
    made: str = (await admin.post("/policies", {"policy": {"blob": blob, "type": "application/json"}}))["policy"]["id"]
    return made


async def test_a_document_is_kept_as_it_came() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo")
        path = f"/policies/{await _policy(admin, 'the rules')}"
        assert (await admin.get(path))["policy"]["blob"] == "the rules"
        assert (await admin.patch(path, {"policy": {"blob": "others", "of": "mine"}}))["policy"]["of"] == "mine"
        assert len((await admin.get("/policies?type=application/json"))["policies"]) == 1
        assert (await admin.get("/policies?type=x"))["policies"] == []
        assert len((await admin.get("/policies?type__contains=json"))["policies"]) == 1
        assert (await admin.get("/policies?type__contains=JSON"))["policies"] == []
        await admin.post("/policies", {"policy": {"blob": "x"}}, status=400)
        await demo.get(path, status=403)
        await admin.delete(path)
        await admin.get(path, status=404)


async def test_the_nearest_document_is_an_endpoints() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        endpoint = (await admin.get("/endpoints"))["endpoints"][0]
        of_service, of_region, own = [await _policy(admin, name) for name in ("service", "region", "own")]
        tie = "OS-ENDPOINT-POLICY"
        shown = f"/endpoints/{endpoint['id']}/{tie}/policy"
        await admin.get(shown, status=404)
        paths = {
            "service": f"/policies/{of_service}/{tie}/services/{endpoint['service_id']}",
            "region": f"/policies/{of_region}/{tie}/services/{endpoint['service_id']}/regions/{endpoint['region_id']}",
            "own": f"/policies/{own}/{tie}/endpoints/{endpoint['id']}",
        }
        for name, path in paths.items():
            await admin.get(path, status=404)
            await admin.put(path)
            await admin.get(path, status=204)
            assert (await admin.get(shown))["policy"]["blob"] == name
        in_effect = (await admin.get(f"/policies/{own}/{tie}/endpoints"))["endpoints"]
        assert [one["id"] for one in in_effect] == [endpoint["id"]]
        await admin.delete(paths["own"])
        assert (await admin.get(shown))["policy"]["blob"] == "region"
        await admin.put(f"/policies/{own}/{tie}/endpoints/nothing", status=404)
