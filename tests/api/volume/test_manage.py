"""Administrators let go of volumes and snapshots, and take up what lies on a backend."""

from urllib.parse import quote

import pytest

from minicloud.core.volume import leftovers, unmanaged
from tests.support.volume import VOLUME, a_snapshot, a_volume, act, message, read, volume_client, with_storage

pytestmark = pytest.mark.anyio
M = f"{VOLUME}/manageable_volumes"
S = f"{VOLUME}/manageable_snapshots"


async def test_a_volume_that_was_let_go_of_is_taken_up_as_another() -> None:
    async with with_storage() as (cloud, admin, demo):
        volume = await a_volume(cloud, admin)
        host = volume["os-vol-host-attr:host"]
        assert (await act(demo, volume["id"], "os-unmanage")).status_code in (403, 404)
        # openstacksdk says null, cinderclient an empty object.
        null = await admin.post(f"{VOLUME}/volumes/{volume['id']}/action", json={"os-unmanage": None})
        assert null.status_code == 202
        assert (await admin.get(f"{VOLUME}/volumes/{volume['id']}")).status_code == 404
        kept = await cloud.cloud.world.database.read(lambda tx: leftovers.strangers(tx, [volume["id"], "x"], [], []))
        assert kept == (["x"], [])
        other = await a_volume(cloud, demo)
        found = (await admin.get(f"{M}/detail?host={quote(host)}&sort=size:asc")).json()["manageable-volumes"]
        by_name = {one["reference"]["source-name"]: one for one in found}
        free, ours = by_name[f"volume-{volume['id']}"], by_name[f"volume-{other['id']}"]
        assert (free["safe_to_manage"], free["size"], free["cinder_id"]) == (True, 1, None)
        assert (ours["safe_to_manage"], ours["reason_not_safe"], ours["cinder_id"]) == (
            False,
            "already managed",
            other["id"],
        )
        assert len((await admin.get(f"{M}?host={quote(host)}&limit=1&offset=1")).json()["manageable-volumes"]) == 1
        wanted = {"host": host, "ref": free["reference"], "name": "back", "metadata": {"a": "b"}}
        assert (await demo.post(M, json={"volume": wanted})).status_code == 403
        answer = await admin.post(M, json={"volume": wanted})
        assert answer.status_code == 202, answer.text
        again = await admin.post(M, json={"volume": wanted})
        assert (again.status_code, "invalid backend reference" in message(again)) == (400, True)
        await cloud.settled()
        taken = await read(admin, "volume", answer.json()["volume"]["id"])
        assert (taken["status"], taken["name"], taken["metadata"], taken["os-vol-host-attr:host"]) == (
            *("available", "back", {"a": "b"}),
            host,
        )
        assert taken["id"] != volume["id"]
        assert await cloud.cloud.world.database.read(lambda tx: unmanaged.on_host(tx, "volume", host)) == []


async def test_what_cannot_be_let_go_of_or_taken_up_is_said() -> None:
    async with with_storage() as (cloud, admin, demo):
        volume = await a_volume(cloud, demo)
        await a_snapshot(cloud, demo, volume["id"])
        assert (await act(admin, volume["id"], "os-unmanage")).status_code == 400
        for query in ("", "?host=nowhere", f"?host={volume.get('none')}"):
            assert (await admin.get(f"{M}{query}")).status_code == 400
        assert (await admin.get(f"{M}?cluster=c")).status_code == 404
        host = (await read(admin, "volume", volume["id"]))["os-vol-host-attr:host"]
        for query in ("sort=name", "limit=x", "offset=-1"):
            assert (await admin.get(f"{M}?host={quote(host)}&{query}")).status_code == 400
        for wrong in (
            {"ref": {"source-id": "x"}},
            {"ref": "volume-x"},
            {"ref": {"source-name": "x"}, "availability_zone": "x"},
        ):
            assert (await admin.post(M, json={"volume": {"host": host, **wrong}})).status_code == 400
        older = await volume_client(cloud, version="volume 3.7")
        assert (await older.get(M)).status_code == 404
        assert (await older.get(f"{VOLUME}/os-volume-manage")).status_code == 403


async def test_a_snapshot_that_was_let_go_of_is_taken_up_again() -> None:
    async with with_storage() as (cloud, admin, _):
        volume = await a_volume(cloud, admin)
        snapshot = await a_snapshot(cloud, admin, volume["id"])
        gone = await admin.post(f"{VOLUME}/snapshots/{snapshot['id']}/action", json={"os-unmanage": {}})
        assert gone.status_code == 202, gone.text
        assert (await admin.get(f"{VOLUME}/snapshots/{snapshot['id']}")).status_code == 404
        host = volume["os-vol-host-attr:host"]
        found = (await admin.get(f"{S}/detail?host={quote(host)}")).json()["manageable-snapshots"]
        assert [one["source_reference"] for one in found] == [{"source-name": f"volume-{volume['id']}"}]
        other = await a_volume(cloud, admin)
        wanted = {"volume_id": other["id"], "ref": found[0]["reference"], "name": "s"}
        assert (await admin.post(S, json={"snapshot": wanted})).status_code == 400
        answer = await admin.post(S, json={"snapshot": {**wanted, "volume_id": volume["id"]}})
        assert (answer.status_code, answer.json()["snapshot"]["status"]) == (202, "available")
        made = await a_volume(cloud, admin, snapshot_id=answer.json()["snapshot"]["id"])
        assert made["status"] == "available"
