"""The metadata service's doors: one listening socket in each namespace, and who is behind it."""

import socket
from functools import partial

import anyio.abc

from minicloud.base import trace
from minicloud.drivers.fabric import MetadataCaller
from minicloud.drivers.fabric.background import Background
from minicloud.drivers.fabric.linux.enter import Request
from minicloud.drivers.fabric.linux.names import METADATA
from minicloud.drivers.fabric.linux.room import Room
from minicloud.drivers.fabric.metadata import MetadataServer


class Doors:
    """Opens and closes doors by namespace. Who asks is (the door, the peer's address): addresses may repeat between networks."""

    def __init__(self, room: Room, background: Background, server: MetadataServer) -> None:
        self._room = room
        self._background = background
        self._server = server
        self._open: dict[str, anyio.CancelScope] = {}

    async def ensure(self, namespace: str, request: Request, *, anew: bool, **behind: str) -> None:
        """Metadata is served in this namespace; ``request`` is done on the way in. ``behind``: network_id or router_id.

        Raises Failed.
        """
        if anew:
            self.shut(namespace)
        if namespace in self._open:
            if request:
                await self._room.perform(namespace, request)
            return
        (fd,) = await self._room.perform(namespace, Request(**request, listen=[(METADATA, 80)]))
        listener = await anyio.abc.SocketListener.from_socket(socket.socket(fileno=fd))
        caller = partial(_caller, behind.get("network_id"), behind.get("router_id"))
        self._open[namespace] = self._background.spawn(self._server.serve, listener, caller, namespace)
        trace.note("metadata", door=namespace, did="opened")

    def shut(self, namespace: str) -> None:
        """Nobody is served there any more."""
        scope = self._open.pop(namespace, None)
        if scope is not None:
            scope.cancel()

    def shut_all(self) -> None:
        for namespace in list(self._open):
            self.shut(namespace)


def _caller(network_id: str | None, router_id: str | None, address: str) -> MetadataCaller:
    return MetadataCaller(address=address, network_id=network_id, router_id=router_id)
