"""Taking a compute service away for good: its node, provider and places in aggregates go with it."""

from minicloud.base import trace
from minicloud.base.errors import Conflict
from minicloud.core import records
from minicloud.core.compute import aggregates, hosts
from minicloud.core.compute.details import HostDetails
from minicloud.core.compute.hosts import Service
from minicloud.core.placement import resource_providers
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.engines.database import Transaction


def retire(tx: Transaction, service: Service) -> None:
    """Forget a service. Raises Conflict while servers live on its host, or anything else is allocated there."""
    if service.binary == hosts.COMPUTE:
        _retire_host(tx, service.host)
    records.remove(tx, service)
    hosts.touched(tx)
    trace.note("service_deleted", host=service.host, binary=service.binary)


def _retire_host(tx: Transaction, host: str) -> None:
    if tx.one("SELECT 1 FROM servers WHERE host = ? AND deleted = 0 LIMIT 1", [host]) is not None:
        raise Conflict(
            "Unable to delete compute service that is hosting instances. Migrate or delete the instances first."
        )
    for aggregate in aggregates.of_host(tx, host):
        aggregates.remove_host(tx, aggregate.id, host)
    node = hosts.node_of(tx, host)
    if node is not None:
        if records.find(tx, ResourceProvider, node.uuid) is not None:
            resource_providers.delete(tx, node.uuid)
        records.remove(tx, node)
    told = records.find(tx, HostDetails, host)
    if told is not None:
        records.remove(tx, told)
