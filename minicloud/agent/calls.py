"""The messages between the control side and the hosts, and the caller's side of them.

To a host (topic ``compute``): make this so. From a host (topic ``control``): this is so. Every ``Ensure`` may be sent again.
The specs in them are the drivers' own structs, given on under this roof so that the control side needs no driver.
"""

from typing import TypeVar

import msgspec

from minicloud.agent.device_calls import (
    DEVICE_CALLS,
    DeviceAddresses,
    EnsureDiskAttached,
    EnsureDiskDetached,
    EnsureDiskMoved,
    EnsureDiskNotCopied,
    EnsureDisksCopied,
    EnsureDiskSize,
    EnsureDiskThrottle,
    EnsureNicAttached,
    EnsureNicDetached,
    EnsureNoSnapshot,
    EnsurePassword,
    EnsureSnapshot,
    EnsureSnapshotUploaded,
    InjectNmi,
    NicSpec,
    ServerUsage,
    Snapshot,
)
from minicloud.agent.image_calls import IMAGE_CALLS, CachedBase, EnsureImage, EnsureImageSound, EnsureNoImage
from minicloud.agent.move_calls import MOVE_CALLS
from minicloud.agent.specs import ADDRESS_OF, BUS_OF, EphemeralDisk, ImageSource, ServerSpec
from minicloud.drivers.fabric import (
    FabricFacts,
    Lease,
    MetadataCaller,
    MetadataReply,
    MetadataRequest,
    Network,
    Port,
    Router,
    RouterPort,
    Subnet,
)
from minicloud.drivers.hypervisor import (
    Bus,
    Cell,
    DeviceAddress,
    Disk,
    Hardware,
    HostFacts,
    MachineFacts,
    MachineUsage,
    NicModel,
    PowerState,
    Throttle,
)
from minicloud.engines.messaging import Message, Messaging

R = TypeVar("R")

COMPUTE = "compute"
CONTROL = "control"

__all__ = [
    "ADDRESS_OF",
    "BUS_OF",
    "COMPUTE",
    "CONTROL",
    "Agents",
    "Bus",
    "CachedBase",
    "Cell",
    "ConsoleOutput",
    "DeviceAddress",
    "DeviceAddresses",
    "Disk",
    "EnsureDiskAttached",
    "EnsureDiskDetached",
    "EnsureDiskMoved",
    "EnsureDiskNotCopied",
    "EnsureDiskSize",
    "EnsureDiskThrottle",
    "EnsureDisksCopied",
    "EnsureGuestAwaited",
    "EnsureImage",
    "EnsureImageSound",
    "EnsureNetwork",
    "EnsureNicAttached",
    "EnsureNicDetached",
    "EnsureNoImage",
    "EnsureNoNetwork",
    "EnsureNoPort",
    "EnsureNoRouter",
    "EnsureNoSnapshot",
    "EnsurePassword",
    "EnsurePort",
    "EnsureRouter",
    "EnsureServer",
    "EnsureServerDisks",
    "EnsureServerGone",
    "EnsureServerPaused",
    "EnsureServerShutdown",
    "EnsureServerSuspended",
    "EnsureServerUnpaused",
    "EnsureSnapshot",
    "EnsureSnapshotUploaded",
    "EphemeralDisk",
    "FabricFacts",
    "Hardware",
    "HostFacts",
    "HostReport",
    "HostUp",
    "HostUptime",
    "ImageSource",
    "InjectNmi",
    "Lease",
    "MachineFacts",
    "MachineUsage",
    "MetadataAsked",
    "MetadataCaller",
    "MetadataReply",
    "MetadataRequest",
    "Network",
    "NicModel",
    "NicSpec",
    "Port",
    "PowerChanged",
    "PowerState",
    "Reach",
    "RebootServer",
    "Report",
    "Router",
    "RouterPort",
    "ServerSpec",
    "ServerUsage",
    "Snapshot",
    "Subnet",
    "Throttle",
]


class HostReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that a host knows: its capacity, its machines, what its fabric holds, whose disks lie there, images in its cache."""

    facts: HostFacts
    machines: list[MachineFacts]
    fabric: FabricFacts
    disks: list[str]
    free_disk_gb: int
    images: list[CachedBase] = []


class Report(Message[HostReport], tag="report", kw_only=True):
    """Tell everything."""

    ROUTINE = True


class EnsureNetwork(Message[None], tag="ensure_network", kw_only=True):
    """The network stands as wished."""

    network: Network


class EnsureNoNetwork(Message[None], tag="ensure_no_network", kw_only=True):
    """Nothing of the network is left."""

    network_id: str


class EnsureRouter(Message[None], tag="ensure_router", kw_only=True):
    """The router stands as wished."""

    router: Router


class EnsureNoRouter(Message[None], tag="ensure_no_router", kw_only=True):
    """Nothing of the router is left."""

    router_id: str


class EnsurePort(Message[None], tag="ensure_port", kw_only=True):
    """The port is wired to its standing network."""

    port: Port


class EnsureNoPort(Message[None], tag="ensure_no_port", kw_only=True):
    """Nothing of the port is left."""

    port_id: str


class EnsureServer(Message[MachineFacts], tag="ensure_server", kw_only=True):
    """The server's disks exist and it runs, its ports being wired."""

    server: ServerSpec


class EnsureGuestAwaited(Message[str], tag="ensure_guest_awaited", kw_only=True):
    """The server's disks exist, and it waits here for a guest that runs elsewhere, where it is ``built`` so; where that is
    to be sent."""

    server: ServerSpec
    built: str = ""


class EnsureServerDisks(Message[None], tag="ensure_server_disks", kw_only=True):
    """The server's disks exist as they shall be; the machine, if there is one, is left alone and must be off."""

    server: ServerSpec


class EnsureServerShutdown(Message[None], tag="ensure_server_shutdown", kw_only=True):
    """The server is powered off: asked to, and forced after ``grace_s`` seconds."""

    server_id: str
    grace_s: float


class EnsureServerPaused(Message[None], tag="ensure_server_paused", kw_only=True):
    """The server stands still in memory."""

    server_id: str


class EnsureServerUnpaused(Message[None], tag="ensure_server_unpaused", kw_only=True):
    """The server that stood still goes on."""

    server_id: str


class EnsureServerSuspended(Message[None], tag="ensure_server_suspended", kw_only=True):
    """The server's memory lies in a file, and nothing of it runs."""

    server_id: str


class EnsureServerGone(Message[None], tag="ensure_server_gone", kw_only=True):
    """Neither the machine nor its disks are left, but those of the names that are kept."""

    server_id: str
    kept: list[str] = []


class RebootServer(Message[bool], tag="reboot_server", kw_only=True):
    """Ask the guest to start anew; False when it did not react within ``grace_s`` and nothing was done."""

    server_id: str
    grace_s: float


class ConsoleOutput(Message[bytes], tag="console_output", kw_only=True):
    """The last bytes of the serial console."""

    server_id: str
    tail_bytes: int


class Reach(Message[list[str]], tag="reach", kw_only=True):
    """The argument list of a program that joins its stdin and stdout to a TCP port of the guest."""

    port: Port
    tcp_port: int


class HostUptime(Message[str], tag="host_uptime", kw_only=True):
    """How long the machine under the host has been up, and how busy it is, as the program ``uptime`` says it."""


class HostUp(Message[None], tag="host_up", kw_only=True):
    """From a host: it has started, and this is what it has."""

    host: str
    report: HostReport


class PowerChanged(Message[None], tag="power_changed", kw_only=True):
    """From a host: a machine changed by itself."""

    host: str
    server_id: str
    power_state: PowerState


class MetadataAsked(Message[MetadataReply], tag="metadata_asked", kw_only=True):
    """From a host: a guest asks the metadata service."""

    host: str
    request: MetadataRequest


TO_HOST = (
    Report,
    EnsureNetwork,
    EnsureNoNetwork,
    EnsureRouter,
    EnsureNoRouter,
    EnsurePort,
    EnsureNoPort,
    EnsureServer,
    EnsureServerDisks,
    EnsureGuestAwaited,
    EnsureServerShutdown,
    EnsureServerPaused,
    EnsureServerUnpaused,
    EnsureServerSuspended,
    EnsureServerGone,
    RebootServer,
    ConsoleOutput,
    *DEVICE_CALLS,
    *IMAGE_CALLS,
    *MOVE_CALLS,
    HostUptime,
    Reach,
)
TO_CONTROL = (HostUp, PowerChanged, MetadataAsked)


class Agents:
    """The caller's side: asks the agent of a host."""

    def __init__(self, messaging: Messaging) -> None:
        self._messaging = messaging

    async def ask(self, host: str, message: Message[R], *, timeout_s: float = 120.0) -> R:
        """Send and wait for the answer. Raises what the agent raised, TimedOut, Unavailable."""
        return await self._messaging.call(COMPUTE, message, host=host, timeout_s=timeout_s)
