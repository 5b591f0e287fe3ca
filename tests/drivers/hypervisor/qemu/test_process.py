"""Processes that outlive us: started detached, recognised by more than a number, watched and killed by pidfd."""

import os
import subprocess
from pathlib import Path

import anyio.lowlevel
import pytest

from minicloud.base.errors import ToolMissing
from minicloud.drivers.hypervisor.qemu import process

pytestmark = pytest.mark.anyio

ID = "6f8d8a3c-5a52-4f5c-9d3e-0a7f3c1b2d4e"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_process_is_detached_and_its_end_is_told_with_its_code(tmp_path: Path) -> None:
    running = process.start(["sh", "-c", "echo said >&2; read line; exit 7", ID], tmp_path, ())
    with anyio.fail_after(20):
        await running.wait()
    assert running.code == 7, "stdin is empty, so it ended at once"
    assert not running.alive
    assert (tmp_path / "qemu.log").read_text() == "said\n"
    assert process.started_at(running.pid) is None, "no corpse is left"
    running.kill()
    running.close()


async def test_it_has_a_session_of_its_own_and_the_folder_as_its_place(tmp_path: Path) -> None:
    running = process.start(["sleep", "60"], tmp_path, ())
    try:
        assert os.getsid(running.pid) == running.pid
        assert os.readlink(f"/proc/{running.pid}/cwd") == str(tmp_path)
    finally:
        running.kill()
        with anyio.fail_after(20):
            await running.wait()
    assert running.code == -9


async def test_only_the_same_process_is_adopted(tmp_path: Path) -> None:
    argv = ["sh", "-c", "sleep 60 & wait", ID]
    running = process.start(argv, tmp_path, ())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    try:
        began = process.started_at(running.pid)
        assert began is not None
        # Its words can be read a moment after it was executed.
        with anyio.fail_after(20):
            while not process.runs_machine(running.pid, ID, tmp_path):
                await anyio.lowlevel.checkpoint()
        for pid, started in ((running.pid, began), (None, None)):
            found = process.adopt(ID, tmp_path, pid, started)
            assert found is not None
            assert found.pid == running.pid
            found.close()
        (tmp_path / "pid").write_text(f"{running.pid}\n")
        found = process.adopt(ID, tmp_path, os.getpid(), 1)
        assert found is not None, "QEMU's own pid file counts when the record is wrong"
        found.close()
        assert process.adopt(ID, tmp_path, running.pid, began + 1) is None, "another start time is another process"
        assert process.adopt("another-machine", tmp_path, running.pid, began) is None
        assert process.adopt(ID, elsewhere, running.pid, began) is None, "another folder is another cloud"
    finally:
        os.killpg(running.pid, 9)
        with anyio.fail_after(20):
            await running.wait()
    assert process.adopt(ID, tmp_path, running.pid, began) is None


async def test_the_end_of_somebody_elses_child_is_seen(tmp_path: Path) -> None:
    shell = subprocess.run(["sh", "-c", "sleep 60 >/dev/null & echo $!"], stdout=subprocess.PIPE, check=True)  # noqa: ASYNC221
    found = process.Process(int(shell.stdout))
    found.kill()
    with anyio.fail_after(20):
        await found.wait()
    assert found.code is None


async def test_a_missing_program_names_its_package(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no-such-qemu not found"):
        process.start(["no-such-qemu"], tmp_path, ())


def test_there_is_no_start_time_of_nobody() -> None:
    assert process.started_at(2**22 + 1) is None
