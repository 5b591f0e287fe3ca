"""What a guest has used (``/servers/{id}/diagnostics``): numbers by name before 2.48, one form for all hypervisors from then on."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Get
from minicloud.base.clock import seconds_between
from minicloud.conductor.compute import diagnostics
from minicloud.conductor.compute.diagnostics import Usage
from minicloud.core.compute import hosts, servers
from minicloud.core.compute.servers import Server
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-server-diagnostics"
_OLD_NICS = (
    ("rx", "rx_bytes"), ("rx_packets", "rx_packets"), ("rx_errors", "rx_errors"), ("rx_drop", "rx_drop"),
    ("tx", "tx_bytes"), ("tx_packets", "tx_packets"), ("tx_errors", "tx_errors"), ("tx_drop", "tx_drop"),
)  # fmt: skip


async def show(call: Call, server_id: str) -> Any:
    """What a running guest has used since it was started."""
    queries.only(call, since="2.102")

    def find(tx: Transaction) -> tuple[Server, str, str]:
        server = servers.get(tx, call.context, server_id)
        node = None if server.host is None else hosts.node_of(tx, server.host)
        return server, "" if node is None else node.hypervisor_type, tx.now

    server, kind, now = await call.read(find)
    used = await diagnostics.usage(call.means.executor.world, server)
    return _as_all(server, kind, now, used) if call.at_least("2.48") else _by_name(used)


def _by_name(used: Usage) -> dict[str, int]:
    """As libvirt's driver names them. Memory in KiB."""
    told = {f"cpu{number}_time": ran for number, ran in enumerate(used.cpu_ns)}
    for number, disk in enumerate(used.disks):
        name = f"vd{chr(97 + number % 26)}"
        told |= {
            f"{name}_read_req": disk.read_requests,
            f"{name}_read": disk.read_bytes,
            f"{name}_write_req": disk.write_requests,
            f"{name}_write": disk.write_bytes,
            f"{name}_errors": disk.errors,
        }
    for nic in used.nics:
        for name, ours in _OLD_NICS:
            if (count := getattr(nic, ours)) is not None:
                told[f"tap{nic.id[:11]}_{name}"] = count
    return {
        **told,
        "memory": used.memory_mb << 10,
        "memory-actual": used.memory_mb << 10,
        "memory-rss": used.resident_mb << 10,
    }


def _as_all(server: Server, kind: str, now: str, used: Usage) -> dict[str, Any]:
    """Whatever runs the guest; the driver is the one whose ways ours has, because there is a list of those that may be told."""
    return {
        "state": "running",
        "driver": "libvirt",
        "hypervisor": kind.lower() or None,
        "hypervisor_os": "linux",
        "uptime": None if server.launched_at is None else int(seconds_between(server.launched_at, now)),
        "config_drive": server.config_drive,
        "num_cpus": len(used.cpu_ns),
        "num_nics": len(used.nics),
        "num_disks": len(used.disks),
        "memory_details": {"maximum": used.memory_mb, "used": used.resident_mb},
        "cpu_details": [{"id": number, "time": ran, "utilisation": None} for number, ran in enumerate(used.cpu_ns)],
        "disk_details": [
            {
                "read_bytes": disk.read_bytes,
                "read_requests": disk.read_requests,
                "write_bytes": disk.write_bytes,
                "write_requests": disk.write_requests,
                "errors_count": disk.errors,
            }
            for disk in used.disks
        ],
        "nic_details": [
            {
                "mac_address": nic.mac,
                "rx_octets": nic.rx_bytes,
                "rx_errors": nic.rx_errors,
                "rx_drop": nic.rx_drop,
                "rx_packets": nic.rx_packets,
                "rx_rate": None,
                "tx_octets": nic.tx_bytes,
                "tx_errors": nic.tx_errors,
                "tx_drop": nic.tx_drop,
                "tx_packets": nic.tx_packets,
                "tx_rate": None,
            }
            for nic in used.nics
        ],
    }


routes = [Get("/servers/{server_id}/diagnostics", show, policy=POLICY, allow=ADMIN)]
