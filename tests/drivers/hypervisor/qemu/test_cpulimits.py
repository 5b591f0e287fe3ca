"""Processors held back by control groups: what is written for each form of them, and a real process in a real group."""

import os
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from minicloud.drivers.hypervisor import Hardware
from minicloud.drivers.hypervisor.qemu import cpulimits

LIMITED = Hardware(cpu_shares=2048, cpu_quota_us=20_000, cpu_period_us=50_000)


def test_both_forms() -> None:
    assert cpulimits._values(LIMITED, 2, False) == {
        "cpu.shares": "2048",
        "cpu.cfs_period_us": "50000",
        "cpu.cfs_quota_us": "40000",
    }
    assert cpulimits._values(LIMITED, 2, True) == {"cpu.weight": "79", "cpu.max": "40000 50000"}
    assert cpulimits._values(Hardware(cpu_quota_us=10_000), 1, True) == {"cpu.max": "10000 100000"}


def test_what_nobody_asked_for_makes_no_group() -> None:
    assert cpulimits.hold(str(uuid4()), os.getpid(), Hardware(), 1)


def test_a_process_is_held_and_its_group_goes_after_it() -> None:
    machine_id = str(uuid4())
    child = subprocess.Popen(["sleep", "60"])
    try:
        if not cpulimits.hold(machine_id, child.pid, LIMITED, 2):
            pytest.skip("control groups cannot be written to here")
        assert f"minicloud-{machine_id}" in Path(f"/proc/{child.pid}/cgroup").read_text()
    finally:
        child.kill()
        child.wait()
        cpulimits.release(machine_id)
    assert not (cpulimits._parent()[0] / f"minicloud-{machine_id}").exists()


def test_where_no_group_can_be_made_the_machine_runs_without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpulimits, "_ROOT", Path("/nowhere"))
    assert cpulimits.hold(str(uuid4()), os.getpid(), LIMITED, 1) is False
    cpulimits.release(str(uuid4()))
