"""Servers' records: how an action on one ends, whoever has taken it meanwhile; names, user data and faults in Nova's form."""

import base64
from contextlib import AsyncExitStack

import pytest

from minicloud.base.errors import Conflict, Failed, Invalid, NoValidHost, OverQuota
from minicloud.core import records
from minicloud.core.compute import servers
from minicloud.core.compute.actions import InstanceAction
from minicloud.core.compute.servers import Idle, Server
from minicloud.engines.database import Transaction
from tests.support.datacenters import OWNER, Datacenter, a_datacenter, ask

pytestmark = pytest.mark.anyio


async def an_active_server(center: Datacenter) -> Server:
    """A record of a server that runs on host-1."""

    def make(tx: Transaction) -> Server:
        return records.change(tx, ask(tx)[0], vm_state="active", task_state=None, host="host-1", power_state=1)

    return await center.database.write(make)


async def test_an_action_that_ends_lets_go_of_its_own_task_and_of_no_other() -> None:
    async with AsyncExitStack() as stack:
        center = await a_datacenter(stack, hosts=1)
        server = await an_active_server(center)

        def ends(tx: Transaction, task: str | None, claimed: str | None) -> str | None:
            taken = records.change(tx, records.get(tx, Server, server.id), task_state=task)
            return servers.settle(tx, taken.id, 1, claimed, vm_state="active").task_state

        for task, claimed, after in (
            ("rebooting", "rebooting", None),
            ("rebooting_hard", "rebooting", "rebooting_hard"),
            ("deleting", "rebooting", "deleting"),
            ("spawning", None, None),
            ("deleting", None, "deleting"),
        ):
            assert await center.database.write(lambda tx, t=task, c=claimed: ends(tx, t, c)) == after  # type: ignore[misc]


async def test_an_action_that_fails_gives_back_its_own_task_and_of_no_other() -> None:
    async with AsyncExitStack() as stack:
        center = await a_datacenter(stack, hosts=1)
        server = await an_active_server(center)

        def fails(tx: Transaction, task: str) -> tuple[str | None, str | None]:
            records.change(tx, records.get(tx, Server, server.id), task_state=task)
            servers.give_back(tx, server.id, 1, "powering-off", Failed("no answer"))
            return records.get(tx, Server, server.id).task_state, records.get(tx, InstanceAction, 1).message

        assert await center.database.write(lambda tx: fails(tx, "powering-off")) == (None, "Error")
        assert await center.database.write(lambda tx: fails(tx, "deleting")) == ("deleting", "Error")


async def test_a_server_that_has_moved_since_it_was_seen_is_not_seized() -> None:
    async with AsyncExitStack() as stack:
        center = await a_datacenter(stack, hosts=1)
        server = await an_active_server(center)
        [seen] = (await center.database.read(servers.idle))["host-1"]
        assert seen == Idle(server.id, "host-1", "active", 1, server.generation)
        await center.database.write(lambda tx: servers.take(tx, OWNER, server.id, "stop"))
        assert await center.database.read(servers.idle) == {}
        with pytest.raises(Conflict, match="was changed since it was seen"):
            await center.database.write(lambda tx: servers.seize(tx, seen, "stop"))


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        ("web", "web"),
        ("Web Server_1", "web-server-1"),
        ("a.b.c", "a-b-c"),
        ("..web--", "web"),
        ("x" * 100, "x" * 63),
        ("\u00fc\u00f6\u00e4", "server-ID"),
        ("\u6771\u4eac web", "web"),
        ("-", "server-ID"),
        ("web\nserver", "webserver"),
    ],
)
def test_a_host_name_is_made_of_what_may_be_in_one(name: str, hostname: str) -> None:
    assert servers.hostname_of(name, "ID") == hostname


def test_user_data_is_base64_and_not_too_large() -> None:
    servers.check_user_data(None)
    servers.check_user_data(base64.b64encode(b"x" * 40_000).decode())
    servers.check_user_data(base64.encodebytes(b"x" * 200).decode())
    for text in ("not b64", "YQ", "A" * 65_536, "\u00fc"):
        with pytest.raises(Invalid):
            servers.check_user_data(text)


async def test_a_fault_has_the_code_of_whose_doing_it_was() -> None:
    async with AsyncExitStack() as stack:
        center = await a_datacenter(stack, hosts=1)
        for error, code in (
            (Failed("x" * 300), 500),
            (NoValidHost("x"), 500),
            (Invalid("x"), 400),
            (OverQuota("x"), 403),
        ):
            fault = await center.database.read(lambda tx, e=error: servers.fault_of(tx, e))  # type: ignore[misc]
            assert fault.code == code
            assert len(fault.message) <= 255
            assert fault.details is not None


def test_passwords_can_be_told_apart_when_they_are_read_aloud() -> None:
    made = {servers.new_password() for _ in range(50)}
    assert len(made) == 50
    assert not set("".join(made)) & set("Il1O0")
