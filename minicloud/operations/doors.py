"""The way from this machine to addresses of a cloud's external networks, which without root stand inside its own namespaces."""

from pathlib import Path

from minicloud.drivers.fabric.linux.holder import PYTHON, find_holder
from minicloud.drivers.fabric.linux.room import RELAY, connect_argv
from minicloud.products import cloud_id


def to_address(data: Path, address: str, port: int) -> list[str]:
    """The argument list of a program that joins its stdin and stdout to a TCP port, such as that of a floating address.

    As root the machine reaches it by a route; an ordinary user's cloud has a machine of its own, which is entered.
    """
    where = (data / "fabric").resolve()
    holder = find_holder(cloud_id(data), where) if where.exists() else None
    if holder is None:
        return [*PYTHON, RELAY, "tcp", address, str(port)]
    return connect_argv(f"/proc/{holder.pid}/ns/net", holder.pid, address, port)
