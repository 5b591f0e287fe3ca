"""Volumes change hands, types and what is said of their image."""

import pytest

from tests.support.volume import VOLUME, a_snapshot, a_volume, act, message, read, volume_client, with_storage

pytestmark = pytest.mark.anyio
T = f"{VOLUME}/volume-transfers"


async def test_whoever_brings_the_key_takes_a_volume_over() -> None:
    async with with_storage() as (cloud, admin, demo):
        volume = await a_volume(cloud, demo)
        snapshot = await a_snapshot(cloud, demo, volume["id"])
        offered = await demo.post(T, json={"transfer": {"volume_id": volume["id"], "name": "t"}})
        assert offered.status_code == 202
        offer = offered.json()["transfer"]
        assert (offer["no_snapshots"], offer["accepted"], len(offer["auth_key"])) == (False, False, 16)
        assert (await read(demo, "volume", volume["id"]))["status"] == "awaiting-transfer"
        assert (await demo.post(T, json={"transfer": {"volume_id": volume["id"]}})).status_code == 400
        assert "auth_key" not in (await demo.get(f"{T}/{offer['id']}")).json()["transfer"]
        assert [one["id"] for one in (await demo.get(f"{T}/detail")).json()["transfers"]] == [offer["id"]]
        wrong = await admin.post(f"{T}/{offer['id']}/accept", json={"accept": {"auth_key": "x"}})
        assert (wrong.status_code, "invalid auth key" in message(wrong)) == (400, True)
        taken = await admin.post(f"{T}/{offer['id']}/accept", json={"accept": {"auth_key": offer["auth_key"]}})
        assert (taken.status_code, taken.json()["transfer"]["volume_id"]) == (202, volume["id"])
        assert (await demo.get(f"{VOLUME}/volumes/{volume['id']}")).status_code == 404
        assert (await demo.get(f"{VOLUME}/snapshots/{snapshot['id']}")).status_code == 404
        assert (await read(admin, "volume", volume["id"]))["status"] == "available"
        assert (await demo.get(f"{T}/{offer['id']}")).status_code == 404


async def test_an_offer_is_withdrawn_and_quotas_hold_for_whoever_accepts() -> None:
    async with with_storage() as (cloud, admin, demo):
        volume = await a_volume(cloud, admin)
        offer = (await admin.post(T, json={"transfer": {"volume_id": volume["id"]}})).json()["transfer"]
        assert (await demo.get(f"{T}/{offer['id']}")).status_code == 404
        assert (await demo.delete(f"{T}/{offer['id']}")).status_code == 404
        mine = (await a_volume(cloud, demo))["os-vol-tenant-attr:tenant_id"]
        await admin.put(f"{VOLUME}/os-quota-sets/{mine}", json={"quota_set": {"volumes": 1}})
        accept = {"accept": {"auth_key": offer["auth_key"]}}
        assert (await demo.post(f"{T}/{offer['id']}/accept", json=accept)).status_code == 413
        assert (await admin.delete(f"{T}/{offer['id']}")).status_code == 202
        assert (await read(admin, "volume", volume["id"]))["status"] == "available"
        older = await volume_client(cloud, version="volume 3.54")
        assert (await older.get(T)).status_code == 404
        assert (await older.get(f"{VOLUME}/os-volume-transfer")).json()["transfers"] == []


async def test_a_volume_gets_another_type_where_it_lies() -> None:
    async with with_storage() as (cloud, admin, demo):
        await admin.post(f"{VOLUME}/types", json={"volume_type": {"name": "gold"}})
        elsewhere = {"name": "far", "extra_specs": {"volume_backend_name": "nowhere"}}
        await admin.post(f"{VOLUME}/types", json={"volume_type": elsewhere})
        volume = await a_volume(cloud, demo)
        assert (await act(demo, volume["id"], "os-retype", {"new_type": "gold"})).status_code == 202
        assert (await read(demo, "volume", volume["id"]))["volume_type"] == "gold"
        again = await act(demo, volume["id"], "os-retype", {"new_type": "gold"})
        assert (again.status_code, "has to be different" in message(again)) == (400, True)
        assert (await act(demo, volume["id"], "os-retype", {"new_type": "none"})).status_code == 400
        assert (await act(demo, volume["id"], "os-retype", {"new_type": "far"})).status_code == 202
        assert (await read(demo, "volume", volume["id"]))["volume_type"] == "gold"
        told = (await demo.get(f"{VOLUME}/messages")).json()["messages"]
        assert [one["user_message"] for one in told] == [
            "schedule allocate volume:Could not find any available weighted backend."
        ]
        assert (await demo.delete(f"{VOLUME}/messages/{told[0]['id']}")).status_code == 204
        there = (await read(admin, "volume", volume["id"]))["os-vol-host-attr:host"]
        for host, words in ((there, "must be different"), ("x@y#z", "No available service named")):
            refused = await act(admin, volume["id"], "os-migrate_volume", {"host": host})
            assert (refused.status_code, words in message(refused)) == (400, True)


async def test_a_volume_comes_to_be_shared_and_back_only_while_nobody_has_it() -> None:
    async with with_storage() as (cloud, admin, demo):
        for name, specs in (
            ("shared", {"multiattach": "<is> True"}),
            ("plain", {"provisioning:min_vol_size": "1", "provisioning:max_vol_size": "2"}),
            ("secret", {}),
            ("both", {"multiattach": "<is> True"}),
            ("large", {"provisioning:min_vol_size": "2"}),
        ):
            body = {"volume_type": {"name": name, "extra_specs": specs}}
            made = (await admin.post(f"{VOLUME}/types", json=body)).json()["volume_type"]
            if name in ("secret", "both"):
                luks = {"encryption": {"provider": "luks", "control_location": "front-end"}}
                assert (await admin.post(f"{VOLUME}/types/{made['id']}/encryption", json=luks)).status_code == 200
        volume = await a_volume(cloud, demo)
        assert (await act(demo, volume["id"], "os-retype", {"new_type": "shared"})).status_code == 202
        assert (await read(demo, "volume", volume["id"]))["status"] == "retyping"
        await cloud.settled()
        after = await read(demo, "volume", volume["id"])
        assert (after["status"], after["volume_type"], after["multiattach"]) == ("available", "shared", True)
        for number in (1, 2):
            server = await cloud.a_server(name=f"s{number}")
            body = {"volumeAttachment": {"volumeId": volume["id"]}}
            path = f"/compute/v2.1/servers/{server['id']}/os-volume_attachments"
            newest = {"OpenStack-API-Version": "compute latest"}
            assert (await cloud.demo.post(path, json=body, headers=newest)).status_code == 202
            await cloud.settled()
        assert len((await read(demo, "volume", volume["id"]))["attachments"]) == 2
        used = await act(demo, volume["id"], "os-retype", {"new_type": "plain"})
        assert (used.status_code, "only allowed on available volumes" in message(used)) == (400, True)
        other = await a_volume(cloud, demo)
        for name, words in (
            ("secret", "needs a key manager"),
            ("both", "both encryption and multi-attach"),
            ("large", "less than the minimum required size of '2'"),
        ):
            refused = await act(demo, other["id"], "os-retype", {"new_type": name})
            assert (refused.status_code, words in message(refused)) == (400, True)
        assert (await act(demo, other["id"], "os-retype", {"new_type": "plain"})).status_code == 202
        grown = await act(demo, other["id"], "os-extend", {"new_size": 3})
        assert (grown.status_code, "greater than the maximum" in message(grown)) == (400, True)
        large = await demo.post(f"{VOLUME}/volumes", json={"volume": {"size": 3, "volume_type": "plain"}})
        assert large.status_code == 400


async def test_what_is_said_of_a_volumes_image() -> None:
    async with with_storage() as (cloud, _admin, demo):
        volume = await a_volume(cloud, demo)
        said = await act(demo, volume["id"], "os-set_image_metadata", {"metadata": {"os": "x", "arch": "y"}})
        assert (said.status_code, said.json()["metadata"]) == (200, {"os": "x", "arch": "y"})
        assert (await act(demo, volume["id"], "os-unset_image_metadata", {"key": "os"})).status_code == 200
        assert (await act(demo, volume["id"], "os-unset_image_metadata", {"key": "os"})).status_code == 404
        shown = await act(demo, volume["id"], "os-show_image_metadata")
        assert shown.json() == {"metadata": {"arch": "y"}}
        assert (await read(demo, "volume", volume["id"]))["volume_image_metadata"] == {"arch": "y"}
