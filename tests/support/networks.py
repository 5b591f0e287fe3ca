"""Builders for the network service: a database with a network in it, and a host that holds what it is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from minicloud.agent import calls
from minicloud.core.context import Context, administrator
from minicloud.core.network import networks, ports, subnets
from minicloud.core.network.networks import Network
from minicloud.core.network.rows import Subnet
from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.engines.database import Transaction
from minicloud.engines.messaging.inprocess import InProcess

PROJECT = "11111111111111111111111111111111"
OTHER_PROJECT = "22222222222222222222222222222222"
ADMIN = administrator()


def a_member(project_id: str = PROJECT) -> Context:
    """A member of a project."""
    return Context(user_id="u", project_id=project_id, roles=frozenset({"member", "reader"}))


def a_network(tx: Transaction, project_id: str = PROJECT, **values: Any) -> Network:
    """A network without subnets."""
    return networks.create(tx, project_id=project_id, **({"name": "net"} | values))


def a_subnet(tx: Transaction, network: Network, cidr: str = "10.0.0.0/24", **values: Any) -> Subnet:
    """A subnet without DHCP, so that all of its addresses are there."""
    version = 6 if ":" in cidr else 4
    made = {"project_id": network.project_id, "cidr": cidr, "ip_version": version, "enable_dhcp": False}
    return subnets.create(tx, network, **(made | values))


def a_port(tx: Transaction, network: Network, **values: Any) -> ports.PortDetails:
    """A port of the network's project."""
    return ports.create(tx, network, **({"project_id": network.project_id} | values))


@asynccontextmanager
async def a_host(messaging: InProcess, host: str, fabric: FakeFabric) -> AsyncIterator[list[Any]]:
    """A host that hears of networks, routers and ports; yields the messages that it heard, in order."""
    heard: list[Any] = []

    async def handle(message: Any) -> None:
        heard.append(message)
        match message:
            case calls.EnsureNetwork():
                await fabric.ensure_network(message.network)
            case calls.EnsureNoNetwork():
                await fabric.ensure_no_network(message.network_id)
            case calls.EnsureRouter():
                await fabric.ensure_router(message.router)
            case calls.EnsureNoRouter():
                await fabric.ensure_no_router(message.router_id)
            case calls.EnsurePort():
                await fabric.ensure_port(message.port)
            case calls.EnsureNoPort():
                await fabric.ensure_no_port(message.port_id)

    async with messaging.listen(calls.COMPUTE, host=host, messages=calls.TO_HOST, handler=handle):
        yield heard
