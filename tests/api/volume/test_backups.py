"""Backups: made whole or of what changed, restored to new volumes and over old ones, exported, imported, deleted."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.support.clouds import TestedCloud
from tests.support.volume import VOLUME, a_snapshot, a_volume, act, message, read, with_storage

pytestmark = pytest.mark.anyio
B = f"{VOLUME}/backups"


async def a_backup(cloud: TestedCloud, http: httpx.AsyncClient, volume_id: str, **wanted: Any) -> dict[str, Any]:
    asked = await http.post(B, json={"backup": {"volume_id": volume_id, **wanted}})
    assert asked.status_code == 202, asked.text
    await cloud.settled()
    found: dict[str, Any] = (await http.get(f"{B}/{asked.json()['backup']['id']}")).json()["backup"]
    return found


async def test_a_backup_outlives_its_volume_and_becomes_another_one() -> None:
    async with with_storage() as (cloud, admin, demo):
        volume = await a_volume(cloud, demo, metadata={"a": "b"})
        backup = await a_backup(cloud, demo, volume["id"], name=" b ", metadata={"k": "v"})
        assert (backup["status"], backup["name"], backup["size"], backup["is_incremental"]) == (
            "available",
            "b",
            1,
            False,
        )
        assert (backup["object_count"], backup["metadata"], backup["volume_id"]) == (1, {"k": "v"}, volume["id"])
        assert (await read(demo, "volume", volume["id"]))["status"] == "available"
        assert "user_id" in (await admin.get(f"{B}/{backup['id']}")).json()["backup"]
        await demo.delete(f"{VOLUME}/volumes/{volume['id']}")
        await cloud.settled()
        restored = (await demo.post(f"{B}/{backup['id']}/restore", json={"restore": None})).json()["restore"]
        assert restored["volume_name"] == f"restore_backup_{backup['id']}"
        await cloud.settled()
        new = await read(demo, "volume", restored["volume_id"])
        assert (new["status"], new["metadata"]) == ("available", {"a": "b"})
        over = await demo.post(f"{B}/{backup['id']}/restore", json={"restore": {"volume_id": new["id"]}})
        assert over.status_code == 202
        assert (await read(demo, "volume", new["id"]))["status"] == "restoring-backup"
        await cloud.settled()
        assert (await read(demo, "volume", new["id"]))["status"] == "available"
        third = await demo.post(f"{VOLUME}/volumes", json={"volume": {"size": 2, "backup_id": backup["id"]}})
        await cloud.settled()
        assert (await read(demo, "volume", third.json()["volume"]["id"]))["status"] == "available"
        assert (await demo.delete(f"{B}/{backup['id']}")).status_code == 202
        await cloud.settled()
        assert (await demo.get(f"{B}/{backup['id']}")).status_code == 404
        assert not [key for key in await cloud.cloud.world.blobs.keys() if key.startswith("backup-")]


async def test_incremental_backups_build_on_the_newest() -> None:
    async with with_storage() as (cloud, _admin, demo):
        volume = await a_volume(cloud, demo)
        early = await demo.post(B, json={"backup": {"volume_id": volume["id"], "incremental": True}})
        assert (early.status_code, "No backups available" in message(early)) == (400, True)
        first = await a_backup(cloud, demo, volume["id"])
        second = await a_backup(cloud, demo, volume["id"], incremental=True)
        assert (second["is_incremental"], second["object_count"]) == (True, 0)
        seen = (await demo.get(f"{B}/detail", params={"sort": "created_at:asc"})).json()["backups"]
        assert {one["id"]: one["has_dependent_backups"] for one in seen} == {first["id"]: True, second["id"]: False}
        refused = await demo.delete(f"{B}/{first['id']}")
        assert (refused.status_code, "Incremental backups exist" in message(refused)) == (400, True)
        snapshot = await a_snapshot(cloud, demo, volume["id"])
        of_snapshot = await a_backup(cloud, demo, volume["id"], snapshot_id=snapshot["id"])
        assert (of_snapshot["snapshot_id"], of_snapshot["data_timestamp"]) == (snapshot["id"], snapshot["created_at"])
        assert (await read(demo, "snapshot", snapshot["id"]))["status"] == "available"
        restored = (await demo.post(f"{B}/{second['id']}/restore", json={"restore": {"name": "r"}})).json()["restore"]
        await cloud.settled()
        assert (await read(demo, "volume", restored["volume_id"]))["name"] == "r"


async def test_a_record_is_exported_and_imported_under_another_id() -> None:
    async with with_storage() as (cloud, admin, demo):
        volume = await a_volume(cloud, admin)
        backup = await a_backup(cloud, admin, volume["id"])
        assert (await demo.get(f"{B}/{backup['id']}/export_record")).status_code == 403
        record = (await admin.get(f"{B}/{backup['id']}/export_record")).json()["backup-record"]
        again = await admin.post(f"{B}/import_record", json={"backup-record": record})
        assert (again.status_code, "already exists" in message(again)) == (400, True)
        told = json.loads(base64.b64decode(record["backup_url"]))
        other = "11111111-2222-4333-8444-555555555555"
        url = base64.b64encode(json.dumps({**told, "id": other}).encode()).decode()
        made = await admin.post(f"{B}/import_record", json={"backup-record": {**record, "backup_url": url}})
        assert (made.status_code, made.json()["backup"]["id"]) == (201, other)
        await admin.delete(f"{B}/{backup['id']}")
        await cloud.settled()
        assert (await admin.post(f"{B}/{other}/restore", json={"restore": {}})).status_code == 202
        await cloud.settled()
        lost = base64.b64encode(json.dumps({**told, "data_id": "none"}).encode()).decode()
        for bad in ({**record, "backup_service": "x"}, {**record, "backup_url": "?"}, {**record, "backup_url": lost}):
            assert (await admin.post(f"{B}/import_record", json={"backup-record": bad})).status_code == 400
        await admin.delete(f"{B}/{other}")
        await cloud.settled()
        assert not [key for key in await cloud.cloud.world.blobs.keys() if key.startswith("backup-")]


async def test_what_backups_refuse() -> None:
    async with with_storage() as (cloud, admin, demo):
        volume = await a_volume(cloud, demo, size=2)
        backup = await a_backup(cloud, demo, volume["id"])
        small = await a_volume(cloud, demo)
        refused = await demo.post(f"{B}/{backup['id']}/restore", json={"restore": {"volume_id": small["id"]}})
        assert (refused.status_code, "too small" in message(refused)) == (400, True)
        assert (await demo.post(B, json={"backup": {}})).status_code == 400
        assert (await demo.post(B, json={"backup": {"volume_id": backup["id"]}})).status_code == 404
        assert (await demo.put(f"{B}/{backup['id']}", json={"backup": {"name": "n"}})).json()["backup"]["name"] == "n"
        await act(admin, small["id"], "os-reset_status", {"status": "error"})
        bad = await demo.post(B, json={"backup": {"volume_id": small["id"]}})
        assert (bad.status_code, "must be available" in message(bad)) == (400, True)
        mine = volume["os-vol-tenant-attr:tenant_id"]
        await admin.put(f"{VOLUME}/os-quota-sets/{mine}", json={"quota_set": {"backups": 1}})
        over = await demo.post(B, json={"backup": {"volume_id": volume["id"]}})
        assert (over.status_code, "number of backups" in message(over)) == (413, True)
        action = f"{B}/{backup['id']}/action"
        assert (await admin.post(action, json={"os-reset_status": {"status": "error"}})).status_code == 202
        assert (await admin.post(action, json={"os-reset_status": {"status": "odd"}})).status_code == 400
        assert (await demo.post(f"{B}/{backup['id']}/restore", json={"restore": {}})).status_code == 400
        assert (await demo.post(action, json={"os-force_delete": {}})).status_code == 403
        assert (await admin.post(action, json={"os-force_delete": {}})).status_code == 202
        off = {"host": "control", "binary": "cinder-backup"}
        await admin.put(f"{VOLUME}/os-services/disable", json=off)
        assert (await demo.post(B, json={"backup": {"volume_id": volume["id"]}})).status_code == 503
