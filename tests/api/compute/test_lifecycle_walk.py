"""The lifecycle table through the door: every action that a state does not allow is refused with Nova's status and words."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.core import records
from minicloud.core.compute.lifecycle import TABLE, VM_STATES, ServerAction
from minicloud.core.compute.servers import Server
from minicloud.engines.database import Transaction
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio

BODIES: dict[str, dict[str, Any]] = {
    "start": {"os-start": None},
    "stop": {"os-stop": None},
    "reboot_soft": {"reboot": {"type": "SOFT"}},
    "reboot_hard": {"reboot": {"type": "HARD"}},
    "pause": {"pause": None},
    "unpause": {"unpause": None},
    "suspend": {"suspend": None},
    "resume": {"resume": None},
    "rebuild": {"rebuild": {"imageRef": "IMAGE"}},
    "createImage": {"createImage": {"name": "copy"}},
    "createBackup": {"createBackup": {"name": "copy", "backup_type": "daily", "rotation": 1}},
    "resize": {"resize": {"flavorRef": "2"}},
    "migrate": {"migrate": None},
    "confirm_resize": {"confirmResize": None},
    "revert_resize": {"revertResize": None},
    "live_migrate": {"os-migrateLive": {"host": None, "block_migration": "auto"}},
    "evacuate": {"evacuate": {}},
    "rescue": {"rescue": None},
    "unrescue": {"unrescue": None},
    "shelve": {"shelve": None},
    "shelve_offload": {"shelveOffload": None},
    "unshelve": {"unshelve": None},
    "restore": {"restore": None},
    "changePassword": {"changePassword": {"adminPass": "secret"}},
    "trigger_crash_dump": {"trigger_crash_dump": None},
}
"""How clients ask for each action."""


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """One cloud for the whole walk: what is refused changes nothing."""
    import trio.testing

    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture(scope="module")
async def walked() -> AsyncIterator[tuple[TestedCloud, dict[str, Any], str]]:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        yield cloud, await cloud.a_server(), await cloud.image_id()


@pytest.mark.parametrize("name", sorted(BODIES))
async def test_what_a_state_does_not_allow_is_refused(
    walked: tuple[TestedCloud, dict[str, Any], str], name: str
) -> None:
    cloud, server, image_id = walked
    row: ServerAction = TABLE[name]
    body = {"rebuild": {"imageRef": image_id}} if name == "rebuild" else BODIES[name]

    async def ask(**state: Any) -> tuple[int, str]:
        def put(tx: Transaction) -> None:
            records.change(tx, records.get(tx, Server, server["id"]), **state)

        await cloud.write(put)
        answer = await cloud.act(server["id"], body, cloud.admin)
        [fault] = answer.json().values()
        return answer.status_code, fault["message"]

    words = f"Cannot '{row.word}' instance {server['id']} while it is in"
    for vm_state in VM_STATES:
        if row.vm_states is not None and vm_state not in row.vm_states:
            assert await ask(vm_state=vm_state, task_state=None) == (409, f"{words} vm_state {vm_state}")
    if row.tasks is not None:
        allowed = sorted(row.vm_states or VM_STATES)[0]
        for task in ("rebuilding", "migrating", "deleting"):
            assert await ask(vm_state=allowed, task_state=task) == (409, f"{words} task_state {task}")


def test_no_row_is_forgotten() -> None:
    elsewhere = {"delete", "soft_delete", "attach_interface", "detach_interface", "attach_volume", "detach_volume"}
    assert set(TABLE) == set(BODIES) | elsewhere, "what has a path of its own is walked in that path's tests"
