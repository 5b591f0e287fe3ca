"""A network to the outside for a project that asks for none in particular: made when first wanted, out of what is default."""

from typing import ClassVar

from minicloud.base.errors import Conflict, Forbidden
from minicloud.core import records
from minicloud.core.context import Context, administrator
from minicloud.core.network import networks, router_interfaces, routers, subnet_pools, subnets
from minicloud.core.network.routers import GatewayWish
from minicloud.core.network.rows import Network, Router, SubnetPool
from minicloud.engines.database import Transaction

PREFIX = "auto_allocated"


class AutoTopology(records.Record, kw_only=True):
    """What was made for a project."""

    TABLE = "auto_topologies"
    KEY: ClassVar[tuple[str, ...]] = ("project_id",)

    project_id: str
    network_id: str
    router_id: str


def owner(context: Context, project_id: str) -> str:
    """The project that is meant. Raises Forbidden for another's."""
    wanted = context.project_id if project_id == "None" else project_id
    if wanted is None or not (context.is_admin or wanted == context.project_id):
        raise Forbidden("Not authorized.", kind="NotAuthorized")
    return wanted


def check(tx: Transaction) -> tuple[str, list[SubnetPool]]:
    """The external network and the pools that there are for it. Raises Conflict (``AutoAllocationFailure``)."""
    row = tx.one("SELECT id FROM networks WHERE external = 1 AND is_default = 1 ORDER BY created_at LIMIT 1")
    if row is None:
        raise _failure("No default router:external network")
    pools = [pool for version in (4, 6) if (pool := subnet_pools.default_of(tx, version)) is not None]
    if not pools:
        raise _failure("No default subnetpools defined")
    return row[0], pools


def ensure(tx: Transaction, project_id: str) -> str:
    """The network of a project, which is made now if need be, with a router between it and the outside.

    Raises Conflict (``AutoAllocationFailure``), OverQuota.
    """
    there = records.find(tx, AutoTopology, project_id)
    if there is not None:
        return there.network_id
    outside, pools = check(tx)
    cloud = administrator()
    network = networks.create(tx, project_id=project_id, name=f"{PREFIX}_network")
    router = routers.create(
        tx, cloud, project_id=project_id, name=f"{PREFIX}_router", gateway=GatewayWish(network_id=outside)
    )
    for pool in pools:
        cidr = subnet_pools.allocate(tx, pool, network, project_id=project_id, cidr=None, prefixlen=None)
        subnet = subnets.create(
            tx,
            records.get(tx, Network, network.id),
            project_id=project_id,
            name=f"{PREFIX}_subnet_v{pool.ip_version}",
            cidr=cidr,
            ip_version=pool.ip_version,
            subnetpool_id=pool.id,
        )
        router_interfaces.add(tx, cloud, records.get(tx, Router, router.id), subnet_id=subnet.id)
    records.insert(tx, AutoTopology(project_id=project_id, network_id=network.id, router_id=router.id))
    return network.id


def delete(tx: Transaction, project_id: str) -> None:
    """Take away what was made for a project. Raises Conflict while something else uses it."""
    there = records.find(tx, AutoTopology, project_id)
    if there is None:
        return
    router = records.find(tx, Router, there.router_id)
    network = records.find(tx, Network, there.network_id)
    if router is not None:
        for port in routers.interfaces(tx, router.id):
            if network is not None and port.network_id == network.id:
                router_interfaces.remove(tx, records.get(tx, Router, router.id), port_id=port.id)
        routers.delete(tx, records.get(tx, Router, router.id))
    if network is not None:
        networks.delete(tx, network)
    records.remove(tx, there)


def _failure(reason: str) -> Conflict:
    return Conflict(f"Deployment error: {reason}.", kind="AutoAllocationFailure")
