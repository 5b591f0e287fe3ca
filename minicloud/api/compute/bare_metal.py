"""Bare metal nodes as Nova showed them before 2.36: there is no service of bare metal to ask."""

from typing import Any

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Action, Delete, Get, Post
from minicloud.base.errors import Invalid, NotOffered
from minicloud.core.policy import ADMIN

POLICY = "os_compute_api:os-baremetal-nodes"
LAST = "2.35"


class Anything(Body, open=True):
    """A body that nobody looks into."""


async def index(call: Call) -> Any:
    """Not on offer."""
    raise NotOffered("Bare metal nodes are not offered by this cloud")


async def show(call: Call, node_id: str) -> Any:
    """Not on offer."""
    await index(call)


def _refuse(command: str) -> None:
    raise Invalid(f"Command Not supported. Please use Ironic command {command} to perform this action.")


async def create(call: Call, body: Anything) -> Any:
    """Never worked through here."""
    _refuse("node-create")


async def delete(call: Call, node_id: str) -> None:
    """Never worked through here."""
    _refuse("node-delete")


async def add_interface(call: Call, node_id: str, body: Anything) -> None:
    """Never worked through here."""
    _refuse("port-create")


async def remove_interface(call: Call, node_id: str, body: Anything) -> None:
    """Never worked through here."""
    _refuse("port-delete")


NODE = "/os-baremetal-nodes/{node_id}"

routes = [
    Get("/os-baremetal-nodes", index, policy=f"{POLICY}:list", allow=ADMIN, until=LAST),
    Post("/os-baremetal-nodes", create, policy=None, until=LAST),
    Get(NODE, show, policy=f"{POLICY}:show", allow=ADMIN, until=LAST),
    Delete(NODE, delete, policy=None, until=LAST),
    Action("add_interface", add_interface, path=f"{NODE}/action", policy=None, until=LAST),
    Action("remove_interface", remove_interface, path=f"{NODE}/action", policy=None, until=LAST),
]
