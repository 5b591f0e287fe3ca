"""What an administrator allows of servers' disks: how many one may have, and whether they may lie in another zone.

Source of the rules and messages: nova 34.0.0 (compute/utils.py, compute/api.py, volume/cinder.py).
"""

from collections.abc import Iterable, Sequence

import msgspec

from minicloud.base.errors import Forbidden, Invalid
from minicloud.core.compute import hosts
from minicloud.core.compute.block_devices import of_server, used_names
from minicloud.core.compute.servers import Server
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction


class DiskRules(msgspec.Struct, frozen=True, kw_only=True):
    """``most`` disks for a server (-1: as many as it likes); whether volumes may be in another zone than their server."""

    most: int = -1
    cross_zones: bool = True


ANY = DiskRules()
"""Nova's defaults: nothing is forbidden."""


def check_count(tx: Transaction, rules: DiskRules, server: Server, *, more: int = 0) -> None:
    """Whether a server may have its disks and so many more. Raises Forbidden."""
    if rules.most < 0:
        return
    if len(used_names(server, of_server(tx, server.id))) + more > rules.most:
        raise Forbidden(
            f"The maximum allowed number of disk devices ({rules.most}) to attach to a single instance has been exceeded."
        )


def zone_of_new(rules: DiskRules, wanted: str | None, having: Sequence[Volume], *, makes: bool) -> str | None:
    """The zone that a new server is held to: the one that is ``wanted``, or the one of its volumes.

    Args:
        having: the volumes that it is to have.
        makes: whether volumes are made for it, which lie where it is wanted, or in the usual zone.

    Raises Invalid where they are not all in one.
    """
    if rules.cross_zones or not (having or makes):
        return wanted
    zones = [_zone(volume) for volume in having]
    if len(set(zones)) > 1:
        raise Invalid(f"Volumes are in different availability zones: {','.join(zones)}")
    volumes_zone = zones[0] if zones else wanted or hosts.DEFAULT_ZONE
    if wanted is not None and wanted != volumes_zone:
        raise Invalid(
            f"Server and volumes are not in the same availability zone. Server is in: {wanted}. "
            f"Volumes are in: {volumes_zone}"
        )
    # As Nova: a server need not be held to the usual zone for the sake of volumes that are there.
    return volumes_zone if makes or volumes_zone != hosts.DEFAULT_ZONE else wanted


def check_attach(rules: DiskRules, server: Server, volume: Volume) -> None:
    """Whether a volume may become a disk of a server that is somewhere. Raises Invalid."""
    zone = server.zone or server.requested_zone or hosts.DEFAULT_ZONE
    if not rules.cross_zones and zone != _zone(volume):
        raise Invalid(
            f"Invalid volume: Instance {server.id} and volume {volume.id} are not in the same availability_zone. "
            f"Instance is in {zone}. Volume is in {_zone(volume)}"
        )


def check_unshelve(rules: DiskRules, zone: str, having: Iterable[Volume]) -> None:
    """Whether a server with these volumes may be unshelved in a zone. Raises Invalid."""
    for volume in having:
        if not rules.cross_zones and _zone(volume) != zone:
            raise Invalid(
                f"The specified availability zone does not match the volume {volume.id} attached to the server. Specified "
                f"availability zone is {zone}. Volume is in {_zone(volume)}."
            )


def _zone(volume: Volume) -> str:
    return volume.zone or hosts.DEFAULT_ZONE
