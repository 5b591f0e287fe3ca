"""The config drive as FAT: read by a library that nobody here wrote, and by its bytes where that is not installed."""

import struct
from pathlib import Path

import pytest

from minicloud.agent.fat_drive import vfat
from minicloud.base.errors import Invalid

FILES = {
    "openstack/latest/meta_data.json": b'{"uuid": "x"}' * 500,
    "openstack/latest/user_data": b"#!/bin/sh\n" * 700,
    "openstack/2012-08-10/meta_data.json": b"{}",
    "openstack/content/0000": b"y" * 2048,
    "ec2/latest/a-name-that-is-much-longer-than-thirteen-letters.json": b"",
}


def test_its_label_is_the_one_that_guests_look_for() -> None:
    disk = vfat(FILES)
    assert disk[510:512] == b"\x55\xaa"
    assert disk[43:62] == b"config-2   FAT12   "
    [sectors] = struct.unpack_from("<H", disk, 19)
    assert len(disk) == sectors * 512


def test_every_file_is_found_by_its_long_name(tmp_path: Path) -> None:
    reader = pytest.importorskip("pyfatfs.PyFatFS")
    (tmp_path / "disk").write_bytes(vfat(FILES))
    with reader.PyFatFS(str(tmp_path / "disk"), read_only=True) as disk:
        found = {path.lstrip("/"): disk.readbytes(path) for path in disk.walk.files("/")}
    assert found == FILES


def test_a_folder_of_many_files_takes_several_clusters(tmp_path: Path) -> None:
    many = {f"openstack/content/{number:04}": str(number).encode() for number in range(200)}
    reader = pytest.importorskip("pyfatfs.PyFatFS")
    (tmp_path / "disk").write_bytes(vfat(many))
    with reader.PyFatFS(str(tmp_path / "disk"), read_only=True) as disk:
        assert {path.lstrip("/"): disk.readbytes(path) for path in disk.walk.files("/")} == many


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(Invalid, match="more than a config drive of this format holds"):
        vfat({"openstack/latest/user_data": bytes(9 << 20)})
