"""Listings of block storage over HTTP: what their query strings mean."""

import pytest

from tests.support.volume import VOLUME, a_volume, message, with_storage

pytestmark = pytest.mark.anyio


async def test_truths_in_query_strings_are_read_as_each_listing_reads_them() -> None:
    async with with_storage() as (cloud, admin, demo):
        volume = await a_volume(cloud, demo)
        for path, words in (
            ("volumes?all_tenants=maybe", "Value 'maybe' for 'all_tenants' is not a boolean."),
            ("volumes/detail?with_count=maybe", "Value 'maybe' for 'with_count' is not a boolean."),
            ("volumes/summary?all_tenants=", "Value '' for 'all_tenants' is not a boolean."),
            ("backups?all_tenants=maybe", "all_tenants must be a boolean, got 'maybe'."),
            ("groups/detail?list_volume=maybe", "Value 'maybe' for 'list_volume' is not a boolean."),
        ):
            for client in (admin, demo):
                answer = await client.get(f"{VOLUME}/{path}")
                assert (answer.status_code, message(answer)) == (400, words), path
        refused = await demo.delete(f"{VOLUME}/volumes/{volume['id']}?cascade=maybe")
        assert (refused.status_code, message(refused)) == (400, "Value 'maybe' for 'cascade' is not a boolean.")
        for path in ("snapshots?all_tenants=maybe", "volume-transfers?all_tenants=maybe", "groups?all_tenants=0"):
            assert (await admin.get(f"{VOLUME}/{path}")).status_code == 200, path


async def test_administrators_find_volumes_by_host_backend_and_pool() -> None:
    async with with_storage() as (cloud, admin, demo):
        volume = await a_volume(cloud, demo)
        for host, found in (
            ("control", True),
            ("control@fake", True),
            ("control%40fake%23fake", True),
            ("control@fak", False),
            ("control%40fake%23fak", False),
            ("contro", False),
            ("control@.*", False),
        ):
            listed = (await admin.get(f"{VOLUME}/volumes?all_tenants=1&host={host}")).json()["volumes"]
            assert [one["id"] for one in listed] == ([volume["id"]] if found else []), host
