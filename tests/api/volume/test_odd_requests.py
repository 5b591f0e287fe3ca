"""A sample of odd requests to block storage; ``python -m tests.support.odd_requests volume 20000`` sends more."""

import pytest

from tests.support.odd_requests import send
from tests.support.volume import VOLUME, with_storage

pytestmark = pytest.mark.anyio


async def test_nothing_odd_is_a_defect() -> None:
    statuses = await send("volume", 5, 400, per_cloud=400)
    assert sum(statuses.values()) == 400
    # Half sensible: some are answered well, others for what is wrong with them.
    assert {200, 202, 400, 404} <= set(statuses)


async def test_filters_that_no_column_can_hold_find_nothing() -> None:
    async with with_storage() as (cloud, admin, _):
        for value in ("9" * 20, "'\\ud800'", "['\\ud800']", "[1e999]", "-" + "9" * 20):
            for name in ("status", "size", "name"):
                found = await admin.get(f"{VOLUME}/volumes", params={name: value, "all_tenants": "1"})
                assert (found.status_code, found.json()) == (200, {"volumes": []}), (name, value)
        assert not cloud.notes.facts("defect")
