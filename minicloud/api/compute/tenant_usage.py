"""How much projects used in a stretch of time (``/os-simple-tenant-usage``)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.listing import Listing
from minicloud.api.routes import Get
from minicloud.base.clock import stamp
from minicloud.base.errors import Invalid
from minicloud.core.compute import usage
from minicloud.core.compute.servers import Server
from minicloud.core.compute.usage import ProjectUsage
from minicloud.core.policy import ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-simple-tenant-usage"
USAGES = Listing(name="tenant_usages", links_when_full=True)
USAGE = Listing(name="tenant_usage", links_when_full=True)
FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f")


class _Told(msgspec.Struct, frozen=True):
    usages: list[ProjectUsage]
    servers: list[Server]
    more: bool
    begin: datetime
    end: datetime


async def index(call: Call) -> Any:
    """All projects' usage; server by server with ``detailed=1``; in pages of servers since 2.40."""
    queries.only(call, "start", "end", "detailed", "limit", "marker")
    told = await _tell(call, None)
    detailed = call.parameter("detailed") == "1"
    return _paged(call, told, [_view(one, told, detailed) for one in told.usages])


async def show(call: Call, project_id: str) -> Any:
    """One project's usage, server by server; nothing where it had none."""
    queries.only(call, "start", "end", "limit", "marker")
    call.judge({"project_id": project_id})
    told = await _tell(call, project_id)
    return _paged(call, told, _view(told.usages[0], told, detailed=True) if told.usages else {})


def _paged(call: Call, told: _Told, found: Any) -> dict[str, Any]:
    name = call.page.listing.name
    document = {name: found}
    if told.more and told.servers and call.at_least("2.40"):
        document[f"{name}_links"] = [{"rel": "next", "href": call.page.next_url(told.servers[-1].id)}]
    return document


async def _tell(call: Call, project_id: str | None) -> _Told:
    def work(tx: Transaction) -> _Told:
        now = datetime.fromisoformat(tx.now).astimezone(UTC)
        # Without an end it is a moment after: Nova looks at the clock twice, and so takes a question without a start too.
        begin = _moment(call.parameter("start"), now)
        end = _moment(call.parameter("end"), now + timedelta(microseconds=1))
        if not begin < end:
            raise Invalid("Invalid start time. The start time cannot occur after the end time.")
        end = min(end, now)
        page = call.page
        paged = call.at_least("2.40")
        found = usage.active(
            tx,
            stamp(begin),
            stamp(end),
            project_id=project_id,
            limit=page.query.limit if paged else None,
            marker=page.query.marker if paged else None,
        )
        servers, more = page.cut(found) if paged else (found, False)
        return _Told(usage.by_project(servers, begin, end, now), servers, more, begin, end)

    return await call.read(work)


def _moment(text: str | None, now: datetime) -> datetime:
    if not text:
        return now
    for format_ in FORMATS:
        try:
            return datetime.strptime(text, format_).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise Invalid("Invalid datetime string: Datetime is in invalid format")


def _view(one: ProjectUsage, told: _Told, detailed: bool) -> dict[str, Any]:
    document = msgspec.structs.asdict(one)
    if not detailed:
        del document["server_usages"]
    for name, at in (("start", told.begin), ("stop", told.end)):
        document[name] = at.replace(tzinfo=None).isoformat(timespec="microseconds")
    return document


routes = [
    Get("/os-simple-tenant-usage", index, policy=f"{POLICY}:list", allow=ADMIN, listing=USAGES),
    Get("/os-simple-tenant-usage/{project_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, late=True, listing=USAGE),
]  # fmt: skip
