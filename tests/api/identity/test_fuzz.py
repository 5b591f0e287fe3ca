"""Documents and queries nobody in their right mind would send: refused in words, never with 500. ``make fuzz`` sends more."""

import pytest

from tests.support import odd_identity

pytestmark = pytest.mark.anyio

REQUESTS = 2_500


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_odd_is_answered_with_500(seed: int) -> None:
    statuses = await odd_identity.send(seed, REQUESTS)
    assert {200, 201, 204, 400, 401, 403, 404} <= set(statuses)
