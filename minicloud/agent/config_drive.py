"""The config drive: an ISO 9660 disk labelled ``config-2`` that holds a guest's metadata, for networks without the service."""

import io
from collections.abc import Mapping


def iso(files: Mapping[str, bytes]) -> bytes:
    """A disk with these files (paths with ``/``), readable by their full names through Joliet and Rock Ridge."""
    # Imported where it is used: most servers have no config drive, and the library is large.
    import pycdlib

    disk = pycdlib.PyCdlib()
    disk.new(interchange_level=3, vol_ident="config-2", joliet=3, rock_ridge="1.09")
    folders: dict[str, str] = {"": ""}
    for path in sorted(files):
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in folders:
                folders[folder] = f"{folders['/'.join(parts[: depth - 1])]}/D{len(folders):07}"
                disk.add_directory(folders[folder], rr_name=parts[depth - 1], joliet_path=f"/{folder}")
        plain = f"{folders['/'.join(parts[:-1])]}/F{len(folders):03}{sorted(files).index(path):04}.;1"
        disk.add_fp(io.BytesIO(files[path]), len(files[path]), plain, rr_name=parts[-1], joliet_path=f"/{path}")
    out = io.BytesIO()
    disk.write_fp(out)
    disk.close()
    return out.getvalue()
