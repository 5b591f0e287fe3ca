"""Making a backup keeps the contract of sagas."""

import pytest

from minicloud.conductor.volume.create_backup import CreateBackup
from tests.support.backup_stories import Making
from tests.support.saga_contract import check_contract

pytestmark = pytest.mark.anyio


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Making(), CreateBackup, deaths=60, pairs=20) > 30
