"""What one asks of a server besides its document: diagnostics and the password that its guest has told."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Delete, Get
from minicloud.base.errors import Conflict
from minicloud.core.compute import lifecycle, servers
from minicloud.core.compute.servers import Server
from minicloud.core.network import ports
from minicloud.core.network.rows import Port
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

DIAGNOSTICS = "os_compute_api:os-server-diagnostics"
PASSWORD = "os_compute_api:os-server-password"

_POWER = {number: name for name, number in lifecycle.POWER_NUMBERS.items()}
_UNMEASURED = ("rx_octets", "rx_errors", "rx_drop", "rx_packets", "rx_rate", "tx_octets", "tx_errors", "tx_drop", "tx_packets", "tx_rate")  # fmt: skip


async def diagnostics(call: Call, server_id: str) -> Any:
    """What a running server is made of; counters that nobody measured are null."""
    queries.only(call, since="2.102")

    def work(tx: Transaction) -> tuple[Server, list[Port]]:
        server = servers.get(tx, call.context, server_id)
        return server, ports.of_server(tx, server.id)

    server, cards = await call.read(work)
    if server.host is None:
        raise Conflict(f"Instance {server_id} is not ready")
    if server.power_state != lifecycle.RUNNING:
        state = _POWER.get(server.power_state, "pending")
        raise Conflict(f"Cannot 'get_diagnostics' instance {server_id} while it is in power state {state}")
    memory_mb = server.flavor.memory_mb
    if not call.at_least("2.48"):
        return {"memory": memory_mb * 1024, "memory-actual": memory_mb * 1024, "vcpus": server.flavor.vcpus}
    disk = {
        "read_bytes": None,
        "read_requests": None,
        "write_bytes": None,
        "write_requests": None,
        "errors_count": None,
    }
    return {
        "state": _POWER[server.power_state],
        "driver": "libvirt",
        "hypervisor": None,
        "hypervisor_os": None,
        "uptime": None,
        "config_drive": server.config_drive,
        "num_cpus": server.flavor.vcpus,
        "num_nics": len(cards),
        "num_disks": 2 if server.config_drive else 1,
        "cpu_details": [{"id": cpu, "time": None, "utilisation": None} for cpu in range(server.flavor.vcpus)],
        "nic_details": [{"mac_address": card.mac_address, **dict.fromkeys(_UNMEASURED)} for card in cards],
        "disk_details": [disk] * (2 if server.config_drive else 1),
        "memory_details": {"maximum": memory_mb, "used": None},
    }


async def password(call: Call, server_id: str) -> Any:
    """The encrypted password that the guest told the metadata service: the empty text while it has told none."""
    queries.only(call, since="2.102")
    await call.read(lambda tx: servers.get(tx, call.context, server_id))
    return {"password": ""}


async def forget_password(call: Call, server_id: str) -> None:
    """Forget what the guest has told."""
    await call.read(lambda tx: servers.get(tx, call.context, server_id))


routes = [
    Get("/servers/{server_id}/diagnostics", diagnostics, policy=DIAGNOSTICS, allow=ADMIN),
    Get("/servers/{server_id}/os-server-password", password, policy=f"{PASSWORD}:show", allow=PROJECT_READER_OR_ADMIN),
    Delete("/servers/{server_id}/os-server-password", forget_password, policy=f"{PASSWORD}:clear", allow=PROJECT_MEMBER_OR_ADMIN),
]  # fmt: skip
