"""The networks of a new cloud: ``private`` for every project, ``public`` to the outside, ``router1`` between them, and a pool."""

from minicloud.core.context import administrator
from minicloud.core.network import networks, router_interfaces, routers, subnet_pools, subnets
from minicloud.core.network.ipam import Pool
from minicloud.core.network.routers import GatewayWish
from minicloud.engines.database import Transaction

PRIVATE = "private"
PRIVATE_CIDR = "10.10.0.0/22"
PUBLIC = "public"
PUBLIC_CIDR = "172.24.4.0/24"
PUBLIC_POOL = Pool("172.24.4.10", "172.24.4.250")
ROUTER = "router1"
POOL = "shared-default-subnetpool-v4"
POOL_PREFIX = "10.64.0.0/10"
POOL_LENGTH = 24


def ensure_networks(tx: Transaction, *, demo_project_id: str, admin_project_id: str) -> None:
    """Make the networks of a new cloud. A cloud that has any network at all is not new, and left as it is."""
    if tx.one("SELECT 1 FROM networks LIMIT 1") is not None:
        return
    private = networks.create(tx, project_id=demo_project_id, name=PRIVATE, shared=True)
    inside = subnets.create(
        tx, private, project_id=demo_project_id, name="private-subnet", cidr=PRIVATE_CIDR, ip_version=4
    )
    public = networks.create(
        tx,
        project_id=admin_project_id,
        name=PUBLIC,
        external=True,
        is_default=True,
        mtu=1500,
        network_type="flat",
        physical_network=PUBLIC,
    )
    subnets.create(
        tx,
        public,
        project_id=admin_project_id,
        name="public-subnet",
        cidr=PUBLIC_CIDR,
        ip_version=4,
        enable_dhcp=False,
        allocation_pools=[PUBLIC_POOL],
    )
    cloud = administrator()
    # What `--use-default-subnet-pool` and `network auto allocated topology create` take from.
    subnet_pools.create(
        tx,
        cloud,
        project_id=admin_project_id,
        name=POOL,
        prefixes=[POOL_PREFIX],
        default_prefixlen=POOL_LENGTH,
        is_default=True,
        shared=True,
    )
    router = routers.create(
        tx, cloud, project_id=demo_project_id, name=ROUTER, gateway=GatewayWish(network_id=public.id)
    )
    router_interfaces.add(tx, cloud, router, subnet_id=inside.id)
