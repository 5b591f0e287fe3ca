"""Networks: who may see them, making, changing and deleting them, and which one a server gets that names none."""

from collections.abc import Sequence
from typing import Any

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import hostings, network_segments, provider_segments, quotas, rbac, standard, zones
from minicloud.core.network.rows import SMALLEST_MTU, Network
from minicloud.engines.database import Transaction

LARGEST_MTU = 9000


def get(tx: Transaction, context: Context, network_id: str) -> Network:
    """A network that exists for whoever asks. Raises NotFound."""
    return rbac.get(tx, context, Network, network_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[Network]:
    """A page of the networks that exist for whoever asks."""
    return rbac.page(tx, context, "network", Network, query)


def available_to(tx: Transaction, context: Context) -> list[Network]:
    """The networks that a server may be put on without naming one: the project's own, and shared ones."""
    project_id = context.project_id or ""
    return records.select(
        tx,
        Network,
        "(project_id = ? AND external = 0) OR shared = 1 OR id IN (SELECT object_id FROM network_rbac WHERE "
        "object_type = 'network' AND target_project = ? AND action = 'access_as_shared') ORDER BY created_at, id",
        [project_id, project_id],
    )


def automatic(tx: Transaction, context: Context) -> Network | None:
    """The network of a server that names none; None when there is none. Raises Conflict when there are several."""
    found = available_to(tx, context)
    if len(found) > 1:
        raise Conflict(
            "Multiple possible networks found, use a Network ID to be more specific.",
            kind="NetworkAmbiguous",
            networks=[network.id for network in found],
        )
    return found[0] if found else None


def create(
    tx: Transaction,
    *,
    project_id: str,
    network_type: str | None = None,
    physical_network: str | None = None,
    segmentation_id: int | None = None,
    mtu: int | None = None,
    segments: Sequence[provider_segments.SegmentWish] | None = None,
    **values: Any,
) -> Network:
    """A new network, of one segment or of several; ``values`` are the record's other fields.

    Raises OverQuota, Invalid, Conflict.
    """
    if values.get("is_default") and values.get("external"):
        _refuse_second_default(tx)
    zones.check(values.get("availability_zone_hints", []))
    quotas.check(tx, project_id, "network")
    chosen = (
        [provider_segments.choose(tx, network_type, physical_network, segmentation_id)]
        if segments is None
        else provider_segments.choose_all(tx, segments)
    )
    segment = chosen[0]
    network = records.insert(
        tx,
        Network(
            id=tx.ids.uuid(),
            project_id=project_id,
            network_type=segment[0],
            physical_network=segment[1],
            segmentation_id=segment[2],
            mtu=_mtu(mtu) if mtu else min(provider_segments.mtu(each[0]) for each in chosen),
            created_at=tx.now,
            updated_at=tx.now,
            **values,
        ),
    )
    for each in chosen:
        network_segments.add(tx, network.id, each)
    if network.shared:
        rbac.mark(tx, "network", network)
    if network.external:
        rbac.mark(tx, "network", network, rbac.EXTERNAL)
    trace.note("network_created", network=network.id, name=network.name, project=project_id)
    return network


def change(tx: Transaction, network: Network, **values: Any) -> Network:
    """Change a network. Raises Invalid, and Conflict when others use what would no longer be theirs to use."""
    if values.get("mtu") == 0:
        values["mtu"] = provider_segments.mtu(network.network_type)
    if values.get("mtu") is not None:
        _mtu(values["mtu"])
        smallest = _smallest_mtu(tx, network.id)
        if values["mtu"] < smallest:
            raise Conflict(
                f"MTU of {network.id} is not valid, subnet requires a minimum of {smallest}",
                kind="NetworkMTUSubnetConflict",
            )
    if values.get("is_default") and not network.is_default and values.get("external", network.external):
        _refuse_second_default(tx)
    if network.shared and values.get("shared") is False:
        _refuse_unsharing(tx, network)
        rbac.unmark(tx, network.id)
    elif values.get("shared"):
        rbac.mark(tx, "network", network)
    if (
        network.external
        and values.get("external") is False
        and tx.one(
            "SELECT 1 FROM ports WHERE network_id = ? AND device_owner = 'network:router_gateway' LIMIT 1", [network.id]
        )
    ):
        raise Conflict(
            f"External network {network.id} cannot be updated to be made non-external, "
            "since it has existing gateway ports.",
            kind="ExternalNetworkInUse",
        )
    if values.get("external") is False:
        rbac.unmark(tx, network.id, rbac.EXTERNAL)
    elif values.get("external"):
        rbac.mark(tx, "network", network, rbac.EXTERNAL)
    return standard.change(tx, network, **values)


def delete(tx: Transaction, network: Network) -> None:
    """Delete a network with its subnets and the ports of DHCP. Raises Conflict (``NetworkInUse``) while others are on it."""
    # A floating address that leads nowhere does not keep its network.
    tx.execute(
        "DELETE FROM ports WHERE id IN "
        "(SELECT floating_port_id FROM floating_ips WHERE floating_network_id = ? AND port_id IS NULL)",
        [network.id],
    )
    tx.execute("DELETE FROM floating_ips WHERE floating_network_id = ? AND port_id IS NULL", [network.id])
    others = tx.all(
        "SELECT id FROM ports WHERE network_id = ? AND device_owner != 'network:dhcp' ORDER BY id", [network.id]
    )
    if others:
        raise Conflict(
            f"Unable to complete operation on network {network.id}. There are one or more ports still in use on the "
            f"network, id for these ports is: {','.join(row[0] for row in others)}.",
            kind="NetworkInUse",
        )
    # What hangs on these rows (addresses, free ranges) goes with them.
    tx.execute("DELETE FROM ports WHERE network_id = ?", [network.id])
    tx.execute("DELETE FROM subnets WHERE network_id = ?", [network.id])
    rbac.forget(tx, network.id)
    hostings.forget(tx, network.id)
    records.remove(tx, network)
    trace.note("network_deleted", network=network.id)


def names_of(tx: Transaction, network_ids: Sequence[str]) -> dict[str, str]:
    """Names by id."""
    return {network.id: network.name for network in records.select_in(tx, Network, "id", network_ids)}


def _refuse_second_default(tx: Transaction) -> None:
    row = tx.one("SELECT id FROM networks WHERE external = 1 AND is_default = 1 LIMIT 1")
    if row is not None:
        raise Conflict(f"A default external network already exists: {row[0]}.", kind="DefaultExternalNetworkExists")


def _mtu(mtu: int) -> int:
    if mtu > LARGEST_MTU:
        raise Invalid(
            f"Invalid input for operation: Requested MTU is too big, maximum is {LARGEST_MTU}.", kind="InvalidInput"
        )
    return mtu


def _smallest_mtu(tx: Transaction, network_id: str) -> int:
    row = tx.one("SELECT max(ip_version) FROM subnets WHERE network_id = ?", [network_id])
    return 0 if row is None or row[0] is None else SMALLEST_MTU[row[0]]


def _refuse_unsharing(tx: Transaction, network: Network) -> None:
    """Raises Conflict when a project uses the network that has no entry of its own to share it."""
    foreign = tx.one(
        "SELECT 1 FROM ports WHERE network_id = ?1 AND project_id <> ?2 AND project_id <> '' "
        "AND device_owner NOT LIKE 'network:%' AND project_id NOT IN (SELECT target_project FROM network_rbac "
        "WHERE object_id = ?1 AND action = 'access_as_shared') LIMIT 1",
        [network.id, network.project_id],
    ) or tx.one(
        "SELECT 1 FROM subnets WHERE network_id = ? AND project_id != ? LIMIT 1", [network.id, network.project_id]
    )
    if foreign:
        raise Conflict(
            f"Unable to reconfigure sharing settings for network {network.name}. Multiple projects are using it.",
            kind="InvalidSharedSetting",
        )
