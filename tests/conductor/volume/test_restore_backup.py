"""Restoring a backup keeps the contract of sagas."""

import pytest

from minicloud.conductor.volume.restore_backup import RestoreBackup
from tests.support.backup_stories import Restoring
from tests.support.saga_contract import check_contract

pytestmark = pytest.mark.anyio


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Restoring(), RestoreBackup, deaths=60, pairs=20) > 30
