"""Groups of volumes and their snapshots over HTTP: they come and go together, and follow their members."""

from typing import Any

import httpx
import pytest

from minicloud.core.volume.group_types import CGSNAPSHOT
from tests.support.clouds import TestedCloud
from tests.support.failures import explained
from tests.support.volume import VOLUME, a_volume, message, read, volume_client, with_storage

pytestmark = pytest.mark.anyio


async def make(client: httpx.AsyncClient, kind: str, **values: Any) -> dict[str, Any]:
    """What was asked for, as the answer tells."""
    answer = await client.post(f"{VOLUME}/{kind}s", json={kind: values})
    assert answer.status_code == 202, answer.text
    return dict(answer.json()[kind])


async def a_group(admin: httpx.AsyncClient, demo: httpx.AsyncClient, **specs: str) -> dict[str, Any]:
    """An empty group of a new type."""
    kind = await make(admin, "group_type", name="pack", group_specs=specs)
    made = await make(demo, "group", name="g", group_type=kind["id"], volume_types=["__DEFAULT__"])
    return await read(demo, "group", made["id"])


async def a_member(cloud: TestedCloud, demo: httpx.AsyncClient, group: dict[str, Any]) -> dict[str, Any]:
    """A volume in the group."""
    return await a_volume(cloud, demo, volume_type="__DEFAULT__", group_id=group["id"])


async def do(client: httpx.AsyncClient, path: str, action: str, **body: Any) -> httpx.Response:
    """An action on a group or its snapshot."""
    return await client.post(f"{VOLUME}/{path}/action", json={action: body})


async def test_types_of_groups_and_their_specs() -> None:
    async with with_storage() as (cloud, admin, demo):
        kind = await make(admin, "group_type", name="pack", description="d", group_specs={"a": "1"})
        one = f"{VOLUME}/group_types/{kind['id']}"
        assert (await demo.get(one)).json()["group_type"] == {
            **{key: kind[key] for key in ("id", "name", "description", "is_public")}
        }
        assert kind["group_specs"] == {"a": "1"}
        assert (await admin.post(f"{VOLUME}/group_types", json={"group_type": {"name": "pack"}})).status_code == 409
        assert (await demo.post(f"{VOLUME}/group_types", json={"group_type": {"name": "x"}})).status_code == 403
        set_them = await admin.post(f"{one}/group_specs", json={"group_specs": {"b": "2"}})
        assert (set_them.status_code, set_them.json()) == (202, {"group_specs": {"b": "2"}})
        assert (await admin.put(f"{one}/group_specs/b", json={"b": "3"})).json() == {"b": "3"}
        assert (await admin.put(f"{one}/group_specs/b", json={"c": "3"})).status_code == 400
        assert (await admin.delete(f"{one}/group_specs/a")).status_code == 202
        assert (await admin.get(f"{one}/group_specs")).json() == {"group_specs": {"b": "3"}}
        assert (await admin.get(f"{one}/group_specs/a")).status_code == 404
        changed = await admin.put(one, json={"group_type": {"name": "herd", "is_public": False}})
        assert changed.json()["group_type"]["name"] == "herd"
        assert (await admin.put(one, json={"group_type": {"name": None}})).status_code == 400
        assert (await demo.get(one)).status_code == 404
        assert [one["name"] for one in (await demo.get(f"{VOLUME}/group_types")).json()["group_types"]] == [CGSNAPSHOT]
        hidden = await admin.get(f"{VOLUME}/group_types?is_public=none&limit=1&sort=name:desc")
        assert [found["id"] for found in hidden.json()["group_types"]] == [kind["id"]]
        assert (await admin.get(f"{VOLUME}/group_types/default")).status_code == 404
        assert (await admin.delete(one)).status_code == 202
        older = await volume_client(cloud, version="volume 3.10")
        assert (await older.get(f"{VOLUME}/group_types")).status_code == 404


async def test_volumes_come_into_a_group_leave_it_and_go_with_it() -> None:
    async with with_storage() as (cloud, admin, demo):
        group = await a_group(admin, demo)
        assert (group["status"], group["replication_status"]) == ("available", "disabled")
        inside = await a_member(cloud, demo, group)
        outside = await a_volume(cloud, demo)
        assert inside["group_id"] == group["id"]
        for wanted in ({"volume_type": None}, {"volume_type": "gold"}):
            await admin.post(f"{VOLUME}/types", json={"volume_type": {"name": "gold"}})
            volume = {"size": 1, "group_id": group["id"], **wanted}
            assert (await demo.post(f"{VOLUME}/volumes", json={"volume": volume})).status_code == 400
        alone = await demo.delete(f"{VOLUME}/volumes/{inside['id']}")
        assert (alone.status_code, "belong to a group" in message(alone)) == (400, True)
        swap = {"name": "h", "add_volumes": outside["id"], "remove_volumes": inside["id"]}
        assert (await demo.put(f"{VOLUME}/groups/{group['id']}", json={"group": swap})).status_code == 202
        shown = (await demo.get(f"{VOLUME}/groups/detail?list_volume=true")).json()["groups"]
        assert [(one["name"], one["volumes"]) for one in shown] == [("h", [outside["id"]])]
        for wrong in (
            {},
            {"name": "h"},
            {"add_volumes": outside["id"]},
            {"add_volumes": "no"},
            {"remove_volumes": inside["id"]},
            {**swap, "remove_volumes": outside["id"]},
        ):
            assert (await demo.put(f"{VOLUME}/groups/{group['id']}", json={"group": wrong})).status_code == 400
        await admin.post(f"{VOLUME}/groups/{group['id']}/action", json={"reset_status": {"status": "error"}})
        again = await demo.put(f"{VOLUME}/groups/{group['id']}", json={"group": {"add_volumes": inside["id"]}})
        assert (again.status_code, message(again)) == (400, "Invalid Group: Group status must be available.")
        assert (await demo.put(f"{VOLUME}/groups/{group['id']}", json={"group": {"name": "i"}})).status_code == 202
        assert (await read(demo, "group", group["id"]))["status"] == "available"
        kept = await do(demo, f"groups/{group['id']}", "delete", **{"delete-volumes": False})
        assert (kept.status_code, "still contains volumes" in message(kept)) == (400, True)
        gone = await do(demo, f"groups/{group['id']}", "delete", **{"delete-volumes": True})
        assert gone.status_code == 202
        assert (await read(demo, "group", group["id"]))["status"] == "deleting"
        await cloud.settled()
        assert (await demo.get(f"{VOLUME}/groups/{group['id']}")).status_code == 404
        left = (await demo.get(f"{VOLUME}/volumes")).json()["volumes"]
        assert [one["id"] for one in left] == [inside["id"]]


async def test_a_snapshot_of_a_group_is_one_of_each_volume_and_groups_are_made_of_it() -> None:
    async with with_storage() as (cloud, admin, demo):
        group = await a_group(admin, demo)
        empty = await demo.post(f"{VOLUME}/group_snapshots", json={"group_snapshot": {"group_id": group["id"]}})
        assert empty.status_code == 400
        await a_member(cloud, demo, group)
        await a_member(cloud, demo, group)
        taken = await make(demo, "group_snapshot", group_id=group["id"], name="s")
        await cloud.settled()
        assert (await read(demo, "group_snapshot", taken["id"]))["status"] == "available"
        snapshots = (await demo.get(f"{VOLUME}/snapshots/detail")).json()["snapshots"]
        assert [one["group_snapshot_id"] for one in snapshots] == [taken["id"]] * 2
        assert (await demo.delete(f"{VOLUME}/snapshots/{snapshots[0]['id']}")).status_code == 400
        for source in ({"group_snapshot_id": taken["id"]}, {"source_group_id": group["id"]}):
            answer = await do(demo, "groups", "create-from-src", name="copy", **source)
            assert answer.status_code == 202, answer.text
            copy = answer.json()["group"]["id"]
            assert (await read(demo, "group", copy))["status"] == "creating"
            await cloud.settled()
            made = await read(demo, "group", copy)
            assert (made["status"], made["group_type"]) == ("available", group["group_type"])
            assert len((await demo.get(f"{VOLUME}/volumes?group_id={copy}")).json()["volumes"]) == 2
        assert (await do(demo, "groups", "create-from-src", name="copy")).status_code == 400
        held = await do(demo, f"groups/{group['id']}", "delete", **{"delete-volumes": True})
        assert held.status_code == 400
        assert (await demo.delete(f"{VOLUME}/group_snapshots/{taken['id']}")).status_code == 202
        await cloud.settled()
        assert (await demo.get(f"{VOLUME}/group_snapshots/detail")).json() == {"group_snapshots": []}
        assert (await demo.get(f"{VOLUME}/snapshots")).json() == {"snapshots": []}


async def test_groups_their_snapshots_transfers_and_backups_are_explained() -> None:
    async with with_storage() as (cloud, admin, demo):
        group = await a_group(admin, demo)
        volume = await a_member(cloud, demo, group)
        await make(demo, "group_snapshot", name="gs", group_id=group["id"])
        await cloud.settled()
        told = await explained(cloud, "g")
        assert told.startswith("group g is available")
        assert "a group of volumes is written down" in told
        assert "a snapshot of group g is promised, of 1 volumes" in await explained(cloud, "gs")
        await make(demo, "backup", name="b", volume_id=volume["id"], force=True)
        await cloud.settled()
        told = await explained(cloud, "b")
        assert "a backup of volume " in told
        assert "backup b was creating and is available" in told
        alone = await a_volume(cloud, demo)
        offer = {"transfer": {"volume_id": alone["id"], "name": "t"}}
        assert (await demo.post(f"{VOLUME}/volume-transfers", json=offer)).status_code == 202
        told = await explained(cloud, "t")
        assert told.startswith("transfer t is waiting")
        assert "is offered to whoever knows the key" in told


async def test_what_no_backend_can_promise_is_said_and_quotas_and_administrators_are_heard() -> None:
    async with with_storage() as (_, admin, demo):
        group = await a_group(admin, demo, consistent_group_replication_enabled="<is> True")
        assert group["status"] == "error"
        one = f"groups/{group['id']}"
        assert (await do(demo, one, "reset_status", status="available")).status_code == 403
        assert (await do(admin, one, "reset_status", status="nonsense")).status_code == 400
        assert (await do(admin, one, "reset_status", status="available")).status_code == 202
        for action in ("enable_replication", "disable_replication", "failover_replication", "list_replication_targets"):
            assert (await do(demo, one, action)).status_code == 400
        owner = (await read(admin, "group", group["id"]))["project_id"]
        await admin.put(f"{VOLUME}/os-quota-sets/{owner}", json={"quota_set": {"groups": 1}})
        body = {"group": {"group_type": "pack", "volume_types": ["__DEFAULT__"]}}
        assert (await demo.post(f"{VOLUME}/groups", json=body)).status_code == 413
        usage = (await admin.get(f"{VOLUME}/os-quota-sets/{owner}?usage=true")).json()["quota_set"]["groups"]
        assert usage["in_use"] == 1
        assert (await do(demo, one, "delete")).status_code == 202
        assert (await demo.get(f"{VOLUME}/groups")).json() == {"groups": []}
