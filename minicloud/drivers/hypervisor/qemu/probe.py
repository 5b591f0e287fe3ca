"""Finds out what QEMU on this host can do: its version, its sandbox, and whether KVM really runs a guest.

That /dev/kvm opens, and even that it runs code, proves nothing: some hosts hang every real guest. So a boot sector is
started through the BIOS under a time limit. The answers are kept in a file for as long as this kernel and this QEMU run.
"""

import asyncio
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Literal

import anyio
import msgspec

from minicloud.base import tools, trace
from minicloud.base.errors import Failed, ToolFailed, Unavailable
from minicloud.drivers.privatefolder import make_private

PROGRAM = "qemu-system-x86_64"
Setting = Literal["auto", "kvm", "tcg"]

_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
_BOOT_SECTOR = bytes.fromhex("ba0105b02aeef4ebfd").ljust(510, b"\0") + b"\x55\xaa"
_WORKED = (0x2A << 1) | 1
_LIMIT_S = 2.0


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: QEMU's version as Nova writes it (7002022), its seccomp sandbox, and KVM with the reason."""

    version: int
    sandbox: bool
    kvm: bool
    why: str


class _Kept(msgspec.Struct, frozen=True):
    key: list[str]
    abilities: Abilities


async def abilities(cache: Path | None = None, *, device: str | None = "/dev/kvm") -> Abilities:
    """Probe, or remember an earlier probe since the last boot from the file ``cache``; ``device`` None: KVM is not wanted.

    Raises:
        ToolMissing: QEMU is not installed.
        Failed: it does not start at all.
    """
    binary = tools.need(PROGRAM)
    key = _key(binary, device)
    kept = _remembered(cache)
    if kept is not None and kept.key == key:
        return kept.abilities
    version, sandbox = await _version()
    works, why = await _kvm(device) if device is not None else (False, "it was not asked for")
    found = Abilities(version=version, sandbox=sandbox, kvm=works, why=why)
    trace.note("probe", version=version, sandbox=sandbox, kvm=works, why=why)
    if cache is not None and device is not None:
        _keep(cache, _Kept(key, found))
    return found


def choose(setting: Setting, found: Abilities) -> Literal["kvm", "tcg"]:
    """The accelerator to use. Raises Unavailable: KVM was demanded and does not work here."""
    if setting == "tcg" or (setting == "auto" and not found.kvm):
        return "tcg"
    if not found.kvm:
        raise Unavailable(f"KVM was demanded but does not work here: {found.why}; use the setting accel = auto")
    return "kvm"


def _key(binary: str, device: str | None) -> list[str]:
    """Under what an answer holds: this boot, this QEMU, and these rights on the device."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return [boot_id, binary, str(os.stat(binary).st_mtime_ns), "" if device is None else _trouble(device) or device]


def _trouble(device: str) -> str:
    if not os.path.exists(device):
        return f"there is no {device}"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"{device} may not be opened by this user: join the group kvm and log in again"
    return ""


def _remembered(cache: Path | None) -> _Kept | None:
    if cache is None:
        return None
    try:
        return msgspec.json.decode(cache.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return None


def _keep(cache: Path, kept: _Kept) -> None:
    fresh = cache.with_name(f"{cache.name}.{os.getpid()}.new")
    try:
        make_private(cache.parent)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(kept))
        os.replace(fresh, cache)
    except OSError as error:
        # An answer that cannot be kept is found again next time.
        trace.note("probe_not_kept", path=str(cache), error=str(error))


async def _version() -> tuple[int, bool]:
    base = ("-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-qmp", "stdio")
    talk = b'{"execute":"qmp_capabilities"}{"execute":"quit"}'
    sandbox = True
    try:
        done = await tools.run(PROGRAM, "-sandbox", _SANDBOX, *base, input=talk, timeout_s=30.0)
    except ToolFailed:
        # Built without seccomp, or the kernel lacks it.
        sandbox = False
        done = await tools.run(PROGRAM, *base, input=talk, timeout_s=30.0)
    try:
        greeting = msgspec.json.decode(done.stdout.splitlines()[0])
        numbers = greeting["QMP"]["version"]["qemu"]
        return numbers["major"] * 1_000_000 + numbers["minor"] * 1_000 + numbers["micro"], sandbox
    except (msgspec.DecodeError, IndexError, KeyError, TypeError) as error:
        raise Failed(f"{PROGRAM} does not greet as QEMU does: {done.stdout[:200]!r}") from error


async def _kvm(device: str) -> tuple[bool, str]:
    if trouble := _trouble(device):
        return False, trouble
    works, why, seconds = await try_accelerator("kvm", _LIMIT_S)
    if works or seconds < _LIMIT_S:
        return works, why
    # A busy machine must not cost somebody their KVM: how long does the same take without it?
    works, _, seconds = await try_accelerator("tcg", 10 * _LIMIT_S)
    if works and seconds < _LIMIT_S / 2:
        return False, why
    works, why, _ = await try_accelerator("kvm", max(_LIMIT_S, 4 * seconds))
    return works, why


async def try_accelerator(name: str, limit_s: float) -> tuple[bool, str, float]:
    """Boot a sector that ends QEMU by itself: (it did, why not, seconds)."""
    fd, path = tempfile.mkstemp(prefix="minicloud-probe-")
    began = time.perf_counter()
    try:
        os.write(fd, _BOOT_SECTOR)
        os.close(fd)
        process = await asyncio.create_subprocess_exec(
            *(tools.need(PROGRAM), "-accel", name, "-machine", "pc", "-m", "16", "-nodefaults", "-no-user-config"),
            *("-display", "none", "-device", "isa-debug-exit,iobase=0x501,iosize=1"),
            *("-drive", f"file={path},format=raw,if=floppy,readonly=on", "-boot", "a"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            with anyio.move_on_after(limit_s) as scope:
                _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                with anyio.CancelScope(shield=True):
                    await process.wait()
    finally:
        os.unlink(path)
    seconds = time.perf_counter() - began
    if scope.cancelled_caught:
        return False, f"a boot sector under {name} did not end in time ({limit_s:g} s)", seconds
    if process.returncode == _WORKED:
        return True, f"a boot sector ran under {name}", seconds
    words = said.decode(errors="replace").strip().splitlines()
    return False, words[-1] if words else f"QEMU under {name} ended with {process.returncode}", seconds
