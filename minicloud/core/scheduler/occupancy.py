"""Which CPUs, pages and devices of hosts are taken, server by server: written with the claim, read where a request asks."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from minicloud.core import records
from minicloud.engines.database import Transaction


class CellFit(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual cell on a cell of its host. ``pins``: host CPU of each virtual CPU that has one of its own; ``taken``: all host
    CPUs that nobody else may have, siblings that stay idle and ``emulator``'s included. ``page_kb`` 0: ordinary memory."""

    cell: int
    host_cell: int
    shared: int = 0
    pins: dict[str, int] = {}
    taken: list[int] = []
    emulator: list[int] = []
    memory_mb: int = 0
    page_kb: int = 0


class ServerFit(records.Record, kw_only=True):
    """Where on its host a server sits; ``devices`` by address."""

    TABLE = "server_fits"
    KEY: ClassVar[tuple[str, ...]] = ("server_id",)

    server_id: str
    host: str
    cells: list[CellFit] = []
    devices: list[str] = []


class Occupancy(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of one host. By cell: virtual CPUs that share, CPUs that are taken, MiB, and pages by (cell, size)."""

    shared: Mapping[int, int] = {}
    taken: frozenset[int] = frozenset()
    memory_mb: Mapping[int, int] = {}
    pages: Mapping[tuple[int, int], int] = {}
    devices: frozenset[str] = frozenset()


def occupancy_of(fits: list[ServerFit]) -> Occupancy:
    """The sum of all who sit on one host."""
    shared: dict[int, int] = {}
    memory: dict[int, int] = {}
    pages: dict[tuple[int, int], int] = {}
    taken: set[int] = set()
    devices: set[str] = set()
    for fit in fits:
        devices.update(fit.devices)
        for one in fit.cells:
            shared[one.host_cell] = shared.get(one.host_cell, 0) + one.shared
            taken.update(one.taken)
            memory[one.host_cell] = memory.get(one.host_cell, 0) + one.memory_mb
            if one.page_kb:
                key = (one.host_cell, one.page_kb)
                pages[key] = pages.get(key, 0) + one.memory_mb * 1024 // one.page_kb
    return Occupancy(shared=shared, taken=frozenset(taken), memory_mb=memory, pages=pages, devices=frozenset(devices))


def all_occupied(tx: Transaction) -> dict[str, Occupancy]:
    """For each host on which somebody sits in particular: what is taken."""
    by_host: dict[str, list[ServerFit]] = {}
    living = (
        "server_id IN (SELECT id FROM servers WHERE deleted = 0 AND host IS NOT NULL) "
        # A seat that is held for a move stands under the move's own id.
        "OR server_id IN (SELECT id FROM placement_consumers WHERE consumer_type = 'MIGRATION')"
    )
    for fit in records.select(tx, ServerFit, living):
        by_host.setdefault(fit.host, []).append(fit)
    return {host: occupancy_of(fits) for host, fits in by_host.items()}


def sit(tx: Transaction, fit: ServerFit) -> None:
    """A server sits there from now on, and nowhere else."""
    leave(tx, fit.server_id)
    records.insert(tx, fit)


def hand_over(tx: Transaction, server_id: str, to: str) -> None:
    """Who sat there sits there under another id; content when nobody did."""
    tx.execute("UPDATE server_fits SET server_id = ? WHERE server_id = ?", [to, server_id])


def leave(tx: Transaction, server_id: str) -> None:
    """Nothing is kept for a server any more; content when nothing was."""
    tx.execute("DELETE FROM server_fits WHERE server_id = ?", [server_id])
