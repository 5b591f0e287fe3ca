"""The first sector of the disk, byte by byte."""

import struct

from minicloud.guest.disk import BOOT_SECTORS, BOOT_START, ROOT_START, master_boot_record, partition_entry


def test_a_partition_entry_has_sixteen_bytes() -> None:
    entry = partition_entry(0x83, 2048, 4096, active=True)
    assert entry == b"\x80\xfe\xff\xff\x83\xfe\xff\xff" + struct.pack("<II", 2048, 4096)
    assert partition_entry(0xEF, 1, 1)[0] == 0


def test_the_boot_partition_is_active_and_efi_and_the_root_is_last() -> None:
    record = master_boot_record(b"\xfa" * 440, 81920)
    assert len(record) == 512
    assert record[:440] == b"\xfa" * 440
    assert record[510:] == b"\x55\xaa"
    # Both firmwares look at this entry: SeaBIOS for "active", OVMF for the type.
    assert record[446] == 0x80
    assert record[450] == 0xEF
    assert struct.unpack_from("<II", record, 454) == (BOOT_START, BOOT_SECTORS)
    assert record[466] == 0x83
    # The guest rewrites these four bytes when its disk is larger.
    assert struct.unpack_from("<I", record, 474) == (81920,)
    assert struct.unpack_from("<I", record, 470) == (ROOT_START,)
    assert record[478:510] == b"\0" * 32


def test_short_boot_code_is_filled_up_and_long_code_never_reaches_the_table() -> None:
    assert master_boot_record(b"\x90", 1)[1:440] == b"\0" * 439
    assert master_boot_record(b"\x90" * 512, 1)[440:446] == b"MINI\0\0"
