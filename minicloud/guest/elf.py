"""Reading what an ELF file asks for: the libraries of a program, the dependencies of a kernel module."""

import re
import struct
from pathlib import Path

from minicloud.base.errors import Failed

_DYNAMIC, _LOAD, _INTERPRETER = 2, 1, 3
_NEEDED, _STRTAB = 1, 5


def libraries(path: Path) -> list[str]:
    """The names of the libraries (DT_NEEDED) and of the loader that a 64-bit little-endian program or library asks for.

    Raises:
        Failed: it is not such a file.
    """
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise Failed(f"{path.name} is not a 64-bit program for this kind of processor")
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<IIQQQQQQ", data, offset + i * size) for i in range(count)]
    names = [
        data[s[2] : s[2] + s[5]].rstrip(b"\0").decode().rsplit("/", 1)[-1] for s in segments if s[0] == _INTERPRETER
    ]
    for segment in segments:
        if segment[0] != _DYNAMIC:
            continue
        pairs = [struct.unpack_from("<QQ", data, at) for at in range(segment[2], segment[2] + segment[5], 16)]
        address = next((value for tag, value in pairs if tag == _STRTAB), 0)
        table = next(s[2] + address - s[3] for s in segments if s[0] == _LOAD and s[3] <= address < s[3] + s[5])
        names += [_text(data, table + value) for tag, value in pairs if tag == _NEEDED]
    return names


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def module_dependencies(path: Path) -> list[str]:
    """The names of the modules that a kernel module needs, with ``-`` written as ``_``."""
    found = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
    return [name.replace("-", "_") for name in found.group(1).decode().split(",") if name] if found else []
