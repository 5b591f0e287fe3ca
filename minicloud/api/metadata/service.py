"""Answers a guest's question by its path: ``/openstack/<version>/<file>`` and the EC2 tree ``/<version>/meta-data/...``."""

from typing import Any

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid
from minicloud.conductor.compute import device_addresses
from minicloud.conductor.world import World
from minicloud.core.compute import metadata, server_passwords
from minicloud.core.compute.metadata import EC2_VERSIONS, LATEST, OPENSTACK_VERSIONS, Guest
from minicloud.core.compute.servers import Server
from minicloud.core.records import Database, Transaction


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question, and where it came from: exactly one of network, router and port is set."""

    path: str
    method: str
    address: str
    network_id: str | None = None
    router_id: str | None = None
    port_id: str | None = None
    body: bytes = b""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the guest gets."""

    status: int
    content_type: str = "text/plain; charset=UTF-8"
    body: bytes = b""


NOT_FOUND = Answer(status=404, body=b"404 Not Found\n")


async def answer(world: World, asked: Asked) -> Answer:
    """The document at a path, for the guest that asks; 404 where there is none, and for callers that are no server's."""
    if asked.method == "POST" and _is_password(asked.path):
        return await _take_password(world.database, asked)
    if asked.method not in ("GET", "HEAD"):
        return Answer(status=405, body=b"405 Method Not Allowed\n")

    def find(tx: Transaction) -> Guest | None:
        server = _calling(tx, asked)
        return None if server is None else metadata.guest(tx, server)

    found = await world.database.read(find)
    if found is not None and found.has_tags:
        found = msgspec.structs.replace(found, places=await device_addresses.of_guest(world, found))
    told = NOT_FOUND if found is None else _at(found, asked.path.partition("?")[0])
    server_id = "" if found is None else found.server.id
    with trace.about(resource=server_id):
        trace.note("metadata", path=asked.path, address=asked.address, status=told.status)
    return told


def _calling(tx: Transaction, asked: Asked) -> Server | None:
    return metadata.calling(
        tx, asked.address, network_id=asked.network_id, router_id=asked.router_id, port_id=asked.port_id
    )


def _is_password(path: str) -> bool:
    parts = [part for part in path.partition("?")[0].split("/") if part]
    known = (*(version for version in OPENSTACK_VERSIONS if version >= metadata.PASSWORD_SINCE), LATEST)
    return len(parts) == 3 and parts[0] == "openstack" and parts[1] in known and parts[2] == metadata.PASSWORD


async def _take_password(database: Database, asked: Asked) -> Answer:
    """The guest tells the password that it made, once."""

    def work(tx: Transaction) -> str | None:
        server = _calling(tx, asked)
        if server is not None:
            server_passwords.tell(tx, server, asked.body)
        return None if server is None else server.id

    try:
        return NOT_FOUND if await database.write(work) is None else Answer(status=200)
    except Conflict:
        return Answer(status=409, body=b"409 Conflict\n")
    except Invalid as error:
        return Answer(status=400, body=f"400 Bad Request\n\n{error.message}\n".encode())


def _at(guest: Guest, path: str) -> Answer:
    parts = [part for part in path.split("/") if part]
    if not parts:
        return _text("\n".join([*EC2_VERSIONS, LATEST]))
    if parts[0] == "openstack":
        return _openstack(guest, parts[1:])
    if parts[0] not in (*EC2_VERSIONS, LATEST):
        return NOT_FOUND
    return _walk(metadata.ec2(guest), parts[1:])


def _openstack(guest: Guest, parts: list[str]) -> Answer:
    if not parts:
        return _text("\n".join([*OPENSTACK_VERSIONS, LATEST]))
    version, *rest = parts
    if version not in (*OPENSTACK_VERSIONS, LATEST):
        return NOT_FOUND
    files = metadata.openstack(guest, version)
    if not rest:
        return _text("\n".join(sorted(files)))
    if len(rest) > 1 or rest[0] not in files:
        return NOT_FOUND
    if rest[0].endswith(".json"):
        return Answer(status=200, content_type="application/json", body=files[rest[0]])
    return Answer(status=200, content_type="application/octet-stream", body=files[rest[0]])


def _walk(tree: Any, parts: list[str]) -> Answer:
    """A leaf's text, or a folder's list, in which folders end with a slash and keys show their name (``0=mykey``)."""
    for part in parts:
        if not isinstance(tree, dict) or part == "" or part not in tree:
            return NOT_FOUND
        tree = tree[part]
    if isinstance(tree, bytes):
        return Answer(status=200, content_type="application/octet-stream", body=tree)
    if not isinstance(tree, dict):
        return _text(str(tree))
    lines = []
    for name, value in sorted(tree.items()):
        if name == "":
            continue
        if isinstance(value, dict):
            lines.append(f"{name}={value['']}" if "" in value else f"{name}/")
        else:
            lines.append(name)
    return _text("\n".join(lines))


def _text(text: str) -> Answer:
    return Answer(status=200, body=text.encode())
