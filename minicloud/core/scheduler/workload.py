"""What hosts are busy with: servers that are built or moved, builds that failed, whose images lie there."""

from collections.abc import Mapping

import msgspec

from minicloud.core import records
from minicloud.core.compute.servers import Server, ServerImage
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.engines.database import Transaction

Properties = Mapping[tuple[str, str], int]


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """By host. ``properties``: how many servers there come from an image with that property; ``same_image``: how many come
    from the image at hand. The last two are only read where a weigher has a say."""

    io_ops: Mapping[str, int] = {}
    failures: Mapping[str, int] = {}
    properties: Mapping[str, Properties] = {}
    same_image: Mapping[str, int] = {}


def workload(tx: Transaction, image_id: str | None, options: SchedulerOptions) -> Workload:
    """The work on all hosts at this moment."""
    io_ops = tx.all(
        "SELECT host, count(*) FROM servers WHERE task_state IS NOT NULL AND host IS NOT NULL AND (vm_state = 'building' "
        "OR task_state IN ('resize_prep', 'resize_migrating', 'rebuilding', 'rebuild_spawning', 'image_snapshot', "
        "'image_backup', 'rescuing', 'unshelving')) GROUP BY host"
    )
    return Workload(
        io_ops=dict(io_ops),
        failures=dict(tx.all("SELECT host, failures FROM build_failures")),
        properties=_properties(tx) if options.image_props_weight_multiplier else {},
        same_image=_same_image(tx, image_id) if options.image_locality_weight_multiplier else {},
    )


def build_failed(tx: Transaction, host: str) -> None:
    """One more build failed on a host."""
    tx.execute(
        "INSERT INTO build_failures (host, failures) VALUES (?, 1) "
        "ON CONFLICT (host) DO UPDATE SET failures = build_failures.failures + 1",
        [host],
    )


def build_worked(tx: Transaction, host: str) -> None:
    """A build worked: what failed earlier on the host counts no more."""
    tx.execute("DELETE FROM build_failures WHERE host = ?", [host])


def _same_image(tx: Transaction, image_id: str | None) -> dict[str, int]:
    if image_id is None:
        return {}
    return dict(
        tx.all(
            "SELECT host, count(*) FROM servers WHERE image_id = ? AND deleted = 0 AND host IS NOT NULL GROUP BY host",
            [image_id],
        )
    )


def _properties(tx: Transaction) -> dict[str, dict[tuple[str, str], int]]:
    found: dict[str, dict[tuple[str, str], int]] = {}
    for server in records.select(tx, Server, "host IS NOT NULL AND deleted = 0"):
        image: ServerImage = server.image_properties
        counts = found.setdefault(server.host or "", {})
        for pair in image.properties.items():
            counts[pair] = counts.get(pair, 0) + 1
    return found
