"""The simulated fabric: wishes kept in a log that survives a killed process, and guests that ask for metadata."""

from typing import TypeVar

import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, NotFound, Unavailable
from minicloud.drivers.fabric import (
    AnswerMetadata,
    FabricFacts,
    FakePlug,
    MetadataCaller,
    MetadataReply,
    MetadataRequest,
    Network,
    Plug,
    Port,
    Router,
)
from minicloud.drivers.fabric.checks import check_network, check_port, check_router, router_ports
from minicloud.drivers.statelog import StateLog

T = TypeVar("T")


class FakeState(msgspec.Struct):
    """Everything that stands, by id. Two equal states are a clean slate."""

    networks: dict[str, Network] = {}
    routers: dict[str, Router] = {}
    ports: dict[str, Port] = {}


class FakeFabric:
    """A fabric of one host without a machine under it. What stands is kept in ``log``; by default one in memory alone."""

    def __init__(self, log: StateLog | None = None, host: str = "") -> None:
        self._log = log if log is not None else StateLog()
        self._host = host
        self._state = FakeState()
        self._answer: AnswerMetadata | None = None
        self._faults: dict[str, list[CloudError]] = {}

    async def open(self, answer_metadata: AnswerMetadata) -> None:
        self._answer = answer_metadata
        self._state = FakeState(
            networks=self._rows("networks", Network),
            routers=self._rows("routers", Router),
            ports=self._rows("ports", Port),
        )

    async def close(self) -> None:
        self._answer = None

    async def ensure_network(self, network: Network) -> None:
        self._strike("ensure_network")
        check_network(network)
        self._log.put("networks", self._host, network.id, network)
        self._state.networks[network.id] = network
        trace.note("fabric", did="network", id=network.id)

    async def ensure_no_network(self, network_id: str) -> None:
        self._strike("ensure_no_network")
        for port in [p for p in self._state.ports.values() if p.network_id == network_id]:
            self._log.drop("ports", self._host, port.id)
            del self._state.ports[port.id]
        self._log.drop("networks", self._host, network_id)
        self._state.networks.pop(network_id, None)
        trace.note("fabric", did="no_network", id=network_id)

    async def ensure_router(self, router: Router) -> None:
        self._strike("ensure_router")
        check_router(router)
        for interface in router_ports(router):
            self._standing(interface.network_id)
        self._log.put("routers", self._host, router.id, router)
        self._state.routers[router.id] = router
        trace.note("fabric", did="router", id=router.id)

    async def ensure_no_router(self, router_id: str) -> None:
        self._strike("ensure_no_router")
        self._log.drop("routers", self._host, router_id)
        self._state.routers.pop(router_id, None)
        trace.note("fabric", did="no_router", id=router_id)

    async def ensure_port(self, port: Port) -> Plug:
        self._strike("ensure_port")
        check_port(port)
        self._standing(port.network_id)
        self._log.put("ports", self._host, port.id, port)
        self._state.ports[port.id] = port
        trace.note("fabric", did="port", id=port.id)
        return FakePlug(name=f"fake-{port.id[:11]}")

    async def ensure_no_port(self, port_id: str) -> None:
        self._strike("ensure_no_port")
        self._log.drop("ports", self._host, port_id)
        self._state.ports.pop(port_id, None)
        trace.note("fabric", did="no_port", id=port_id)

    async def facts(self) -> FabricFacts:
        state = self._state
        return FabricFacts(
            kind="fake", networks=sorted(state.networks), routers=sorted(state.routers), ports=sorted(state.ports)
        )

    async def purge(self) -> None:
        for table in ("networks", "routers", "ports"):
            for key in self._log.rows(table, self._host):
                self._log.drop(table, self._host, key)
        self._state = FakeState()
        trace.note("fabric", did="purge")

    async def reach(self, port: Port, tcp_port: int) -> list[str]:
        raise Unavailable(
            "a simulated machine has no network to reach; run the cloud with --driver qemu to log in to a guest",
            port=port.id,
            tcp_port=tcp_port,
        )

    def state(self) -> FakeState:
        """A copy of what stands, to compare before and after."""
        return FakeState(dict(self._state.networks), dict(self._state.routers), dict(self._state.ports))

    def fail_next(self, verb: str, error: CloudError, *, times: int = 1) -> None:
        """The next ``times`` calls of this verb (``ensure_port`` and so on) raise the error and change nothing."""
        self._faults.setdefault(verb, []).extend([error] * times)

    async def guest_asks(
        self,
        port_id: str,
        path: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        by_router: str | None = None,
    ) -> MetadataReply:
        """What the guest on this port hears from 169.254.169.254; ``by_router`` sends it by that router, not its network.

        Raises NotFound (no such port), Conflict (not open), and whatever the control side raises.
        """
        port = self._state.ports.get(port_id)
        if port is None:
            raise NotFound(f"port {port_id} is not wired", port=port_id)
        if self._answer is None:
            raise Conflict("the fabric is not open: nobody serves metadata")
        caller = MetadataCaller(
            address=next((a for a in port.addresses if ":" not in a), ""),
            network_id=None if by_router else port.network_id,
            router_id=by_router,
        )
        return await self._answer(
            MetadataRequest(caller=caller, method=method, path=path, headers=headers or {}, body=body)
        )

    def _standing(self, network_id: str) -> None:
        if network_id not in self._state.networks:
            raise NotFound(f"network {network_id} does not stand on this host", network=network_id)

    def _strike(self, verb: str) -> None:
        waiting = self._faults.get(verb)
        if waiting:
            raise waiting.pop(0)

    def _rows(self, table: str, kind: type[T]) -> dict[str, T]:
        return {key: msgspec.convert(value, kind) for key, value in self._log.rows(table, self._host).items()}
