"""/flavors, /service_profiles and /service-providers."""

from collections.abc import Sequence
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import OMITTED, OWNED, REQUIRED, Attribute, Resource, parse
from minicloud.api.network.kinds import Kind, five
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import Invalid
from minicloud.core.context import Context
from minicloud.core.network import flavors
from minicloud.core.network.flavors import NetworkFlavor, ServiceProfile
from minicloud.core.records import Transaction

SERVICE_TYPES = (
    *("CONNTRACKHELPER", "CORE", "DUMMY", "FIREWALL", "FIREWALL_V2", "FLAVORS", "FLOATINGIPPOOL", "L3_ROUTER_NAT"),
    *("LOADBALANCERV2", "LOCAL_IP", "LOGGING", "METERING", "NDPPROXY", "NETWORK_SEGMENT_RANGE", "PORTFORWARDING"),
    *("QOS", "VPN", "placement_report"),
)
_ID = [attribute for attribute in OWNED if attribute.name == "id"]
_OWNER = [Attribute(name, values.project, OMITTED, change=False) for name in ("tenant_id", "project_id")]


def _metainfo(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _blank(longest: int) -> values.Reader:
    return lambda value: "" if value is None else values.text(longest)(value)


def _enabled(value: Any) -> bool:
    return True if value is None else values.boolean(value)


FLAVOR = Resource(
    "flavor",
    "flavors",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("description", _blank(1024), "", filter="text", sort=True),
        Attribute("service_type", values.one_of(*SERVICE_TYPES), REQUIRED, change=False, filter="text", sort=True),
        Attribute("service_profiles", values.uuids, []),
        Attribute("enabled", _enabled, True, filter="flag", sort=True),
        *_OWNER,
    ],
    has=_ID,
)
PROFILE = Resource(
    "service_profile",
    "service_profiles",
    [
        Attribute("description", _blank(1024), "", filter="text", sort=True),
        Attribute("driver", values.text(1024), "", filter="text", sort=True),
        Attribute("metainfo", _metainfo, "", sort=True),
        Attribute("enabled", _enabled, True, filter="flag", sort=True),
        *_OWNER,
    ],
    has=_ID,
)


def _flavors(tx: Transaction, context: Context, found: Sequence[NetworkFlavor]) -> list[dict[str, Any]]:
    profiles = flavors.profiles_of(tx, [flavor.id for flavor in found])
    return [
        {
            "id": flavor.id,
            "name": flavor.name,
            "description": flavor.description,
            "service_type": flavor.service_type,
            "enabled": flavor.enabled,
            "service_profiles": profiles.get(flavor.id, []),
        }
        for flavor in found
    ]


def _profiles(tx: Transaction, context: Context, found: Sequence[ServiceProfile]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(profile) for profile in found]


def _target(tx: Transaction, context: Context, record: Any) -> dict[str, Any]:
    return {}


class _Ownerless:
    """A kind of core's whose resources belong to nobody: an owner that is named is let go."""

    def __init__(self, core: Any) -> None:
        self.get, self.page, self.change, self.delete = core.get, core.page, core.change, core.delete
        self._core = core

    def create(self, tx: Transaction, context: Context, **given: Any) -> Any:
        """A new one."""
        given.pop("tenant_id", None)
        return self._core.create(tx, context, **given)


async def add_profile(call: Call, flavor_id: str, body: bytes) -> Any:
    """Give a flavor a profile."""
    guard.permit(call, "create_flavor_service_profile", {})
    inner = parse(body).get("service_profile")
    profile_id = inner.get("id") if isinstance(inner, dict) else None
    try:
        wanted = values.uuid(profile_id)
    except ValueError as error:
        raise Invalid(f"Invalid input for id. Reason: {error}.", kind="HTTPBadRequest") from None
    made = await call.write(lambda tx: flavors.bind(tx, flavor_id, wanted))
    return {"service_profile": msgspec.structs.asdict(made)}


async def remove_profile(call: Call, flavor_id: str, profile_id: str) -> Any:
    """Take a profile from a flavor."""
    guard.permit(call, "delete_flavor_service_profile", {})
    await call.write(lambda tx: flavors.unbind(tx, flavor_id, profile_id))
    return Reply()


async def providers(call: Call) -> Any:
    """Who provides services."""
    found = [{"service_type": kind, "name": name, "default": default} for kind, name, default in flavors.PROVIDERS]
    for name, value in call.parameters:
        if name in ("service_type", "name"):
            found = [one for one in found if one[name] == value]
        elif name == "default":
            found = [one for one in found if one["default"] is values.boolean(value)]
        elif name not in lists.NOT_FILTERS:
            raise Invalid(f"['{name}'] is invalid attribute for filtering", kind="HTTPBadRequest")
    return {"service_providers": [lists.pick(call, one) for one in found]}


_BOUND = "/flavors/{flavor_id}/service_profiles"

routes = [
    *five(
        Kind(
            resource=FLAVOR,
            path="/flavors",
            core=_Ownerless(flavors.Flavors),
            view=_flavors,
            target=_target,
            read="role:reader",
            write=guard.ADMIN,
        )
    ),
    *five(
        Kind(
            resource=PROFILE,
            path="/service_profiles",
            core=_Ownerless(flavors.Profiles),
            view=_profiles,
            target=_target,
            read=guard.ADMIN,
            write=guard.ADMIN,
            listed=True,
        )
    ),
    Post(_BOUND, add_profile, policy="create_flavor_service_profile", allow=guard.ADMIN, late=True, status=201),
    Delete(
        f"{_BOUND}/{{profile_id}}",
        remove_profile,
        policy="delete_flavor_service_profile",
        allow=guard.ADMIN,
        late=True,
    ),
    Get("/service-providers", providers, policy="get_service_provider", allow="role:reader"),
]
