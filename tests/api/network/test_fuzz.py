"""A sample of odd requests to network; ``make fuzz`` sends many more."""

import pytest

from tests.support import odd_network

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", [11, 12])
async def test_no_odd_request_is_answered_with_500(seed: int) -> None:
    statuses = await odd_network.send(seed, 250)
    assert statuses[200] + statuses[201] > 20, statuses
    assert statuses[400] > 50, statuses
