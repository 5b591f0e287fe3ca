"""A machine's folder: the record, the console's bounds, whose files are whose."""

import os
import socket
import stat
from pathlib import Path

import pytest

from minicloud.base.errors import Failed
from minicloud.drivers.hypervisor import Machine, PowerState
from minicloud.drivers.hypervisor.qemu.folder import Folder, Record

RECORD = Record(machine=Machine(id="m", name="m", vcpus=1, memory_mb=64), wanted="running", pid=7, started=9)


def test_the_record_is_found_again_and_private(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "instances" / "m")
    assert folder.read() is None
    folder.write(RECORD)
    assert Folder(tmp_path / "instances" / "m").read() == RECORD
    assert RECORD.power is PowerState.SHUTDOWN
    assert stat.S_IMODE((folder.path / "machine.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.path.parent.stat().st_mode) == 0o700


def test_a_damaged_record_is_said(tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text('{"machine": {}}')
    with pytest.raises(Failed, match=r"machine\.json cannot be read"):
        Folder(tmp_path).read()


def test_removal_leaves_what_is_not_ours(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "m")
    folder.write(RECORD)
    folder.ensure_console()
    (folder.path / "disk").write_bytes(b"storage's")
    folder.remove()
    assert os.listdir(folder.path) == ["disk"]
    (folder.path / "disk").unlink()
    folder.remove()
    assert not folder.path.exists()
    folder.remove()


def test_the_console_is_cut_under_a_writers_hands(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.trim_console()
    folder.ensure_console()
    with open(tmp_path / "console.log", "ab", buffering=0) as qemu:
        qemu.write(b"a" * (5 << 20) + b"end")
        folder.trim_console()
        assert (tmp_path / "console.log").stat().st_size == 0
        qemu.write(b"more")
    assert folder.console(7) == b"endmore"
    assert folder.console(10 << 20) == b"a" * ((1 << 20) - 3) + b"endmore"
    assert folder.console(2) == b"re"
    assert folder.console(0) == b""
    for name in ("console.log", "console.log.1"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_sockets_can_be_reached_however_deep_the_folder(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-long-name-of-a-folder" * 3] * 4)
    deep.mkdir(parents=True)
    folder = Folder(deep)
    with socket.socket(socket.AF_UNIX) as server, folder.socket("qmp") as path:
        server.bind(path)
        server.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
    assert (deep / "qmp").is_socket()


def test_qemus_last_words(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.complaint() == ""
    log = tmp_path / "qemu.log"
    log.write_text("qemu-system-x86_64: warning: TCG doesn't support x\nqemu-system-x86_64: -m 1: too small\n")
    assert folder.complaint() == "-m 1: too small"
    log.write_text("qemu-system-x86_64: -m 1: too small\nqemu-system-x86_64: warning: later\n")
    assert folder.complaint() == "-m 1: too small"
    log.write_text("qemu-system-x86_64: -blockdev x: Failed to get lock\nIs another process using it?\n")
    assert folder.complaint() == "-blockdev x: Failed to get lock; Is another process using it?"
    log.write_text("Killed\n")
    assert folder.complaint() == "Killed"
