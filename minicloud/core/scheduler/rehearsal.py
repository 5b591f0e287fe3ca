"""A rehearsal: where a server would go, and why, without making it. It reads, and writes nothing."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, NotFound
from minicloud.base.trace import Note, Recording
from minicloud.core import records
from minicloud.core.compute import requests
from minicloud.core.compute.flavors import Flavor
from minicloud.core.compute.servers import Server, ServerFlavor, ServerImage
from minicloud.core.context import administrator
from minicloud.core.identity.projects import Project
from minicloud.core.image.images import Image
from minicloud.core.placement.index import Placement
from minicloud.core.scheduler import asking, select
from minicloud.core.scheduler.hosts import KnownHosts
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.select import HostChoice
from minicloud.engines.database import Transaction


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is only thought of. Flavor, image and project by name or id; ``zone`` may be ``zone:host:node``."""

    flavor: str
    image: str | None = None
    project: str | None = None
    zone: str | None = None
    host: str | None = None
    hints: dict[str, Any] = {}


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts, best first; or ``refused``, the reason for none. ``notes`` tell how it came about."""

    choices: list[HostChoice]
    refused: str | None
    notes: list[Note]


def rehearse(
    tx: Transaction,
    placement: Placement,
    wish: Wish,
    *,
    is_up: Callable[[str], bool],
    options: SchedulerOptions,
    known: KnownHosts | None = None,
) -> Rehearsal:
    """Ask the scheduler as the making of the server would. Raises NotFound, Conflict for names that name none or many."""
    server = _thought_of(tx, wish)
    notes = Recording()
    with trace.recording(notes):
        try:
            request = asking.request_of(tx, server, options, ignored=[])
            chosen = select.select_hosts(tx, placement, request, is_up=is_up, options=options, known=known)
        except CloudError as error:
            return Rehearsal(choices=[], refused=error.message, notes=notes.notes)
    return Rehearsal(choices=chosen, refused=None, notes=notes.notes)


def _thought_of(tx: Transaction, wish: Wish) -> Server:
    """The server as it would be written down."""
    flavor = _one(tx, Flavor, "flavor", wish.flavor, "flavorid")
    image = None if wish.image is None else _one(tx, Image, "image", wish.image, "id")
    project = "" if wish.project is None else _one(tx, Project, "project", wish.project, "id").id
    source = ServerImage() if image is None else requests.image_source(tx, administrator(), image)
    zone, host, node = _place(wish.zone)
    return Server(
        id="00000000-0000-0000-0000-000000000000",
        project_id=project,
        user_id="",
        name="rehearsal",
        hostname="rehearsal",
        image_id=None if image is None else image.id,
        image_properties=source,
        flavor=ServerFlavor(
            id=flavor.flavorid,
            name=flavor.name,
            vcpus=flavor.vcpus,
            memory_mb=flavor.memory_mb,
            disk=flavor.disk,
            ephemeral=flavor.ephemeral,
            swap=flavor.swap,
            extra_specs=flavor.extra_specs,
        ),
        scheduler_hints=wish.hints,
        requested_zone=zone,
        requested_host=wish.host or host,
        requested_node=node,
        forced=host is not None and wish.host is None,
        reservation_id="",
        created_at=tx.now,
        updated_at=tx.now,
    )


def _place(text: str | None) -> tuple[str | None, str | None, str | None]:
    zone, _, rest = (text or "").partition(":")
    host, _, node = rest.partition(":")
    return zone or None, host or None, node or None


def _one(tx: Transaction, kind: type[Any], word: str, text: str, key: str) -> Any:
    """A record by id or by name. Raises NotFound, Conflict."""
    found = records.select_in(tx, kind, key, [text]) or records.select_in(tx, kind, "name", [text])
    living = [one for one in found if not getattr(one, "deleted", False)]
    if not living:
        raise NotFound(f"No {word} has the name or id {text}")
    if len(living) > 1:
        ids = ", ".join(str(getattr(one, key)) for one in living)
        raise Conflict(f"{len(living)} {word}s are named {text}: use an id ({ids})")
    return living[0]


def wish_of(given: Mapping[str, Any]) -> Wish:
    """A wish out of plain values, as the control socket carries them."""
    return msgspec.convert(dict(given), Wish)
