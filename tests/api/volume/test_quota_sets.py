"""Quotas, limits, services, hosts, pools and the other things that administrators look at."""

import pytest

from tests.support.volume import VOLUME, a_snapshot, a_volume, message, with_storage

pytestmark = pytest.mark.anyio


async def test_quotas_are_shown_set_bind_and_are_reset() -> None:
    async with with_storage() as (cloud, admin, demo):
        volume = await a_volume(cloud, demo)
        mine = volume["os-vol-tenant-attr:tenant_id"]
        path = f"{VOLUME}/os-quota-sets/{mine}"
        await a_snapshot(cloud, demo, volume["id"])
        shown = (await demo.get(path, params={"usage": "true"})).json()["quota_set"]
        assert shown["volumes"] == {"in_use": 1, "limit": 10, "reserved": 0}
        assert (shown["gigabytes"]["in_use"], shown["gigabytes___DEFAULT__"]["in_use"]) == (2, 2)
        assert (await demo.put(path, json={"quota_set": {"volumes": 2}})).status_code == 403
        for bad in ({}, {"volumes": "many"}, {"volumes": -2}, {"colour": 1}, {"volumes": 0}):
            assert (await admin.put(path, json={"quota_set": bad})).status_code == 400, bad
        changed = (await admin.put(path, json={"quota_set": {"volumes": 1, "volumes___DEFAULT__": 5}})).json()[
            "quota_set"
        ]
        assert (changed["volumes"], changed["volumes___DEFAULT__"], "id" in changed) == (1, 5, False)
        refused = await demo.post(f"{VOLUME}/volumes", json={"volume": {"size": 1}})
        assert refused.status_code == 413
        assert (await demo.get(f"{path}/defaults")).json()["quota_set"]["volumes"] == 10
        assert (await demo.get(f"{VOLUME}/os-quota-sets/other")).status_code == 403
        limits = (await demo.get(f"{VOLUME}/limits")).json()["limits"]["absolute"]
        assert (limits["maxTotalVolumes"], limits["totalVolumesUsed"], limits["totalGigabytesUsed"]) == (1, 1, 2)
        theirs = (await admin.get(f"{VOLUME}/limits", params={"project_id": mine})).json()["limits"]["absolute"]
        assert theirs == limits
        assert (await admin.delete(path)).status_code == 200
        assert (await demo.get(path)).json()["quota_set"]["volumes"] == 10
        classes = f"{VOLUME}/os-quota-class-sets/default"
        assert (await admin.put(classes, json={"quota_class_set": {"volumes": 7}})).json()["quota_class_set"][
            "volumes"
        ] == 7
        assert (await admin.get(classes)).json()["quota_class_set"]["id"] == "default"
        assert (await demo.get(path)).json()["quota_set"]["volumes"] == 7


async def test_services_are_listed_and_switched() -> None:
    async with with_storage() as (cloud, admin, demo):
        assert (await demo.get(f"{VOLUME}/os-services")).status_code == 403
        found = (await admin.get(f"{VOLUME}/os-services")).json()["services"]
        by_binary = {one["binary"]: one for one in found}
        assert set(by_binary) == {"cinder-volume", "cinder-scheduler", "cinder-backup"}
        backend = by_binary["cinder-volume"]
        assert (backend["state"], backend["status"], backend["frozen"]) == ("up", "enabled", False)
        asked = {"host": backend["host"], "binary": "cinder-volume"}
        off = await admin.put(f"{VOLUME}/os-services/disable-log-reason", json={**asked, "disabled_reason": "dust"})
        assert (off.json()["status"], off.json()["disabled_reason"]) == ("disabled", "dust")
        none_left = (await demo.post(f"{VOLUME}/volumes", json={"volume": {"size": 1}})).json()["volume"]["id"]
        await cloud.settled()
        assert (await demo.get(f"{VOLUME}/volumes/{none_left}")).json()["volume"]["status"] == "error"
        assert (await admin.put(f"{VOLUME}/os-services/enable", json=asked)).json()["status"] == "enabled"
        scheduler = {"host": "control", "binary": "cinder-scheduler"}
        assert (await admin.put(f"{VOLUME}/os-services/disable", json=scheduler)).json()["disabled"] is True
        assert (await admin.put(f"{VOLUME}/os-services/disable", json={**asked, "host": "x"})).status_code == 404
        only = (await admin.get(f"{VOLUME}/os-services", params={"binary": "cinder-scheduler"})).json()["services"]
        assert [one["status"] for one in only] == ["disabled"]
        for verb, body, status in (
            ("freeze", {"host": backend["host"]}, 200),
            ("freeze", {"host": backend["host"]}, 400),
            ("thaw", {"host": backend["host"]}, 200),
            ("thaw", {"host": "x"}, 400),
            ("freeze", {}, 400),
            ("failover_host", {"host": backend["host"]}, 400),
            ("failover_host", {"host": "x"}, 400),
        ):
            assert (await admin.put(f"{VOLUME}/os-services/{verb}", json=body)).status_code == status, verb
        words = (
            "Invalid input received: No service could be changed: {} in ['"
            + backend["host"]
            + "'] must be {} to failover."
        )
        for verb, field, wanted in (
            ("thaw", "frozen", "True"),
            ("failover_host", "replication_status", "['enabled', 'failed-over'] and must be up"),
        ):
            refused = await admin.put(f"{VOLUME}/os-services/{verb}", json={"host": backend["host"]})
            assert (refused.status_code, message(refused)) == (400, words.format(field, wanted))
        logs = await admin.put(f"{VOLUME}/os-services/get-log", json={"binary": "cinder-scheduler"})
        assert [(one["binary"], one["host"]) for one in logs.json()["log_levels"]] == [("cinder-scheduler", "control")]
        everything = (await admin.put(f"{VOLUME}/os-services/get-log", json={})).json()["log_levels"]
        assert {(one["binary"], one["host"]) for one in everything} == {
            ("cinder-api", "control"),
            ("cinder-backup", "control"),
            ("cinder-scheduler", "control"),
            ("cinder-volume", backend["host"]),
        }
        of_backend = await admin.put(f"{VOLUME}/os-services/get-log", json={"server": backend["host"]})
        assert [one["binary"] for one in of_backend.json()["log_levels"]] == ["cinder-volume"]
        loud = await admin.put(f"{VOLUME}/os-services/set-log", json={"level": "loud"})
        assert (loud.status_code, message(loud)) == (400, "Invalid input received: loud is not a valid log level.")


async def test_hosts_pools_capabilities_zones_and_the_rest() -> None:
    async with with_storage() as (cloud, admin, demo):
        await a_volume(cloud, demo, size=3)
        hosts = (await admin.get(f"{VOLUME}/os-hosts")).json()["hosts"]
        name = next(one["host_name"] for one in hosts if one["service"] == "cinder-volume")
        held = (await admin.get(f"{VOLUME}/os-hosts/{name}")).json()["host"]
        assert [one["resource"]["total_volume_gb"] for one in held] == ["3", "3"]
        assert (await admin.get(f"{VOLUME}/os-hosts/none")).status_code == 404
        pools = (await admin.get(f"{VOLUME}/scheduler-stats/get_pools", params={"detail": "true"})).json()["pools"]
        assert pools[0]["capabilities"]["allocated_capacity_gb"] == 3
        capabilities = (await admin.get(f"{VOLUME}/capabilities/{name}")).json()
        assert capabilities["volume_backend_name"] == pools[0]["capabilities"]["volume_backend_name"]
        assert (await admin.get(f"{VOLUME}/capabilities/none")).status_code == 404
        zones = (await demo.get(f"{VOLUME}/os-availability-zone")).json()["availabilityZoneInfo"]
        assert zones == [{"zoneName": "nova", "zoneState": {"available": True}}]
        assert (await admin.get(f"{VOLUME}/clusters")).json() == {"clusters": []}
        assert (await admin.get(f"{VOLUME}/clusters", params={"colour": "red"})).status_code == 400
        assert (await admin.get(f"{VOLUME}/clusters/x")).status_code == 404
        cleaned = await admin.post(f"{VOLUME}/workers/cleanup", json={"host": name})
        assert (cleaned.status_code, cleaned.json()) == (202, {"cleaning": [], "unavailable": []})
        assert (await admin.post(f"{VOLUME}/workers/cleanup", json={"resource_type": "tape"})).status_code == 400
        aliases = {one["alias"] for one in (await demo.get(f"{VOLUME}/extensions")).json()["extensions"]}
        assert {"backups", "os-volume-transfer", "qos-specs"} <= aliases
        assert (await demo.get(f"{VOLUME}/extensions/backups")).json()["extension"]["name"] == "Backups"
        assert (await demo.get(f"{VOLUME}/extensions/none")).status_code == 404
        filters = (await demo.get(f"{VOLUME}/resource_filters", params={"resource": "backup"})).json()[
            "resource_filters"
        ]
        assert filters == [{"resource": "backup", "filters": ["name", "status", "volume_id"]}]
        assert (await demo.get(f"{VOLUME}/messages")).json() == {"messages": []}
        missing = await demo.get(f"{VOLUME}/messages/none")
        assert (missing.status_code, message(missing)) == (404, "Message none could not be found.")
