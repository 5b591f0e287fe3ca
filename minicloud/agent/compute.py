"""The agent of one host: hears what its host shall have, and turns the drivers until it has it.

It knows nothing but what messages tell it: no database, no other host. Every handler may be asked the same thing twice.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from minicloud.agent import calls, disks, moves, snapshots
from minicloud.agent.disks import DriveFormat
from minicloud.agent.image_bytes import image_bytes, kept_image
from minicloud.agent.move_calls import MOVE_CALLS
from minicloud.agent.packing import ensure_unpacked
from minicloud.agent.places import filled
from minicloud.agent.uptime import uptime
from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.drivers.fabric import AnswerMetadata, Fabric, MetadataReply, MetadataRequest, Plug
from minicloud.drivers.hypervisor import Disk, Hypervisor, Machine, Nic, PowerState
from minicloud.drivers.storage import GiB, Storage
from minicloud.engines.blobs import Blobs
from minicloud.engines.messaging import Messaging
from minicloud.engines.servicegroup import ServiceGroup


def metadata_answerer(messaging: Messaging, host: str) -> AnswerMetadata:
    """How a fabric's metadata listeners reach the control side."""

    async def answer(request: MetadataRequest) -> MetadataReply:
        asked = calls.MetadataAsked(host=host, request=request)
        return await messaging.call(calls.CONTROL, asked, host=calls.CONTROL, timeout_s=30)

    return answer


class HostAgent:
    """One compute host. The fabric may be shared with other hosts of the process and is opened by whoever made it."""

    def __init__(
        self,
        host: str,
        *,
        hypervisor: Hypervisor,
        fabric: Fabric,
        storage: Storage,
        blobs: Blobs,
        messaging: Messaging,
        servicegroup: ServiceGroup,
        drive_format: DriveFormat = "iso9660",
    ) -> None:
        self.host = host
        self.hypervisor = hypervisor
        self.fabric = fabric
        self.storage = storage
        self._blobs = blobs
        self._messaging = messaging
        self._servicegroup = servicegroup
        self._drive_format = drive_format
        self._wired: dict[str, tuple[calls.Port, Plug]] = {}

    @property
    def member(self) -> str:
        """This host's name in the servicegroup."""
        return f"nova-compute@{self.host}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While inside, the host lives: its drivers are open, it hears messages, its heart beats."""
        # Without an exit stack, which would cost each of thousands of hosts more memory than all the rest of its agent.
        await self.hypervisor.open(self._power_changed)
        try:
            async with self._messaging.listen(
                calls.COMPUTE, host=self.host, messages=calls.TO_HOST, handler=self.handle, concurrency=64
            ):
                up = calls.HostUp(host=self.host, report=await self.report())
                await self._messaging.call(calls.CONTROL, up, host=calls.CONTROL)
                await self._servicegroup.join(self.member)
                try:
                    yield
                finally:
                    self._servicegroup.silence(self.member)
        finally:
            await self.hypervisor.close()

    async def handle(self, message: Any) -> Any:
        """Do what a message says. Raises CloudError, which reaches the caller."""
        match message:
            case calls.Report():
                return await self.report()
            case calls.EnsureNetwork():
                return await self.fabric.ensure_network(message.network)
            case calls.EnsureNoNetwork():
                return await self.fabric.ensure_no_network(message.network_id)
            case calls.EnsureRouter():
                return await self.fabric.ensure_router(message.router)
            case calls.EnsureNoRouter():
                return await self.fabric.ensure_no_router(message.router_id)
            case calls.EnsurePort():
                self._wired[message.port.id] = (message.port, await self.fabric.ensure_port(message.port))
                return None
            case calls.EnsureNoPort():
                self._wired.pop(message.port_id, None)
                return await self.fabric.ensure_no_port(message.port_id)
            case calls.EnsureServer():
                return await self.ensure_server(message.server)
            case calls.EnsureImage(image=image):
                await kept_image(self.storage, self._blobs, image)
                return None
            case calls.EnsureServerDisks():
                await self._disks(message.server)
                return None
            case calls.EnsureImageSound(image=image):
                return await self.storage.ensure_sound(
                    image.checksum,
                    image.format,
                    lambda: image_bytes(self._blobs, image),
                    unless_since=message.unless_since,
                )
            case calls.EnsureNoImage():
                return await self.storage.ensure_no_base(message.checksum)
            case calls.EnsureGuestAwaited():
                return await self.hypervisor.ensure_awaited(await self._machine(message.server), message.built)
            case calls.EnsureServerShutdown():
                return await self.hypervisor.ensure_shutdown(message.server_id, grace_s=message.grace_s)
            case calls.EnsureServerPaused():
                return await self.hypervisor.ensure_paused(message.server_id)
            case calls.EnsureServerUnpaused():
                return await self.hypervisor.ensure_unpaused(message.server_id)
            case calls.EnsureServerSuspended():
                return await self.hypervisor.ensure_suspended(message.server_id)
            case calls.EnsureServerGone():
                await self.hypervisor.ensure_gone(message.server_id)
                return await disks.ensure_none(self.storage, message.server_id, message.kept)
            case calls.RebootServer():
                return await self.hypervisor.reboot_soft(message.server_id, grace_s=message.grace_s)
            case calls.ConsoleOutput():
                return await self.hypervisor.console_output(message.server_id, tail_bytes=message.tail_bytes)
            case calls.EnsureDiskAttached():
                return await self.hypervisor.ensure_disk_attached(message.server_id, message.disk)
            case calls.EnsureDiskDetached():
                return await self.hypervisor.ensure_disk_detached(
                    message.server_id, message.disk_id, timeout_s=message.timeout_s
                )
            case calls.EnsureDiskSize():
                return await self.hypervisor.ensure_disk_size(
                    message.server_id, message.disk_id, size_bytes=message.size_bytes
                )
            case calls.EnsureDiskThrottle():
                return await self.hypervisor.ensure_disk_throttle(message.server_id, message.disk_id, message.throttle)
            case calls.EnsureDisksCopied():
                return await self.hypervisor.ensure_disks_copied(message.server_id, message.paths)
            case calls.EnsureDiskMoved():
                return await self.hypervisor.ensure_disk_moved(
                    message.server_id,
                    message.disk_id,
                    path=message.path,
                    format=message.format,
                    copied=message.copied,
                )
            case calls.EnsureDiskNotCopied():
                return await self.hypervisor.ensure_disk_not_copied(message.server_id, message.disk_id)
            case calls.EnsureNicAttached():
                return await self.hypervisor.ensure_nic_attached(message.server_id, await self._nic(message.nic))
            case calls.EnsureNicDetached():
                return await self.hypervisor.ensure_nic_detached(
                    message.server_id, message.port_id, timeout_s=message.timeout_s
                )
            case calls.ServerUsage():
                return await self.hypervisor.usage(message.server_id)
            case calls.DeviceAddresses():
                return await self.hypervisor.addresses(message.server_id)
            case calls.InjectNmi():
                return await self.hypervisor.inject_nmi(message.server_id)
            case calls.EnsurePassword():
                return await self.hypervisor.ensure_password(message.server_id, message.user, message.password)
            case calls.EnsureSnapshot():
                return await snapshots.ensure(self.hypervisor, self.storage, message.server_id)
            case calls.EnsureSnapshotUploaded():
                return await snapshots.ensure_uploaded(self.storage, self._blobs, message.server_id, message.blob)
            case calls.EnsureNoSnapshot():
                return await snapshots.ensure_none(self.hypervisor, self.storage, message.server_id)
            case calls.HostUptime():
                return uptime()
            case calls.Reach():
                return await self.fabric.reach(message.port, message.tcp_port)
            case _ if isinstance(message, MOVE_CALLS):
                return await moves.handle(self.hypervisor, self.storage, self._blobs, message)
            case _:
                raise TypeError(f"The agent of {self.host} does not know {type(message).__name__}")

    async def report(self) -> calls.HostReport:
        """All that this host knows."""
        return calls.HostReport(
            facts=await self.hypervisor.facts(),
            machines=await self.hypervisor.machines(),
            fabric=await self.fabric.facts(),
            disks=await self.storage.machines(),
            free_disk_gb=await self.storage.free_bytes() // GiB,
            images=await self.storage.cached(),
        )

    async def ensure_server(self, server: calls.ServerSpec) -> calls.MachineFacts:
        """The server's disks exist and it runs."""
        machine = await self._machine(server)
        with trace.span("start_machine") as facts:
            running = await self.hypervisor.ensure_running(machine)
            facts["argv"] = running.argv
            facts["pid"] = running.pid
        return running

    async def _machine(self, server: calls.ServerSpec) -> Machine:
        """The server as the hypervisor is told: its disks exist, its ports are wired."""
        made = await self._disks(server)
        with trace.span("plug"):
            nics = [await self._nic(nic) for nic in server.nics]
        return Machine(
            id=server.id,
            name=server.name,
            vcpus=server.vcpus,
            memory_mb=server.memory_mb,
            disks=made,
            nics=nics,
            firmware=server.firmware,
            kernel=await disks.boot_file(self.storage, self._blobs, server.kernel),
            ramdisk=await disks.boot_file(self.storage, self._blobs, server.ramdisk),
            command_line=server.command_line,
            hardware=server.hardware,
            properties=server.properties,
        )

    async def _nic(self, nic: calls.NicSpec) -> Nic:
        port = nic.port
        return Nic(id=port.id, mac=port.mac, mtu=port.mtu, model=nic.model, plug=await self._plug(port))

    async def _plug(self, port: calls.Port) -> Plug:
        """How a machine reaches its port: as it was wired a moment ago for this very start, or else wired now."""
        wired = self._wired.pop(port.id, None)
        return wired[1] if wired is not None and wired[0] == port else await self.fabric.ensure_port(port)

    async def _disks(self, server: calls.ServerSpec) -> list[Disk]:
        await ensure_unpacked(self.storage, self._blobs, server)
        made = await disks.of_server(self.storage, self._blobs, server)
        if server.config_drive is None:
            return made
        cards = [nic.port.id for nic in server.nics]
        places = self.hypervisor.places(server.hardware, [*made, disks.drive_of(server)], cards)
        files = filled(server.config_drive, places)
        return [*made, await disks.ensure_drive(self.storage, server, self._drive_format, files)]

    async def _power_changed(self, machine_id: str, state: PowerState) -> None:
        trace.note("power_changed", host=self.host, machine=machine_id, state=str(state))
        told = calls.PowerChanged(host=self.host, server_id=machine_id, power_state=state)
        try:
            await self._messaging.cast(calls.CONTROL, told, host=calls.CONTROL)
        except CloudError as error:
            # The reconciler of power states reads every host's report anyway: nothing is lost but a little time.
            trace.note("power_change_untold", machine=machine_id, error=error.message)
