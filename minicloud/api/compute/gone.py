"""What Nova once had and has no more: 410 at every version, whoever asks (nova 34.0.0, ``wsgi.removed`` on its controllers)."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Action, Delete, Get, Post, Put, Route
from minicloud.base.errors import Gone

_MAKERS = {"GET": Get, "POST": Post, "PUT": Put, "DELETE": Delete}

PATHS = """
GET,POST            /os-agents
PUT,DELETE          /os-agents/{thing}
GET,POST            /os-cells
GET                 /os-cells/capacities
GET                 /os-cells/detail
GET                 /os-cells/info
POST                /os-cells/sync_instances
GET,PUT,DELETE      /os-cells/{thing}
GET                 /os-cells/{thing}/capacities
POST                /os-certificates
GET                 /os-certificates/{thing}
GET,POST            /os-cloudpipe
PUT                 /os-cloudpipe/{thing}
GET                 /os-fixed-ips/{thing}
GET                 /os-floating-ip-dns
PUT,DELETE          /os-floating-ip-dns/{thing}
GET,PUT,DELETE      /os-floating-ip-dns/{thing}/entries/{part}
GET,POST            /os-floating-ips-bulk
GET,PUT             /os-floating-ips-bulk/{thing}
GET                 /os-fping
GET                 /os-fping/{thing}
POST                /os-networks
POST                /os-networks/add
DELETE              /os-networks/{thing}
GET,POST            /os-security-group-default-rules
GET,DELETE          /os-security-group-default-rules/{thing}
POST                /os-tenant-networks
DELETE              /os-tenant-networks/{thing}
GET,POST            /servers/{thing}/consoles
GET,DELETE          /servers/{thing}/consoles/{part}
GET                 /servers/{thing}/os-virtual-interfaces
"""
"""Methods and paths."""

ACTIONS = {
    "/os-fixed-ips/{thing}/action": ("reserve", "unreserve"),
    "/os-networks/{thing}/action": ("disassociate", "disassociate_host", "disassociate_project", "associate_host"),
}
"""Actions on what is gone."""


def _gone() -> Any:
    raise Gone("This resource is no longer available.  No forwarding address is given.")


async def nothing(call: Call) -> Any:
    """A collection that is gone."""
    _gone()


async def nothing_of(call: Call, thing: str) -> Any:
    """A thing that is gone."""
    _gone()


async def nothing_in(call: Call, thing: str, part: str) -> Any:
    """A part of a thing that is gone."""
    _gone()


def _routes() -> list[Route]:
    found = []
    for line in PATHS.strip().splitlines():
        methods, path = line.split()
        handler = (nothing, nothing_of, nothing_in)[path.count("{")]
        found += [_MAKERS[method](path, handler, policy=None) for method in methods.split(",")]
    for path, names in ACTIONS.items():
        found += [Action(name, nothing_of, path=path, policy=None) for name in names]
    return found


routes = _routes()
