"""Networks as they are asked for with a server: those that were named, or the one there is; and whether there may be so many ports.

Source of the rules and messages: nova 34.0.0 (network/neutron.py, compute/api.py).
"""

from typing import Literal

from minicloud.base.errors import CloudError, Conflict, Invalid, NotFound, OverQuota
from minicloud.core.compute import interfaces
from minicloud.core.compute.servers import RequestedNetwork
from minicloud.core.context import Context
from minicloud.core.network import auto_topologies, networks, ports, quotas
from minicloud.engines.database import Transaction


def chosen(
    tx: Transaction,
    context: Context,
    asked: list[RequestedNetwork] | Literal["auto", "none"] | None,
    *,
    external: bool,
) -> list[RequestedNetwork]:
    """The networks of a server: those that were said, or the only one there is.

    Args:
        external: whether whoever asks may have cards on networks to the outside.

    Raises:
        Invalid, Conflict, Forbidden: in Nova's words.
    """
    if asked == "none":
        return []
    if isinstance(asked, list) and asked:
        for wanted in asked:
            if wanted.port_id is not None:
                _check_port(tx, context, wanted.port_id)
            elif wanted.network_id is not None:
                _check_network(tx, context, wanted.network_id, external=external)
        return asked
    only = networks.automatic(tx, context)
    if only is not None:
        return [RequestedNetwork(network_id=only.id)]
    return [RequestedNetwork(network_id=_new_network(tx, context))] if asked == "auto" else []


def within_quota(
    tx: Transaction, project_id: str, asked: list[RequestedNetwork], min_count: int, max_count: int
) -> int:
    """How many servers there may be of so many, as each needs new ports; at least the smallest number. Raises OverQuota."""
    each = sum(wanted.port_id is None for wanted in asked)
    limit = quotas.limit(tx, project_id, "port")
    if not each or limit == quotas.UNLIMITED:
        return max_count
    count = min(max_count, (limit - quotas.used(tx, project_id, "port")) // each)
    if count < min_count:
        raise OverQuota("Maximum number of ports exceeded")
    return count


def _new_network(tx: Transaction, context: Context) -> str:
    """A network to the outside for a project that has none and asks for whatever there is. Raises Invalid."""
    project_id = context.require_project()
    try:
        return auto_topologies.ensure(tx, project_id)
    except CloudError as error:
        raise Invalid(f"Unable to automatically allocate a network for project {project_id}") from error


def _check_port(tx: Transaction, context: Context, port_id: str) -> None:
    try:
        port = ports.get(tx, context, port_id)
    except NotFound as error:
        raise Invalid(f"Port id {port_id} could not be found.") from error
    if port.device_id:
        raise Conflict(f"Port {port_id} is still in use.")


def _check_network(tx: Transaction, context: Context, network_id: str, *, external: bool) -> None:
    try:
        network = networks.get(tx, context, network_id)
    except NotFound as error:
        raise Invalid(f"Network {network_id} could not be found.") from error
    if not external:
        interfaces.refuse_external(tx, context, network)
