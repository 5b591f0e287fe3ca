"""The hand that loads rule sets: all or nothing, with nft's own words, and replaced or done without when it dies."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minicloud.base import trace
from minicloud.base.errors import ToolFailed
from minicloud.drivers.fabric import TapPlug
from minicloud.drivers.fabric.linux import handy
from minicloud.drivers.fabric.linux.hand import Tap
from minicloud.drivers.fabric.linux.handy import Gone, Hand
from minicloud.drivers.fabric.linux.room import Room
from minicloud.drivers.hypervisor.qemu import plugs
from tests.support.fabrics import a_cloud_id

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.linux,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of the machine itself need root"),
]


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"mc-{a_cloud_id()}-hand"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def tables(namespace: str) -> str:
    words = ["ip", "netns", "exec", namespace, "nft", "list", "tables"]
    return subprocess.run(words, capture_output=True, check=True, text=True).stdout


def test_a_rule_set_is_loaded_whole_or_not_at_all(namespace: str) -> None:
    hand = Hand()
    path = f"/run/netns/{namespace}"
    hand.load(None, path, "add table inet one\n")
    with pytest.raises(ToolFailed, match=r"nft failed: .*No such file"):
        hand.load(None, path, "add table inet two\nadd chain inet nowhere c\n")
    with pytest.raises(ToolFailed, match="in the network at /run/netns/nowhere"):
        hand.load(None, "/run/netns/nowhere", "add table inet two\n")
    assert tables(namespace) == "table inet one\n"
    process = hand._process
    assert process is not None
    hand.close()
    assert process.poll() is not None
    hand.load(None, path, "add table inet three\n")
    hand.close()
    assert tables(namespace) == "table inet one\ntable inet three\n"


async def test_a_tap_is_the_same_by_the_hand_and_by_ip(namespace: str, tmp_path: Path) -> None:
    room = Room(a_cloud_id(), tmp_path, rootless=False)
    await room.open()
    await room.ip(namespace, ["link add name br0 type bridge", "link set dev br0 up"])
    tap = Tap(name="tap0", bridge="br0", mtu=1450, alias="me", up=True, queues=1)
    looks = []
    for useless in (False, True):
        room._hand._useless = useless
        for up in (True, False, True):
            await room.tap(namespace, Tap(**(tap | {"up": up})))
            link = (await room.links(namespace))["tap0"]
            looks.append((link.mtu, link.up, link.master, link.alias, link.addresses))
        raw = json.loads(await room.run(namespace, "ip", "-details", "-json", "link", "show", "dev", "tap0"))[0]
        looks.append((raw["inet6_addr_gen_mode"], raw["linkinfo"]["info_data"]))
        await room.ip(namespace, ["link delete dev tap0"])
        room.let_go()
    assert looks[:4] == looks[4:]
    assert looks[0] == (1450, True, "br0", "me", frozenset())
    room._hand._useless = False
    with pytest.raises(ToolFailed, match=r"tap tap0 could not be made: .*nowhere"):
        await room.tap("nowhere", tap)
    room.let_go()


async def test_a_tap_gets_and_loses_its_queues_while_no_machine_has_it(namespace: str, tmp_path: Path) -> None:
    room = Room(a_cloud_id(), tmp_path, rootless=False)
    await room.open()
    await room.ip(namespace, ["link add name br0 type bridge", "link set dev br0 up"])
    path = f"/run/netns/{namespace}"

    async def wired(queues: int) -> bool:
        await room.tap(namespace, Tap(name="tap0", bridge="br0", mtu=1450, alias="me", up=True, queues=queues))
        raw = json.loads(await room.run(namespace, "ip", "-details", "-json", "link", "show", "dev", "tap0"))[0]
        assert (raw["master"], raw["ifalias"]) == ("br0", "me")
        return bool(raw["linkinfo"]["info_data"]["multi_queue"])

    assert [await wired(queues) for queues in (1, 2, 2, 1, 1, 4)] == [False, True, True, False, False, True]
    fds = await plugs.open_tap(TapPlug(namespace=path, name="tap0", queues=2))
    # A machine that runs keeps what it has, and gets no queue that nobody reads.
    assert [await wired(queues) for queues in (4, 1)] == [True, True]
    raw = json.loads(await room.run(namespace, "ip", "-details", "-json", "link", "show", "dev", "tap0"))[0]
    assert raw["linkinfo"]["info_data"].get("numqueues", 2) == 2
    plugs.close(fds)
    room.let_go()


async def test_rule_sets_are_loaded_without_a_hand_as_well(
    namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(a_cloud_id(), tmp_path, rootless=False)
    await room.open()
    await room.nft(namespace, "add table inet one\n")
    process = room._hand._process
    assert process is not None
    process.kill()
    await room.nft(namespace, "add table inet two\n")
    room.let_go()
    monkeypatch.setattr(handy, "_HAND", str(tmp_path / "nothing.py"))
    recording = trace.Recording()
    with trace.recording(recording):
        for name in ("three", "four"):
            await room.nft(namespace, f"add table inet {name}\n")
    assert [note["argv"][-2:] for note in recording.facts("command")] == [["-f", "-"]] * 2
    with pytest.raises(Gone):
        room._hand.load(None, None, "")
    assert tables(namespace) == "".join(f"table inet {name}\n" for name in ("one", "two", "three", "four"))
