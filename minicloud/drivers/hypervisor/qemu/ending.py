"""The ends of a QEMU process: the guest powers off when it is asked to, or the process is killed."""

import asyncio
import contextlib

import anyio

from minicloud.base import trace
from minicloud.base.errors import CloudError, Failed
from minicloud.drivers.hypervisor.qemu.process import Process
from minicloud.drivers.hypervisor.qemu.qmp import Event, Qmp

_KILL_LIMIT_S = 30.0


async def powered_off(running: Process, qmp: Qmp | None, grace_s: float, hurry: asyncio.Event) -> bool:
    """Whether the guest ended within its grace after the power button was pressed; somebody in a hurry ends the wait."""
    if qmp is None or grace_s <= 0:
        return False
    with contextlib.suppress(CloudError):
        await qmp.press_power_button()
    gone, hurried = asyncio.ensure_future(running.wait()), asyncio.ensure_future(hurry.wait())
    try:
        await asyncio.wait((gone, hurried), timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        hurried.cancel()
    return not running.alive


async def kill(machine_id: str, running: Process) -> None:
    """The process is dead. Raises Failed: the kernel does not let it die."""
    if not running.alive:
        return
    running.kill()
    with anyio.move_on_after(_KILL_LIMIT_S):
        await running.wait()
    if running.alive:
        raise Failed(f"QEMU of machine {machine_id} (pid {running.pid}) does not die: the kernel holds it")


def reason(machine_id: str, event: Event) -> str | None:
    """Why a machine is about to end, where an event says that it is."""
    if event.event == "SHUTDOWN":
        return str(event.data.get("reason", "unknown"))
    if event.event == "WATCHDOG":
        action = str(event.data.get("action"))
        trace.note("watchdog", machine=machine_id, action=action)
        # QEMU leaves without another word, and that is what was asked for.
        return "watchdog" if action == "poweroff" else None
    return None
