"""Flavors over HTTP: the sizes of servers (``/flavors``)."""

import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body, Name
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.compute.words import LongDescribed
from minicloud.api.listing import Listing, truth
from minicloud.api.microversions import Since, Until
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.compute import flavors
from minicloud.core.compute.flavors import Flavor, Wanted
from minicloud.core.policy import ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-flavor-manage"
SEE_EXTRA_SPECS = "os_compute_api:os-flavor-extra-specs:index"
LARGEST_FACTOR = 3.40282e38
_ID = re.compile(r"(?! )[a-zA-Z0-9. _-]+(?<! )")

FLAVORS = Listing(
    name="flavors",
    links_when_full=True,
    sort=[("flavorid", False)],
    sort_keys={
        "created_at": "created_at",
        "description": "description",
        "disabled": "disabled",
        "ephemeral_gb": "ephemeral",
        "flavorid": "flavorid",
        "id": "id",
        "is_public": "is_public",
        "memory_mb": "memory_mb",
        "name": "name",
        "root_gb": "disk",
        "rxtx_factor": "rxtx_factor",
        "swap": "swap",
        "updated_at": "updated_at",
        "vcpu_weight": "id",
        "vcpus": "vcpus",
    },
)


class FlavorBrief(Body):
    """A flavor in ``GET /flavors``."""

    id: str
    name: str
    links: list[dict[str, str]]
    description: Annotated[str | None, Since("2.55")]


class FlavorView(Body, wrap="flavor"):
    """A flavor with all its attributes. No swap is an empty text before 2.75."""

    id: str
    name: str
    ram: int
    disk: int
    swap: int | str
    vcpus: int
    ephemeral: int = msgspec.field(name="OS-FLV-EXT-DATA:ephemeral")
    disabled: Annotated[bool, Until("2.101")] = msgspec.field(name="OS-FLV-DISABLED:disabled")
    is_public: bool = msgspec.field(name="os-flavor-access:is_public")
    rxtx_factor: Annotated[float, Until("2.101")]
    links: list[dict[str, str]]
    description: Annotated[str | None, Since("2.55")]
    extra_specs: Annotated[dict[str, str] | UnsetType, Since("2.61")] = UNSET


class FlavorCreate(Body, wrap="flavor"):
    """The body of POST /flavors. Memory and swap in MiB, disks in GiB; all numbers may be texts."""

    name: Name
    ram: int
    vcpus: int
    disk: int
    id: str | int | float | None = None
    ephemeral: int = msgspec.field(default=0, name="OS-FLV-EXT-DATA:ephemeral")
    swap: int = 0
    rxtx_factor: Annotated[float, Until("2.101")] = 1.0
    is_public: bool | str = msgspec.field(default=True, name="os-flavor-access:is_public")
    description: Annotated[LongDescribed | None, Since("2.55")] = None


class FlavorUpdate(Body, wrap="flavor"):
    """The body of PUT /flavors/{id}."""

    description: LongDescribed | None


def brief(call: Call, flavor: Flavor) -> FlavorBrief:
    """A flavor as the short listing shows it."""
    return FlavorBrief(id=flavor.flavorid, name=flavor.name, links=_links(call, flavor), description=flavor.description)


def view(call: Call, flavor: Flavor) -> FlavorView:
    """A flavor with all its attributes; extra specs for those who may see them."""
    return FlavorView(
        id=flavor.flavorid,
        name=flavor.name,
        ram=flavor.memory_mb,
        disk=flavor.disk,
        swap=flavor.swap or (0 if call.at_least("2.75") else ""),
        vcpus=flavor.vcpus,
        ephemeral=flavor.ephemeral,
        disabled=flavor.disabled,
        is_public=flavor.is_public,
        rxtx_factor=flavor.rxtx_factor,
        links=_links(call, flavor),
        description=flavor.description,
        extra_specs=flavor.extra_specs if call.allows(SEE_EXTRA_SPECS) else UNSET,
    )


def _links(call: Call, flavor: Flavor) -> list[dict[str, str]]:
    return [
        {"rel": "self", "href": call.url(f"/flavors/{flavor.flavorid}")},
        {"rel": "bookmark", "href": f"{call.base_url}/flavors/{flavor.flavorid}"},
    ]


async def index(call: Call) -> Any:
    """Flavors in brief."""
    found, more = await _list(call)
    last = found[-1].flavorid if found else None
    return call.page.document([brief(call, flavor) for flavor in found], more=more, last_id=last)


async def detail(call: Call) -> Any:
    """Flavors with all their attributes."""
    found, more = await _list(call)
    last = found[-1].flavorid if found else None
    return call.page.document([view(call, flavor) for flavor in found], more=more, last_id=last)


async def _list(call: Call) -> tuple[list[Flavor], bool]:
    names = ["limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir"]
    by_name = call.at_least("2.102")
    queries.only(call, *names, *(["name"] if by_name else []))
    if by_name and call.parameter("sort_key") == "rxtx_factor":
        raise Invalid("Sort key rxtx_factor is not supported", kind="sort_key")
    wanted = Wanted(
        is_public=_is_public(call.parameter("is_public")) if call.context.is_admin else True,
        disabled=None if call.context.is_admin else False,
        min_ram=_least(call, "minRam"),
        min_disk=_least(call, "minDisk"),
        name=call.parameter("name") if by_name else None,
    )
    page = call.page
    return page.cut(await call.read(lambda tx: flavors.page(tx, call.context, page.query, wanted)))


def _is_public(text: str | None) -> bool | None:
    if text is None:
        return True
    if text.lower() == "none":
        return None
    try:
        return truth(text)
    except Invalid as error:
        raise Invalid(f"Invalid is_public filter [{text}]", kind="filter") from error


def _least(call: Call, name: str) -> int | None:
    text = call.parameter(name)
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?\d{1,18}", text.strip()):
        raise Invalid(f"Invalid {name} filter [{text}]", kind="filter")
    return int(text)


async def show(call: Call, flavor_id: str) -> Any:
    """One flavor."""
    queries.only(call, since="2.102")
    return view(call, await call.read(lambda tx: flavors.get(tx, call.context, flavor_id)))


async def create(call: Call, body: FlavorCreate) -> Any:
    """A new flavor."""
    flavor_id = None if body.id is None or body.id == "" else str(body.id)
    if flavor_id is not None and (not _ID.fullmatch(flavor_id) or len(flavor_id) > 255):
        raise Invalid(f"Invalid input for field/attribute id. Value: {flavor_id}.", field="id")
    if body.id == "":
        raise Invalid("Invalid input for field/attribute id. Value: . '' is too short", field="id")
    if not 0 < body.rxtx_factor <= LARGEST_FACTOR:
        raise Invalid(f"Invalid input for field/attribute rxtx_factor. Value: {body.rxtx_factor}.", field="rxtx_factor")
    name = queries.check_name("name", body.name)
    memory_mb = queries.integer("ram", body.ram, 1)
    vcpus = queries.integer("vcpus", body.vcpus, 1)
    disk = queries.integer("disk", body.disk, 0)
    ephemeral = queries.integer("OS-FLV-EXT-DATA:ephemeral", body.ephemeral, 0)
    swap = queries.integer("swap", body.swap, 0)
    is_public = truth(str(body.is_public))

    def work(tx: Transaction) -> Flavor:
        return flavors.create(
            tx,
            name=name,
            flavorid=flavor_id,
            memory_mb=memory_mb,
            vcpus=vcpus,
            disk=disk,
            ephemeral=ephemeral,
            swap=swap,
            rxtx_factor=body.rxtx_factor,
            is_public=is_public,
            description=body.description,
        )

    return view(call, await call.write(work))


async def update(call: Call, flavor_id: str, body: FlavorUpdate) -> Any:
    """Another description."""

    def work(tx: Transaction) -> Flavor:
        return flavors.describe(tx, flavors.get(tx, call.context, flavor_id), body.description)

    return view(call, await call.write(work))


async def delete(call: Call, flavor_id: str) -> None:
    """No new servers of this size."""
    await call.write(lambda tx: flavors.delete(tx, flavors.get(tx, call.context, flavor_id)))


_EXTRA = [(SEE_EXTRA_SPECS, PROJECT_READER_OR_ADMIN)]

routes = [
    Get("/flavors", index, policy=None, listing=FLAVORS),
    Get("/flavors/detail", detail, policy=None, listing=FLAVORS, extra=_EXTRA),
    Get("/flavors/{flavor_id}", show, policy=None, extra=_EXTRA),
    Post("/flavors", create, policy=f"{POLICY}:create", allow=ADMIN, extra=_EXTRA),
    Put("/flavors/{flavor_id}", update, policy=f"{POLICY}:update", allow=ADMIN, since="2.55", extra=_EXTRA),
    Delete("/flavors/{flavor_id}", delete, policy=f"{POLICY}:delete", allow=ADMIN, status=202),
]
