"""A sample of odd requests to compute; ``python -m tests.support.odd_requests compute 50000`` sends more."""

import pytest

from tests.support.odd_requests import send

pytestmark = pytest.mark.anyio


async def test_nothing_odd_is_a_defect() -> None:
    statuses = await send("compute", 5, 600, per_cloud=300)
    assert sum(statuses.values()) == 600
    # Half sensible: some are answered well, others for what is wrong with them.
    assert {200, 400, 404} <= set(statuses)
