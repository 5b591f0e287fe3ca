"""Volume types, their extra specs, encryption and access; default types of projects; QoS specs and what they are for."""

from typing import Any

import httpx
import pytest

from tests.support.volume import VOLUME, a_volume, message, volume_admin, with_storage

pytestmark = pytest.mark.anyio


async def a_type(admin: httpx.AsyncClient, name: str = "gold", **wanted: Any) -> dict[str, Any]:
    made = await admin.post(f"{VOLUME}/types", json={"volume_type": {"name": name, **wanted}})
    assert made.status_code == 200, made.text
    found: dict[str, Any] = made.json()["volume_type"]
    return found


async def test_a_type_is_made_shown_changed_and_deleted() -> None:
    async with with_storage() as (cloud, admin, demo):
        kind = await a_type(
            admin, " gold ", extra_specs={"multiattach": "<is> True", "secret": "x"}, description="fast"
        )
        assert (kind["name"], kind["description"]) == ("gold", "fast")
        assert (await admin.post(f"{VOLUME}/types", json={"volume_type": {"name": "gold"}})).status_code == 409
        assert (await demo.post(f"{VOLUME}/types", json={"volume_type": {"name": "x"}})).status_code == 403
        path = f"{VOLUME}/types/{kind['id']}"
        seen = (await demo.get(path)).json()["volume_type"]
        assert (seen["extra_specs"], "qos_specs_id" in seen) == ({"multiattach": "<is> True"}, False)
        assert "qos_specs_id" in (await admin.get(path)).json()["volume_type"]
        names = [one["name"] for one in (await demo.get(f"{VOLUME}/types")).json()["volume_types"]]
        assert sorted(names) == ["__DEFAULT__", "gold"]
        assert (await demo.get(f"{VOLUME}/types/default")).json()["volume_type"]["name"] == "__DEFAULT__"
        for bad in ({}, {"name": " "}, {"is_public": "maybe"}, {"name": "x" * 256}):
            assert (await admin.put(path, json={"volume_type": bad})).status_code == 400
        assert (await admin.put(path, json={"volume_type": {"name": "__DEFAULT__"}})).status_code == 409
        changed = await admin.put(path, json={"volume_type": {"name": "silver", "description": "slow"}})
        assert changed.json()["volume_type"]["name"] == "silver"
        volume = await a_volume(cloud, demo, volume_type="silver")
        assert (volume["volume_type"], volume["multiattach"]) == ("silver", True)
        assert message(await admin.delete(path)) == "Target volume type is still in use."
        await demo.delete(f"{VOLUME}/volumes/{volume['id']}")
        await cloud.settled()
        assert (await admin.delete(path)).status_code == 202
        assert (await admin.get(path)).status_code == 404
        default = (await admin.get(f"{VOLUME}/types/default")).json()["volume_type"]["id"]
        assert (await admin.delete(f"{VOLUME}/types/{default}")).status_code == 400


async def test_extra_specs_change_while_no_volume_has_the_type() -> None:
    async with with_storage() as (cloud, admin, demo):
        kind = await a_type(admin)
        path = f"{VOLUME}/types/{kind['id']}/extra_specs"
        assert (await admin.post(path, json={"extra_specs": {"a": "1", "b": "2"}})).json() == {
            "extra_specs": {"a": "1", "b": "2"}
        }
        assert (await admin.put(f"{path}/a", json={"a": "3"})).json() == {"a": "3"}
        wrong: list[Any] = [{"b": "1"}, {"a": "1", "b": "2"}, {}, {"a": {}}, []]
        for bad in wrong:
            assert (await admin.put(f"{path}/a", json=bad)).status_code == 400
        assert (await admin.post(path, json={"extra_specs": {"a b": "1"}})).status_code == 400
        assert (await admin.get(f"{path}/a")).json() == {"a": "3"}
        assert (await demo.get(f"{path}/a")).status_code == 404, "what is not for users is not there for them"
        assert (await admin.delete(f"{path}/b")).status_code == 202
        assert (await admin.delete(f"{path}/b")).status_code == 404
        await a_volume(cloud, demo, volume_type="gold")
        assert message(await admin.post(path, json={"extra_specs": {"c": "1"}})) == "Volume Type is currently in use."


async def test_a_private_type_is_for_those_who_were_given_it() -> None:
    async with with_storage() as (cloud, admin, demo):
        kind = await a_type(admin, "gold", **{"os-volume-type-access:is_public": False})
        path = f"{VOLUME}/types/{kind['id']}"
        assert (await demo.get(path)).status_code == 404
        assert (
            await demo.post(f"{VOLUME}/volumes", json={"volume": {"size": 1, "volume_type": "gold"}})
        ).status_code == 404
        project = (await demo.get(f"{VOLUME}/volumes/detail")).status_code
        assert project == 200
        volume = await a_volume(cloud, demo)
        mine = volume["os-vol-tenant-attr:tenant_id"]
        granted = {"addProjectAccess": {"project": mine}}
        assert (await admin.post(f"{path}/action", json=granted)).status_code == 202
        assert (await admin.post(f"{path}/action", json=granted)).status_code == 409
        assert (await demo.get(path)).status_code == 200
        assert "gold" in [one["name"] for one in (await demo.get(f"{VOLUME}/types")).json()["volume_types"]]
        access = (await admin.get(f"{path}/os-volume-type-access")).json()["volume_type_access"]
        assert access == [{"volume_type_id": kind["id"], "project_id": mine}]
        assert (await admin.post(f"{path}/action", json={"removeProjectAccess": {"project": mine}})).status_code == 202
        assert (await admin.post(f"{path}/action", json={"removeProjectAccess": {"project": mine}})).status_code == 404
        public = (await admin.get(f"{VOLUME}/types", params={"is_public": "None"})).json()["volume_types"]
        assert len(public) == 2
        other = (await admin.get(f"{VOLUME}/types/default")).json()["volume_type"]["id"]
        assert (await admin.get(f"{VOLUME}/types/{other}/os-volume-type-access")).status_code == 404
        assert (await admin.post(f"{VOLUME}/types/{other}/action", json=granted)).status_code == 400


async def test_an_encrypted_type_is_kept_and_no_volume_in_the_clear_is_made_of_it() -> None:
    async with with_storage() as (cloud, admin, demo):
        kind = await a_type(admin)
        path = f"{VOLUME}/types/{kind['id']}/encryption"
        assert (await admin.get(path)).json() == {}
        wanted = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}
        made = await admin.post(path, json={"encryption": wanted})
        assert wanted.items() <= made.json()["encryption"].items()
        assert (await admin.post(path, json={"encryption": wanted})).status_code == 409
        assert (await admin.post(path, json={"encryption": {"provider": "luks"}})).status_code == 400
        assert (await demo.get(path)).status_code == 403
        found = (await admin.get(path)).json()
        assert (await admin.get(f"{path}/cipher")).json() == {"cipher": "aes-xts-plain64"}
        refused = await demo.post(f"{VOLUME}/volumes", json={"volume": {"size": 1, "volume_type": "gold"}})
        assert (refused.status_code, "key manager" in message(refused)) == (400, True)
        one = f"{path}/provider"
        assert (await admin.put(one, json={"encryption": {"key_size": 512}})).status_code == 200
        assert (await admin.get(path)).json()["key_size"] == 512
        assert (await admin.delete(f"{path}/{found['encryption_id']}")).status_code == 202
        assert (await admin.delete(one)).status_code == 404
        await a_volume(cloud, demo, volume_type="gold")


async def test_a_project_has_a_default_type_of_its_own() -> None:
    async with with_storage() as (cloud, admin, demo):
        await a_type(admin)
        first = await a_volume(cloud, demo)
        mine = first["os-vol-tenant-attr:tenant_id"]
        path = f"{VOLUME}/default-types/{mine}"
        assert (await admin.get(path)).status_code == 404
        assert (await admin.put(path, json={"default_type": {"volume_type": "none"}})).status_code == 400
        assert (
            await admin.put(f"{VOLUME}/default-types/none", json={"default_type": {"volume_type": "gold"}})
        ).status_code == 404
        made = await admin.put(path, json={"default_type": {"volume_type": "gold"}})
        assert made.json()["default_type"]["project_id"] == mine
        assert (await a_volume(cloud, demo))["volume_type"] == "gold"
        assert (await admin.get(f"{VOLUME}/default-types")).json()["default_types"] == [made.json()["default_type"]]
        older = await volume_admin(cloud, version="volume 3.61")
        assert (await older.get(path)).status_code == 404
        assert (await admin.delete(path)).status_code == 204
        assert (await a_volume(cloud, demo))["volume_type"] == "__DEFAULT__"


async def test_qos_specs_are_made_changed_associated_and_deleted() -> None:
    async with with_storage() as (_cloud, admin, demo):
        kind = await a_type(admin)
        body = {"qos_specs": {"name": "fast", "consumer": "front-end", "total_iops_sec": "500"}}
        made = (await admin.post(f"{VOLUME}/qos-specs", json=body)).json()["qos_specs"]
        assert made["specs"] == {"total_iops_sec": "500"}
        assert (await admin.post(f"{VOLUME}/qos-specs", json=body)).status_code == 409
        assert (await demo.get(f"{VOLUME}/qos-specs")).status_code == 403
        path = f"{VOLUME}/qos-specs/{made['id']}"
        assert (await admin.put(path, json={"qos_specs": {"total_bytes_sec": "1000"}})).status_code == 200
        assert (await admin.put(path, json={"qos_specs": {"consumer": "nobody"}})).status_code == 400
        assert (await admin.put(f"{path}/delete_keys", json={"keys": ["total_bytes_sec"]})).status_code == 202
        assert (await admin.put(f"{path}/delete_keys", json={"keys": ["none"]})).status_code == 404
        assert (await admin.get(f"{path}/associate")).status_code == 400
        asked = {"vol_type_id": kind["id"]}
        assert (await admin.get(f"{path}/associate", params=asked)).status_code == 202
        found = (await admin.get(f"{path}/associations")).json()["qos_associations"]
        assert found == [{"association_type": "volume_type", "name": "gold", "id": kind["id"]}]
        second = (await admin.post(f"{VOLUME}/qos-specs", json={"qos_specs": {"name": "slow"}})).json()["qos_specs"]
        taken = await admin.get(f"{VOLUME}/qos-specs/{second['id']}/associate", params=asked)
        assert taken.status_code == 400
        assert (await admin.delete(path)).status_code == 400
        assert (await admin.get(f"{path}/disassociate", params=asked)).status_code == 202
        assert (await admin.get(f"{path}/associate", params=asked)).status_code == 202
        assert (await admin.delete(path, params={"force": "true"})).status_code == 202
        assert (await admin.get(f"{VOLUME}/types/{kind['id']}")).json()["volume_type"]["qos_specs_id"] is None
        assert (await admin.get(f"{VOLUME}/qos-specs/{second['id']}/disassociate_all")).status_code == 202
