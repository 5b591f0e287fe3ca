"""Compute's microversions, a line each with its meaning, and the version documents at the service's roots."""

from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.microversions import Negotiation, Version, version
from minicloud.api.routes import Get

LOWEST, NEWEST = version("2.1"), version("2.104")

MEANINGS = """
2.1 the first
2.2 keypairs have a type, and 201 and 204 answer them
2.3 more extended server attributes for administrators
2.4 fixed addresses tell whether they are reserved
2.5 servers may be found by IPv6 address
2.6 one API for remote consoles
2.7 public flavors refuse tenant access
2.8 MKS consoles
2.9 servers tell whether they are locked
2.10 administrators see and make other users' keypairs
2.11 services can be forced down
2.12 virtual interfaces tell their network
2.13 server groups tell project and user
2.14 evacuate without onSharedStorage
2.15 soft server group policies
2.16 servers tell the status of their host
2.17 crash dumps
2.18 no project id in the path
2.19 servers have a description
2.20 volumes of shelved servers
2.21 actions of deleted servers
2.22 live migrations can be forced to complete
2.23 migrations of a server
2.24 live migrations can be aborted
2.25 block migration may be auto
2.26 servers have tags
2.27 the header OpenStack-API-Version
2.28 CPU information as an object
2.29 evacuate checks its host
2.30 live migration checks its host
2.31 console tokens of all types
2.32 tags on devices at boot
2.33 hypervisors in pages
2.34 live migration checks in the background
2.35 keypairs in pages
2.36 no more proxies to other services
2.37 networks must be said, auto or none are words for it
2.38 an invalid status is refused
2.39 no more image metadata proxy
2.40 usage in pages
2.41 aggregates have a UUID
2.42 tags on devices again
2.43 no more hosts API
2.44 no more network proxies on servers
2.45 createImage answers with the id
2.46 the header X-OpenStack-Request-ID
2.47 the flavor stands in the server
2.48 diagnostics in one form
2.49 tags on attached devices
2.50 quota classes tell server groups
2.51 volume-extended events
2.52 tags at creation
2.53 services and hypervisors by UUID
2.54 another key at rebuild
2.55 flavors have a description
2.56 cold migration to a chosen host
2.57 no more personality; user data at rebuild
2.58 actions in pages
2.59 migrations in pages
2.60 a volume on several servers
2.61 extra specs stand in the flavor
2.62 the host of action events
2.63 trusted image certificates
2.64 rules of server groups
2.65 queued live migrations can be aborted
2.66 changes-before
2.67 volume type at boot
2.68 no more forced moves
2.69 servers of cells that are down
2.70 tags of attachments
2.71 server groups of a server
2.72 ports with resource requests
2.73 a reason for locking
2.74 host and hypervisor_hostname at creation
2.75 cleaned up answers and strict queries
2.76 power-update events
2.77 zone at unshelve
2.78 topology of a server
2.79 delete_on_termination at attachment
2.80 migrations by user and project
2.81 image cache of aggregates
2.82 accelerator events
2.83 more filters for users
2.84 details of action events
2.85 delete_on_termination can be changed
2.86 known extra specs are checked
2.87 rescue of servers on volumes
2.88 hypervisors without statistics
2.89 attachments tell more
2.90 host names can be chosen
2.91 unshelve to a host
2.92 keys are no longer generated
2.93 rebuild of servers on volumes
2.94 host names may be qualified
2.95 evacuated servers stay stopped
2.96 servers tell the zone they are pinned to
2.97 shares
2.98 image properties stand in the server
2.99 direct spice consoles
2.100 scheduler hints stand in the server
2.101 volumes attach in the background
2.102 flavors by name
2.103 no more os-volumes_boot
2.104 the pinned zone can be changed
"""

NEGOTIATION = Negotiation(word="compute", lowest=LOWEST, newest=NEWEST, older_headers=("X-OpenStack-Nova-API-Version",))


def known() -> list[tuple[Version, str]]:
    """Every microversion with its meaning, oldest first."""
    lines = [line.split(" ", 1) for line in MEANINGS.strip().splitlines()]
    return [(version(number), meaning) for number, meaning in lines]


LEGACY = "v2.0"
"""The root of clients from before microversions: it answers as 2.1 does."""


def _document(call: Call, identity: str) -> dict[str, Any]:
    legacy = identity == LEGACY
    return {
        "id": identity,
        "status": "DEPRECATED" if legacy else "CURRENT",
        "version": "" if legacy else str(NEWEST),
        "min_version": "" if legacy else str(LOWEST),
        "updated": "2025-07-04T12:00:00Z" if legacy else "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{call.base_url}/{'v2' if legacy else 'v2.1'}/"}],
    }


async def index(call: Call) -> Any:
    """All versions of the API."""
    return {"versions": [_document(call, LEGACY), _document(call, "v2.1")]}


async def show(call: Call) -> Any:
    """The version that is asked at its own root."""
    return _shown(call, LEGACY if call.request.scope["path"].rstrip("/").endswith("/v2") else "v2.1")


async def show_named(call: Call, identity: str) -> Any:
    """A version by its name."""
    if identity not in (LEGACY, "v2.1"):
        raise call.absent()
    return _shown(call, identity)


def _shown(call: Call, identity: str) -> Any:
    document = _document(call, identity)
    # Upstream tells the address that was asked, whichever version it tells of.
    document["links"].append({"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"})
    number = "2" if identity == LEGACY else "2.1"
    document["media-types"] = [
        {"base": "application/json", "type": f"application/vnd.openstack.compute+json;version={number}"}
    ]
    return Reply({"version": document})


routes = [
    Get("/", index, policy=None, open=True, root=True),
    Get("/v2", show, policy=None, open=True, root=True),
    Get("/v2.1", show, policy=None, open=True, root=True),
    Get("/versions/{identity}", show_named, policy=None),
]
