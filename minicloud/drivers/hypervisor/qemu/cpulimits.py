"""A machine's share of this computer's processors, held by the kernel in a control group of its own, where we may make one.

Both forms of control groups are known. Where neither can be written to, the machine runs without limits, and the trace says why.
"""

import contextlib
import os
from pathlib import Path

from minicloud.base import trace
from minicloud.drivers.hypervisor import Hardware

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000
_MOST_SHARES, _MOST_WEIGHT = 262_144, 10_000


def hold(machine_id: str, pid: int, hardware: Hardware, vcpus: int) -> bool:
    """The process is held to what its hardware says; whether it is, or nothing was asked for."""
    if not hardware.cpu_shares and not hardware.cpu_quota_us:
        return True
    try:
        parent, unified = _parent()
        group = parent / f"minicloud-{machine_id}"
        group.mkdir(exist_ok=True)
        for name, value in _values(hardware, vcpus, unified).items():
            (group / name).write_text(value)
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        trace.note("cpu_limits_not_kept", machine=machine_id, why=str(error))
        return False
    trace.note("cpu_limits", machine=machine_id, group=str(group))
    return True


def release(machine_id: str) -> None:
    """Nothing is left of the group of a machine whose process has ended."""
    with contextlib.suppress(OSError):
        os.rmdir(_parent()[0] / f"minicloud-{machine_id}")


def _parent() -> tuple[Path, bool]:
    """The group in which we may make others, and whether groups are unified. Raises OSError: there is none."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpu" in controllers.split(","):
            return _ROOT / controllers / path.lstrip("/"), False
    own = _ROOT / path.lstrip("/")
    if "cpu" not in (own / "cgroup.subtree_control").read_text().split():
        raise PermissionError(f"{own} hands no processors on to groups below it")
    return own, True


def _values(hardware: Hardware, vcpus: int, unified: bool) -> dict[str, str]:
    period = hardware.cpu_period_us or _PERIOD_US
    quota = hardware.cpu_quota_us * vcpus
    if unified:
        weight = 1 + (min(hardware.cpu_shares, _MOST_SHARES) - 2) * (_MOST_WEIGHT - 1) // (_MOST_SHARES - 2)
        values = {"cpu.weight": str(max(1, weight))} if hardware.cpu_shares else {}
        return values | ({"cpu.max": f"{quota} {period}"} if quota else {})
    values = {"cpu.shares": str(max(2, hardware.cpu_shares))} if hardware.cpu_shares else {}
    return values | ({"cpu.cfs_period_us": str(period), "cpu.cfs_quota_us": str(quota)} if quota else {})
