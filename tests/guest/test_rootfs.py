"""Choosing kernel modules and libraries for the guest's tree, from made-up files."""

import struct
from pathlib import Path

import pytest

from minicloud.base.errors import Failed
from minicloud.guest import elf
from minicloud.guest.rootfs import INIT, module_closure, needed_libraries


def _module(folder: Path, name: str, *needs: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ko").write_bytes(
        b"\x7fELF..\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0retpoline=Y\0"
    )


def _program(path: Path, *needs: str) -> None:
    """The smallest 64-bit ELF file with a dynamic section that names these libraries."""
    path.parent.mkdir(parents=True, exist_ok=True)
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needs)
    base, table = 0x400000, 64 + 2 * 56
    offsets = [strings.index(b"\0" + name.encode() + b"\0") + 1 for name in needs]
    dynamic = b"".join(struct.pack("<QQ", 1, offset) for offset in offsets) + struct.pack(
        "<QQQQ", 5, base + table, 0, 0
    )
    size = table + len(strings) + len(dynamic)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0
    )
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096)
    where = table + len(strings)
    path.write_bytes(
        head + load + struct.pack("<IIQQQQQQ", 2, 6, where, base + where, 0, len(dynamic), 0, 8) + strings + dynamic
    )


def test_modules_bring_what_they_need(tmp_path: Path) -> None:
    _module(tmp_path / "drivers", "virtio_blk", "virtio", "virtio_ring")
    _module(tmp_path / "drivers", "virtio_ring", "virtio")
    _module(tmp_path / "drivers", "virtio")
    _module(tmp_path / "drivers", "virtio-rng")
    _module(tmp_path / "net", "unwanted")
    (tmp_path / "modules.builtin").write_text("kernel/drivers/nvme/host/nvme.ko\n")
    found = module_closure(tmp_path, ["virtio_blk", "virtio_rng", "nvme"])
    assert [path.stem for path in found] == ["virtio-rng", "virtio", "virtio_blk", "virtio_ring"]


def test_a_module_that_the_kernel_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "modules.builtin").write_text("")
    with pytest.raises(Failed, match="no module e1000"):
        module_closure(tmp_path, ["e1000"])


def test_libraries_are_followed_to_the_end(tmp_path: Path) -> None:
    _program(tmp_path / "sbin" / "tool", "libone.so.1", "libc.so.6")
    _program(tmp_path / "lib" / "x86_64-linux-gnu" / "libone.so.1", "libtwo.so.2", "libc.so.6")
    _program(tmp_path / "usr" / "lib" / "x86_64-linux-gnu" / "libtwo.so.2")
    _program(tmp_path / "lib" / "x86_64-linux-gnu" / "libc.so.6")
    names = [path.name for path in needed_libraries(tmp_path, ["sbin/tool"])]
    assert sorted(names) == ["libc.so.6", "libone.so.1", "libtwo.so.2"]


def test_a_library_that_no_package_brings_is_named(tmp_path: Path) -> None:
    _program(tmp_path / "sbin" / "tool", "libnowhere.so.1")
    with pytest.raises(Failed, match=r"libnowhere\.so\.1"):
        needed_libraries(tmp_path, ["sbin/tool"])


def test_a_program_for_another_processor_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"\x7fELF\x01\x01" + b"\0" * 100)
    with pytest.raises(Failed, match="tool is not a 64-bit program"):
        elf.libraries(tmp_path / "tool")


def test_the_guests_scripts_are_where_the_guest_looks_for_them() -> None:
    for name in ("start", "boot", "console", "dhcp", "nic", "disk", "agent"):
        assert (INIT / "root" / "lib" / "minilinux" / name).read_text().startswith("#!/bin/sh\n")
    assert (INIT / "root" / "usr" / "sbin" / "chpasswd").read_text().startswith("#!/bin/sh\n")
    assert (INIT / "ramdisk.sh").read_text().startswith("#!/bin/sh\n")
