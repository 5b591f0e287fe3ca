"""Consistency groups under their older name: their documents, what generic calls say of them, and snapshots of one moment."""

from typing import Any

import httpx
import pytest

from tests.support.clouds import TestedCloud
from tests.support.volume import VOLUME, a_volume, message, read, volume_client, with_storage

pytestmark = pytest.mark.anyio
CG = f"{VOLUME}/consistencygroups"


async def a_consistency_group(demo: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    """An empty one, as it is shown."""
    body = {"consistencygroup": {"name": "cg", "volume_types": "__DEFAULT__,", **values}}
    answer = await demo.post(CG, json=body)
    assert answer.status_code == 202, answer.text
    assert set(answer.json()["consistencygroup"]) == {"id", "name"}
    return await read(demo, "consistencygroup", answer.json()["consistencygroup"]["id"])


async def a_member(cloud: TestedCloud, demo: httpx.AsyncClient, group: dict[str, Any]) -> dict[str, Any]:
    """A volume in the group."""
    return await a_volume(cloud, demo, volume_type="__DEFAULT__", consistencygroup_id=group["id"])


async def test_they_are_made_changed_listed_and_deleted_by_their_own_calls() -> None:
    async with with_storage() as (cloud, admin, demo):
        group = await a_consistency_group(demo, description=" d ")
        kind = (await demo.get(f"{VOLUME}/types")).json()["volume_types"][0]["id"]
        assert group == {
            "id": group["id"],
            "name": "cg",
            "description": "d",
            "status": "available",
            "volume_types": [kind],
            "availability_zone": "nova",
            "created_at": group["created_at"],
        }
        assert (await demo.get(CG)).json()["consistencygroups"] == [{"id": group["id"], "name": "cg"}]
        page = (await demo.get(f"{CG}/detail?limit=1")).json()
        assert (page["consistencygroups"], page["consistencygroup_links"][0]["rel"]) == ([group], "next")
        inside = await a_member(cloud, demo, group)
        assert (inside["consistencygroup_id"], inside["group_id"]) == (group["id"], group["id"])
        outside = await a_volume(cloud, demo)
        swap = {"name": "x", "add_volumes": outside["id"], "remove_volumes": inside["id"]}
        for path in (f"{CG}/{group['id']}", f"{CG}/{group['id']}/update"):
            assert (await demo.put(path, json={"consistencygroup": swap})).status_code == 202
            swap = {"name": "y", "add_volumes": inside["id"], "remove_volumes": outside["id"]}
        assert (await read(demo, "volume", outside["id"]))["consistencygroup_id"] is None
        older = await volume_client(cloud, version="volume 3.5")
        for client, told in ((demo, "Must specify one or more"), (older, "can not be all empty")):
            answer = await client.put(f"{CG}/{group['id']}", json={"consistencygroup": {}})
            assert (answer.status_code, told in message(answer)) == (400, True)
        assert (await older.put(f"{CG}/{group['id']}", json={"consistencygroup": {"name": ""}})).status_code == 400
        assert (await demo.put(f"{CG}/{group['id']}", json={"consistencygroup": {"name": ""}})).status_code == 202
        for body in (None, {"consistencygroup": {"force": False}}):
            held = await demo.post(f"{CG}/{group['id']}/delete", json=body or {})
            assert (held.status_code, "still contains volumes" in message(held)) == (400, True)
        sdk = await demo.post(f"{CG}/{group['id']}/delete", json={"consistency_group": {}})
        assert (sdk.status_code, "consistency_group" in message(sdk)) == (400, True)
        gone = await demo.post(f"{CG}/{group['id']}/delete", json={"consistencygroup": {"force": True}})
        assert gone.status_code == 202
        await cloud.settled()
        assert (await demo.get(CG)).json() == {"consistencygroups": []}
        empty = await a_consistency_group(demo)
        assert (await demo.post(f"{CG}/{empty['id']}/delete")).status_code == 202
        wrong: list[tuple[dict[str, Any], int]] = [
            ({"volume_types": ""}, 400),
            ({"volume_types": "gold"}, 404),
            ({}, 400),
        ]
        for values, status in wrong:
            assert (await demo.post(CG, json={"consistencygroup": values})).status_code == status
        assert (await admin.get(f"{CG}/none")).status_code == 404


async def test_generic_calls_leave_them_alone() -> None:
    async with with_storage() as (cloud, admin, demo):
        group = await a_consistency_group(demo)
        await a_member(cloud, demo, group)
        taken = await demo.post(f"{VOLUME}/cgsnapshots", json={"cgsnapshot": {"consistencygroup_id": group["id"]}})
        snapshot = taken.json()["cgsnapshot"]["id"]
        await cloud.settled()
        assert (await demo.get(f"{VOLUME}/groups")).json() == {"groups": []}
        assert (await demo.get(f"{VOLUME}/group_snapshots/detail")).json() == {"group_snapshots": []}
        kind = next(
            one
            for one in (await demo.get(f"{VOLUME}/group_types")).json()["group_types"]
            if one["name"] == "default_cgsnapshot_type"
        )
        source = {"create-from-src": {"name": "x", "group_snapshot_id": snapshot}}
        for answer in (
            await demo.get(f"{VOLUME}/groups/{group['id']}"),
            await demo.put(f"{VOLUME}/groups/{group['id']}", json={"group": {"name": "x"}}),
            await demo.post(f"{VOLUME}/groups/{group['id']}/action", json={"delete": {}}),
            await demo.post(f"{VOLUME}/groups/action", json=source),
            await demo.post(
                f"{VOLUME}/groups", json={"group": {"group_type": kind["id"], "volume_types": ["__DEFAULT__"]}}
            ),
            await demo.get(f"{VOLUME}/group_snapshots/{snapshot}"),
            await demo.delete(f"{VOLUME}/group_snapshots/{snapshot}"),
            await demo.post(f"{VOLUME}/group_snapshots", json={"group_snapshot": {"group_id": group["id"]}}),
        ):
            assert (answer.status_code, "is reserved for migrating CGs" in message(answer)) == (400, True)
        assert (await admin.delete(f"{VOLUME}/group_types/{kind['id']}")).status_code == 400


async def test_their_snapshots_are_of_one_moment_and_groups_are_made_of_them() -> None:
    async with with_storage() as (cloud, _, demo):
        group = await a_consistency_group(demo)
        members = [await a_member(cloud, demo, group) for _ in range(2)]
        first, second = [await cloud.a_server(name=name) for name in ("one", "two")]
        for server, volume in ((first, members[0]), (second, members[1])):
            await cloud.demo.post(
                f"/compute/v2.1/servers/{server['id']}/os-volume_attachments",
                json={"volumeAttachment": {"volumeId": volume["id"]}},
            )
        await cloud.settled()
        body = {"cgsnapshot": {"consistencygroup_id": group["id"], "name": "s"}}
        several = await demo.post(f"{VOLUME}/cgsnapshots", json=body)
        assert (several.status_code, "Several servers write" in message(several)) == (400, True)
        assert (await demo.get(f"{VOLUME}/cgsnapshots")).json() == {"cgsnapshots": []}
        await cloud.act(second["id"], {"os-stop": None})
        await cloud.settled()
        answer = await demo.post(f"{VOLUME}/cgsnapshots", json=body)
        assert answer.status_code == 202, answer.text
        await cloud.settled()
        taken = await read(demo, "cgsnapshot", answer.json()["cgsnapshot"]["id"])
        assert (taken["status"], taken["consistencygroup_id"]) == ("available", group["id"])
        assert [one["id"] for one in (await demo.get(f"{VOLUME}/cgsnapshots/detail")).json()["cgsnapshots"]] == [
            taken["id"]
        ]
        source = {"consistencygroup-from-src": {"name": "copy", "source_cgid": group["id"]}}
        in_use = await demo.post(f"{CG}/create_from_src", json=source)
        assert (in_use.status_code, "at one moment" in message(in_use)) == (400, True)
        source = {"consistencygroup-from-src": {"name": "copy", "cgsnapshot_id": taken["id"]}}
        made = await demo.post(f"{CG}/create_from_src", json=source)
        assert made.status_code == 202, made.text
        await cloud.settled()
        copy = await read(demo, "consistencygroup", made.json()["consistencygroup"]["id"])
        assert (copy["status"], copy["volume_types"]) == ("available", group["volume_types"])
        again = await demo.post(
            f"{CG}/create_from_src", json={"consistencygroup-from-src": {"source_cgid": copy["id"]}}
        )
        assert again.status_code == 202
        await cloud.settled()
        both = {"cgsnapshot_id": taken["id"], "source_cgid": copy["id"]}
        for wrong in ({}, both):
            refused = await demo.post(f"{CG}/create_from_src", json={"consistencygroup-from-src": wrong})
            assert refused.status_code == 400
        assert (await demo.delete(f"{VOLUME}/cgsnapshots/{taken['id']}")).status_code == 202
        await cloud.settled()
        assert (await demo.get(f"{VOLUME}/snapshots")).json() == {"snapshots": []}
