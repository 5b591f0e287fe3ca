"""Talks with an agent in a guest: what an earlier talk left is passed over, refusals are told, silence is not waited for long."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from minicloud.base.errors import Conflict, Failed, NotOffered
from minicloud.drivers.hypervisor import Hardware
from minicloud.drivers.hypervisor.qemu import guestagent
from minicloud.drivers.hypervisor.qemu.folder import Folder

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def an_agent(folder: Path, answer: Callable[[dict[str, Any]], bytes]) -> AsyncIterator[list[dict[str, Any]]]:
    """Somebody at the other end of the port, who hears documents and answers by ``answer``."""
    heard: list[dict[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"return": {}}\n')  # left over from somebody who did not wait
        while line := await reader.readline():
            heard.append(json.loads(line))
            writer.write(answer(heard[-1]))
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, folder / "agent")
    try:
        yield heard
    finally:
        server.close()


def as_it_is(asked: dict[str, Any]) -> bytes:
    if asked["execute"] == "guest-sync":
        return b'half an ans\n{"return": 7}\n' + json.dumps({"return": asked["arguments"]["id"]}).encode() + b"\n"
    if asked.get("arguments", {}).get("username") == "nobody":
        return b'{"error": {"class": "GenericError", "desc": "no such user"}}\n'
    return b'{"return": {}}\n'


async def test_a_password_reaches_the_agent(tmp_path: Path) -> None:
    arguments = {"username": "root", "password": base64.b64encode(b"secret").decode(), "crypted": False}
    async with an_agent(tmp_path, as_it_is) as heard:
        assert await guestagent.ask(Folder(tmp_path), "guest-set-user-password", arguments) == {}
    assert [asked["execute"] for asked in heard] == ["guest-sync", "guest-set-user-password"]
    assert heard[1]["arguments"] == arguments


async def test_what_the_agent_refuses_is_told(tmp_path: Path) -> None:
    async with an_agent(tmp_path, as_it_is):
        with pytest.raises(Failed, match="no such user"):
            await guestagent.ask(Folder(tmp_path), "guest-set-user-password", {"username": "nobody"})


async def test_nobody_and_somebody_who_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guestagent, "_LIMIT_S", 0.05)
    with pytest.raises(NotOffered, match="cannot be reached"):
        await guestagent.ask(Folder(tmp_path), "guest-ping", {})
    async with an_agent(tmp_path, lambda asked: b""):
        with pytest.raises(NotOffered, match="does not answer"):
            await guestagent.ask(Folder(tmp_path), "guest-ping", {})


def told(heard: list[dict[str, Any]]) -> list[str]:
    """What the agent was asked to do."""
    return [asked["execute"].removeprefix("guest-") for asked in heard if asked["execute"] != "guest-sync"]


async def test_file_systems_stand_still_while_a_copy_begins(tmp_path: Path) -> None:
    async with an_agent(tmp_path, as_it_is) as heard:
        async with guestagent.frozen(Folder(tmp_path), Hardware(guest_agent=True)):
            assert told(heard) == ["ping", "fsfreeze-freeze"]
        assert told(heard)[2:] == ["fsfreeze-thaw"]
        # No mark is left, and nobody is asked to thaw again.
        await guestagent.ensure_thawed(Folder(tmp_path))
        assert len(told(heard)) == 3


async def test_a_guest_whose_freezing_fails_or_is_not_waited_for_is_thawed(tmp_path: Path) -> None:
    def refuses(asked: dict[str, Any]) -> bytes:
        return b'{"error": {"desc": "busy"}}\n' if asked["execute"] == "guest-fsfreeze-freeze" else as_it_is(asked)

    async with an_agent(tmp_path, refuses) as heard:
        async with guestagent.frozen(Folder(tmp_path), Hardware(guest_agent=True)):
            pass
        with pytest.raises(Failed, match="busy"):
            async with guestagent.frozen(Folder(tmp_path), Hardware(guest_agent=True, quiesce=True)):
                pytest.fail("nothing was frozen")
    assert told(heard) == 2 * ["ping", "fsfreeze-freeze", "fsfreeze-thaw"]


async def test_a_guest_that_stood_still_when_we_died_goes_on_in_our_next_life(tmp_path: Path) -> None:
    (tmp_path / "frozen").touch()
    async with an_agent(tmp_path, as_it_is) as heard:
        await guestagent.ensure_thawed(Folder(tmp_path))
    assert told(heard) == ["fsfreeze-thaw"]
    assert not (tmp_path / "frozen").exists()


async def test_a_guest_without_an_agent_is_copied_as_it_is_unless_that_is_not_wanted(tmp_path: Path) -> None:
    for hardware in (Hardware(), Hardware(guest_agent=True)):
        async with guestagent.frozen(Folder(tmp_path), hardware):
            pass
    with pytest.raises(Conflict, match="QEMU guest agent is not enabled"):
        async with guestagent.frozen(Folder(tmp_path), Hardware(quiesce=True)):
            pytest.fail("nothing was frozen")
    with pytest.raises(NotOffered, match="cannot be reached"):
        async with guestagent.frozen(Folder(tmp_path), Hardware(guest_agent=True, quiesce=True)):
            pytest.fail("nothing was frozen")
