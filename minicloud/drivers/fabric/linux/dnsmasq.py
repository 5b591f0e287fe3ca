"""The dnsmasq of each network: DHCP and DHCPv6 by the leases that are wished."""

from pathlib import Path

from minicloud.base.tools import need
from minicloud.drivers.fabric import Lease, Network
from minicloud.drivers.fabric.background import Background
from minicloud.drivers.fabric.linux.daemons import Daemons, Kind, read, write
from minicloud.drivers.fabric.linux.dhcp import configuration, hosts, options, served, without_strangers
from minicloud.drivers.fabric.linux.names import network_namespace
from minicloud.drivers.fabric.linux.room import Room


def _argv(folder: Path) -> list[str]:
    return [need("dnsmasq"), "--no-daemon", "--user=root", f"--conf-file={folder / 'dnsmasq.conf'}"]


DNSMASQ = Kind(
    name="dnsmasq",
    serves="network",
    argv=_argv,
    main="dnsmasq.conf",
    ready=b"started, version",
    rights=["net_admin", "net_raw", "net_bind_service"],
    namespace=network_namespace,
)


class Dnsmasqs:
    """All dnsmasq processes of a cloud."""

    def __init__(self, room: Room, folder: Path, background: Background) -> None:
        self._daemons = Daemons(DNSMASQ, room, folder, background)
        self.adopt = self._daemons.adopt
        self.ensure_none = self._daemons.ensure_none
        self.known = self._daemons.known

    async def ensure(self, network: Network, *, anew: bool) -> None:
        """It runs with this network's wishes; ``anew``: its bridge is another one, so that it must bind again.

        Raises ToolMissing, ToolFailed.
        """
        if not served(network):
            await self.ensure_none(network.id)
            return
        files = {
            "dnsmasq.conf": configuration(network, self._daemons.folder(network.id)),
            "hosts": hosts(network),
            "options": options(network),
        }
        await self._daemons.ensure(
            network.id, files, anew=anew, prepare=lambda folder: _drop_strangers(folder, network.leases)
        )


def _drop_strangers(folder: Path, wished: list[Lease]) -> bool:
    """Take leases of former owners out of the lease file, which dnsmasq would write anew if it ran; whether there were any."""
    leases = read(folder / "leases")
    kept = without_strangers(leases, wished)
    return kept != leases and write(folder / "leases", kept)
