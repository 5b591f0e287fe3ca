"""Ramdisks: the same bytes for the same tree, whoever made it and in whatever order."""

import gzip
import os
import stat
from pathlib import Path

from minicloud.guest.cpio import archive, write_ramdisk


def _tree(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(0o755 if name.startswith("bin") else 0o600)
        path.parent.chmod(0o755)
    (folder / "bin" / "sh").symlink_to("busybox")
    return folder


def _entries(data: bytes) -> dict[str, tuple[list[int], bytes]]:
    """Read a newc archive back: path to (the 13 numbers, content), in order."""
    at, found = 0, {}
    while True:
        assert data[at : at + 6] == b"070701"
        numbers = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110 : at + 110 + numbers[11] - 1].decode()
        start = (at + 110 + numbers[11] + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (numbers, data[start : start + numbers[6]])
        at = (start + numbers[6] + 3) // 4 * 4


def test_a_tree_becomes_a_sorted_archive_that_belongs_to_root(tmp_path: Path) -> None:
    entries = _entries(archive(_tree(tmp_path / "a", ["bin/busybox", "etc/x", "a"])))
    assert list(entries) == ["a", "bin", "bin/busybox", "bin/sh", "etc", "etc/x", "dev/console"]
    assert entries["bin/busybox"] == (entries["bin/busybox"][0], b"bin/busybox")
    assert entries["bin/busybox"][0][1] == stat.S_IFREG | 0o755
    assert entries["etc/x"][0][1] == stat.S_IFREG | 0o600
    assert entries["bin/sh"][0][1] == stat.S_IFLNK | 0o777
    assert entries["bin/sh"][1] == b"busybox"
    assert entries["dev/console"][0][1] == stat.S_IFCHR | 0o600
    assert entries["dev/console"][0][9:11] == [5, 1]
    assert {tuple(numbers[2:4]) for numbers, _ in entries.values()} == {(0, 0)}


def test_order_and_dates_of_making_leave_no_mark(tmp_path: Path) -> None:
    one = _tree(tmp_path / "one", ["bin/busybox", "etc/x", "etc/y"])
    two = _tree(tmp_path / "two", ["etc/y", "etc/x", "bin/busybox"])
    os.utime(two / "etc" / "x", (1, 1))
    write_ramdisk(one, tmp_path / "one.gz")
    write_ramdisk(two, tmp_path / "two.gz")
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()
    assert gzip.decompress((tmp_path / "one.gz").read_bytes()) == archive(one)
