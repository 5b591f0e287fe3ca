"""The lifecycle table, walked: every action from every state and task is allowed or refused as the table says, in Nova's words."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.base.errors import Conflict, NotFound
from minicloud.cloud import SAGAS
from minicloud.core import records
from minicloud.core.compute import lifecycle, servers
from minicloud.core.compute.actions import InstanceAction
from minicloud.core.compute.lifecycle import TABLE, VM_STATES, ServerAction
from minicloud.core.context import Context, administrator
from minicloud.engines.database import Transaction
from tests.support.datacenters import OWNER, a_datacenter, ask

pytestmark = pytest.mark.anyio

TASKS = (
    None,
    *sorted({row.claims for row in TABLE.values() if row.claims is not None}),
    *("scheduling", "networking", "spawning", "reboot_pending", "reboot_started"),
)


class RolledBack(Exception):
    """Ends a transaction that was only an attempt."""


def attempt(tx: Transaction, context: Context, row: ServerAction, **state: object) -> str:
    """What taking the one server in this state brings: 'taken', or the words of the refusal."""
    server = records.select(tx, servers.Server)[0]
    server = records.change(tx, server, **state)
    before = records.count(tx, InstanceAction)
    try:
        taken, action_id = servers.take(tx, context, server.id, row.name)
    except Conflict as error:
        assert records.get(tx, servers.Server, server.id) == server, "a refusal changes nothing"
        assert records.count(tx, InstanceAction) == before
        return error.message
    assert taken.task_state == row.claims
    assert taken.vm_state == server.vm_state
    assert records.get(tx, InstanceAction, action_id).user_id == context.user_id
    return "taken"


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
async def test_an_action_is_allowed_where_the_table_says_and_nowhere_else(row: ServerAction) -> None:
    async with AsyncExitStack() as stack:
        center = await a_datacenter(stack, hosts=1)
        server_id = (await center.database.write(lambda tx: ask(tx)[0])).id
        told: list[str] = []

        def one(tx: Transaction, context: Context, **state: object) -> None:
            told.append(attempt(tx, context, row, **state))
            raise RolledBack

        async def tell(context: Context = OWNER, **state: object) -> str:
            with pytest.raises(RolledBack):
                await center.database.write(lambda tx: one(tx, context, **state))
            return told[-1]

        for vm_state in VM_STATES:
            for task in TASKS:
                words = f"Cannot '{row.word}' instance {server_id} while it is in"
                if row.vm_states is not None and vm_state not in row.vm_states:
                    wanted = f"{words} vm_state {vm_state}"
                elif row.tasks is not None and task not in row.tasks:
                    wanted = f"{words} task_state {task}"
                else:
                    wanted = "taken"
                assert await tell(vm_state=vm_state, task_state=task, host="host-1") == wanted, (vm_state, task)
        state = next(iter(row.vm_states or ("active",)))
        here: dict[str, Any] = {"vm_state": state, "task_state": None}
        homeless = await tell(**here, host=None)
        assert homeless == (f"Instance {server_id} is not ready" if row.needs_host else "taken")
        locked = await tell(**here, host="host-1", locked=True)
        assert locked == ("taken" if row.when_locked else f"Instance {server_id} is locked")
        assert await tell(administrator(project_id="other"), **here, host="host-1", locked=True) == "taken"


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
async def test_a_server_of_another_project_is_not_there(row: ServerAction) -> None:
    async with AsyncExitStack() as stack:
        center = await a_datacenter(stack, hosts=1)
        server_id = (await center.database.write(lambda tx: ask(tx)[0])).id
        stranger = Context(user_id="x", project_id="other", roles=frozenset({"member", "reader"}))
        with pytest.raises(NotFound, match=f"Instance {server_id} could not be found"):
            await center.database.write(lambda tx: servers.take(tx, stranger, server_id, row.name))


def test_every_row_names_a_saga_that_there_is_and_states_that_there_are() -> None:
    kinds = {kind.__name__ for kind in SAGAS}
    for row in TABLE.values():
        assert row.saga in kinds, f"{row.name} starts {row.saga}, which the cloud does not have"
        assert (row.vm_states or frozenset()) <= set(VM_STATES)


def test_every_state_has_a_status_and_every_status_finds_its_states_again() -> None:
    assert set(lifecycle.STATUSES) == set(VM_STATES)
    for vm_state in VM_STATES:
        for task in TASKS:
            shown = lifecycle.status(vm_state, task)
            states, tasks = lifecycle.states_of([shown.lower()])
            assert vm_state in states, (vm_state, task, shown)
            assert tasks is None or task in tasks, (vm_state, task, shown)
    # Where a status needs no task, Nova does not look at tasks at all, also where several are asked for.
    assert lifecycle.states_of(["ACTIVE"]) == ({"active"}, None)
    assert lifecycle.states_of(["HARD_REBOOT"])[0] >= {"active"}
    assert lifecycle.states_of(["HARD_REBOOT", "SHUTOFF"])[1] is None
    assert lifecycle.states_of(["NONSENSE"]) == (set(), set())
