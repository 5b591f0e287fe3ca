"""Requests that nobody in their right mind would send, made of what routes say of themselves: half sensible, so that they get far.

A body is made from the struct that the route takes (its fields, their types, their versions), a path from ids of things that are
there, a query string from the route's listing. ``python -m tests.support.odd_requests compute 50000 [seed]`` sends so many to a
service of a whole cloud; the tests send a sample.
"""

import json
import random
import sys
import types
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import httpx
import msgspec
import trio

from minicloud.api.bodies import Body
from minicloud.api.microversions import Version, exists, marks_of
from minicloud.api.routes import Route
from minicloud.api.service import Service
from tests.support import odd_image
from tests.support.clouds import TestedCloud, a_cloud

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**70, 1.5, "", " ", "x", "a" * 300, "\x00", "ü/\u2028", "true", "[]", "1"),
    *([], {}, [[]], {"id": 1}, {"name": "x"}, ["x", None], [{}], "2030-01-01T00:00:00Z", "%", "*", "a:b", "-1", "0"),
)
"""Values that stand where they do not belong."""

WORDS = ("one", "two", "nova", "default", "auto", "none", "host-1", "disabled", "10.0.0.9", "aGVsbG8=", "trusted")
PATTERNED = ("a1", "00000000-0000-4000-8000-000000000000", "key", "10.0.0.0/24")
QUERY = (
    "limit",
    "marker",
    "sort_key",
    "sort_dir",
    "all_tenants",
    "changes-since",
    "status",
    "name",
    "detailed",
    "odd",
    "offset",
)
QUERY_VALUES = ("", "x", "-1", "0", "1", "9" * 20, "%00", "true", "2020-01-01T00:00:00Z", "active", "[", "é")


class Odd:
    """Makes requests out of one dice. ``ids`` are things that are there, ``oddness`` how often a value is out of place."""

    def __init__(self, dice: random.Random, kinds: dict[str, list[str]], oddness: float = 0.12) -> None:
        self._dice = dice
        self._kinds = kinds
        self._ids = [one for ids in kinds.values() for one in ids] or ["none"]
        self._oddness = oddness

    def _named(self, name: str) -> str | None:
        """An id that belongs under this name; None where it says nothing, and sometimes."""
        fitting = [one for kind, ids in self._kinds.items() if kind in name.lower() for one in ids]
        return self._dice.choice(fitting) if fitting and self._dice.random() < 0.85 else None

    def path(self, service: Service, route: Route) -> str:
        """An address of the route, mostly of things that are there."""
        dice = self._dice
        parts = [
            self._named(part) or dice.choice((*self._ids, "none", "%00", "ü", "a b", "1", "9" * 30))
            if part.startswith("{")
            else part
            for part in route.path.split("/")
        ]
        names = [*QUERY, *(route.listing.filters if route.listing else ())]
        pairs = [f"{dice.choice(names)}={self._word()}" for _ in range(dice.choice((0, 0, 1, 2)))]
        return f"{service.mounts[0]}{service.prefix}{'/'.join(parts)}{'?' + '&'.join(pairs) if pairs else ''}"

    def _word(self) -> str:
        return str(self._dice.choice((*QUERY_VALUES, *self._ids)))

    def document(self, route: Route, version: Version | None) -> Any:
        """A document for the route, mostly of the right form."""
        if self._dice.random() < 0.04:
            return self._dice.choice(ODD)
        kind = route.body
        body: Any = {}
        if isinstance(kind, type) and issubclass(kind, Body):
            body = self._struct(kind, version)
            wrap = None if route.action else kind.WRAP
            body = body if wrap is None else {wrap: body}
        return {route.action: body} if route.action else body

    def _struct(self, kind: type[msgspec.Struct], version: Version | None) -> dict[str, Any]:
        made: dict[str, Any] = {}
        hints = get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            plain, marks = marks_of(hints[field.name])
            there = exists(marks, version) or self._dice.random() < 0.05
            if there and (field.required or self._dice.random() < 0.4):
                made[field.encode_name] = self._named(field.encode_name) or self._value(plain, version)
        if self._dice.random() < 0.03:
            made["surprise"] = self._dice.choice(ODD)
        return made

    def _value(self, kind: Any, version: Version | None) -> Any:
        dice = self._dice
        if dice.random() < self._oddness:
            return dice.choice(ODD)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Annotated:
            plain, *metas = arguments
            return self._bounded(plain, [meta for meta in metas if isinstance(meta, msgspec.Meta)], version)
        if origin in (Union, types.UnionType):
            return self._value(dice.choice([a for a in arguments if a is not msgspec.UnsetType]), version)
        if origin is Literal:
            return dice.choice(arguments)
        if origin is list:
            return [self._value(arguments[0], version) for _ in range(dice.choice((0, 1, 1, 2)))]
        if origin is dict:
            return {
                str(self._value(str, version)): self._value(arguments[1], version)
                for _ in range(dice.choice((0, 1, 2)))
            }
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self._struct(kind, version)
        simple = {bool: (True, False), int: (0, 1, 2, 10, -1), float: (0.0, 1.5), type(None): (None,)}
        return dice.choice(simple.get(kind, (*WORDS, *self._ids)))

    def _bounded(self, kind: Any, metas: list[msgspec.Meta], version: Version | None) -> Any:
        if any(meta.pattern for meta in metas):
            return self._dice.choice((*PATTERNED, *self._ids))
        least = next((int(meta.ge) for meta in metas if meta.ge is not None), None)
        return (
            self._value(kind, version)
            if least is None
            else self._dice.choice((least, least + 1, least - 1, least * 1000))
        )


async def _ids(client: httpx.AsyncClient, collections: dict[str, str]) -> dict[str, list[str]]:
    """Names of things that are there: some of each collection."""
    found: dict[str, list[str]] = {}
    for kind, path in collections.items():
        answer = await client.get(path)
        if answer.status_code == 200:
            lists = [items for items in answer.json().values() if isinstance(items, list)]
            every = [item.get("id", item.get("namespace")) for items in lists for item in items[:4]]
            found[kind] = [str(one) for one in every if one is not None]
    return found


COLLECTIONS = {
    "compute": {
        "server": "/compute/v2.1/servers?all_tenants=1",
        "flavor": "/compute/v2.1/flavors",
        "image": "/image/v2/images",
        "aggregate": "/compute/v2.1/os-aggregates",
        "hypervisor": "/compute/v2.1/os-hypervisors",
        "service": "/compute/v2.1/os-services",
        "group": "/compute/v2.1/os-server-groups",
        "port": "/network/v2.0/ports",
        "uuid": "/network/v2.0/networks",
        "project": "/identity/v3/projects",
        "volume": "/volume/v3/volumes",
    },
    "volume": {
        "volume": "/volume/v3/volumes?all_tenants=1",
        "volid": "/volume/v3/volumes?all_tenants=1",
        "snapshot": "/volume/v3/snapshots?all_tenants=1",
        "backup": "/volume/v3/backups?all_tenants=1",
        "group_snapshot": "/volume/v3/group_snapshots?all_tenants=1",
        "group_type": "/volume/v3/group_types",
        "group": "/volume/v3/groups?all_tenants=1",
        "type": "/volume/v3/types",
        "spec": "/volume/v3/qos-specs",
        "attachment": "/volume/v3/attachments?all_tenants=1",
        "transfer": "/volume/v3/volume-transfers?all_tenants=1",
        "message": "/volume/v3/messages",
        "uuid": "/compute/v2.1/servers?all_tenants=1",
        "image": "/image/v2/images",
        "project": "/identity/v3/projects",
    },
    "image": {
        "image": "/image/v2/images",
        "member": "/identity/v3/projects",
        "owner": "/identity/v3/projects",
        "task": "/image/v2/tasks",
        "name": "/image/v2/metadefs/namespaces",
    },
}
"""Where the ids come from that stand in paths and bodies, by a part of the name that they stand under."""


async def send(name: str, seed: int, requests: int, *, per_cloud: int = 1000, loud: bool = False) -> Counter[int]:
    """Send so many requests, and count the answers by status; ``loud`` prints those for which somebody was too busy.

    Raises AssertionError for the first that is a defect.
    """
    dice, statuses = random.Random(seed), Counter[int]()
    for begin in range(0, requests, per_cloud):
        # A new cloud now and then: one that is full of oddities, or without hosts, ends the game.
        async with AsyncExitStack() as stack:
            cloud = await a_cloud(stack, hosts=2, reconcile_interval=1e6)
            service = next(one for one in cloud.cloud.api.services if one.name == name)
            for number in range(begin, min(begin + per_cloud, requests)):
                if number % 100 == 0:
                    await SOME_THINGS[name](cloud)
                    odd = Odd(dice, await _ids(cloud.admin, COLLECTIONS[name]))
                status, told = await _one(cloud, service, odd, dice)
                statuses[status] += 1
                if status == 503 and loud:
                    print(f"seed {seed}, request {number}: {told}", flush=True)
                assert status < 500 or status in (501, 503), f"seed {seed}, request {number}: {told}"
            await cloud.settled()
            assert not cloud.notes.facts("defect")
    return statuses


async def _some_servers(cloud: TestedCloud) -> None:
    for client in (cloud.demo, cloud.admin):
        await cloud.ask_server(client, name="odd")
        await client.post("/compute/v2.1/os-server-groups", json={"server_group": {"name": "g", "policy": "affinity"}})
    await cloud.admin.post("/compute/v2.1/os-aggregates", json={"aggregate": {"name": "a"}})
    await cloud.settled()


async def _some_volumes(cloud: TestedCloud) -> None:
    newest = {"OpenStack-API-Version": "volume latest"}
    for path, body in (
        ("types", {"volume_type": {"name": "shared", "extra_specs": {"multiattach": "<is> True"}}}),
        ("qos-specs", {"qos_specs": {"name": "slow", "total_iops_sec": "10"}}),
        ("group_types", {"group_type": {"name": "pack"}}),
    ):
        await cloud.admin.post(f"/volume/v3/{path}", json=body, headers=newest)
    for client in (cloud.demo, cloud.admin):
        server = await cloud.ask_server(client, name="odd")
        for kind in ("__DEFAULT__", "shared"):
            asked = await client.post("/volume/v3/volumes", json={"volume": {"size": 1, "volume_type": kind}})
        group = {"name": "g", "group_type": "pack", "volume_types": ["__DEFAULT__"]}
        await client.post("/volume/v3/groups", json={"group": group}, headers=newest)
        await cloud.settled()
        if asked.status_code != 202:
            continue
        volume_id = asked.json()["volume"]["id"]
        for path, body in (
            ("snapshots", {"snapshot": {"volume_id": volume_id}}),
            ("backups", {"backup": {"volume_id": volume_id, "container": "odd"}}),
            ("attachments", {"attachment": {"volume_uuid": volume_id, "instance_uuid": server.json()["server"]["id"]}}),
            ("volume-transfers", {"transfer": {"volume_id": volume_id}}),
        ):
            await client.post(f"/volume/v3/{path}", json=body, headers=newest)
            await cloud.settled()


async def _some_images(cloud: TestedCloud) -> None:
    for client in (cloud.demo, cloud.admin):
        image = {"name": "odd", "disk_format": "raw", "container_format": "bare"}
        made = (await client.post("/image/v2/images", json=image)).json()
        content = {"Content-Type": "application/octet-stream"}
        await client.put(f"/image/v2/images/{made.get('id')}/file", content=b"x" * 512, headers=content)
        await client.post("/image/v2/images", json={"name": "empty"})
    await cloud.admin.post("/image/v2/metadefs/namespaces", json={"namespace": "Odd", "visibility": "public"})
    await cloud.settled()


SOME_THINGS = {"compute": _some_servers, "volume": _some_volumes, "image": _some_images}
"""What is made now and then, so that requests find something."""


async def _one(cloud: TestedCloud, service: Service, odd: Odd, dice: random.Random) -> tuple[int, str]:
    route = dice.choice(service.routes)
    while route.root or route.policy is None or (route.method == "DELETE" and dice.random() < 0.9):
        route = dice.choice(service.routes)
    version = None
    headers: dict[str, str] = {}
    if service.negotiation is not None:
        lowest, newest = service.negotiation.lowest, service.negotiation.newest
        minor = dice.randint((route.since or lowest).minor, (route.until or newest).minor)
        version = Version(newest.major, minor)
        headers["OpenStack-API-Version"] = f"{service.negotiation.word} {version}"
    client = cloud.admin if dice.random() < 0.8 else cloud.demo
    path, document = odd.path(service, route), odd.document(route, version)
    if service.name == "image":
        document, headers["Content-Type"] = odd_image.content(route, dice)
    sent = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers.setdefault("Content-Type", "application/json")
    answer = await client.request(route.method, path, content=b"" if route.method == "GET" else sent, headers=headers)
    if dice.random() < 0.3:
        await cloud.settled()
    return answer.status_code, f"{route.method} {path} {headers} {document}: {answer.status_code} {answer.text[:500]}"


if __name__ == "__main__":
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    counted = trio.run(partial(send, sys.argv[1], first, wanted, loud=True))
    print(f"{wanted} requests, none answered with 500: {dict(sorted(counted.items()))}")
