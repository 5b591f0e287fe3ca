"""Flavors of network services and the profiles that they choose among; they are recorded, routers have no flavor here."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.engines.database import Transaction

PROVIDERS = (("L3_ROUTER_NAT", "minicloud", True),)
"""Service type, name and whether it is the default: who provides services here."""


class NetworkFlavor(records.Record, kw_only=True):
    """A flavor of a service."""

    TABLE = "network_flavors"
    MISSING: ClassVar[str] = "Flavor {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "FlavorNotFound"

    id: str
    name: str = ""
    description: str = ""
    service_type: str
    enabled: bool = True


class ServiceProfile(records.Record, kw_only=True):
    """Which driver provides a service, and how."""

    TABLE = "service_profiles"
    MISSING: ClassVar[str] = "Service Profile {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "ServiceProfileNotFound"

    id: str
    description: str = ""
    driver: str = ""
    metainfo: str = ""
    enabled: bool = True


class Flavors:
    """Flavors as a kind of resource."""

    @staticmethod
    def get(tx: Transaction, context: Context, flavor_id: str) -> NetworkFlavor:
        """A flavor. Raises NotFound."""
        return records.get(tx, NetworkFlavor, flavor_id)

    @staticmethod
    def page(tx: Transaction, context: Context, query: records.Query) -> list[NetworkFlavor]:
        """A page of flavors."""
        return records.page(tx, NetworkFlavor, query)

    @staticmethod
    def create(
        tx: Transaction, context: Context, *, project_id: str, service_profiles: Sequence[str] = (), **values: Any
    ) -> NetworkFlavor:
        """A new flavor. Raises NotFound for profiles that are not there."""
        flavor = records.insert(tx, NetworkFlavor(id=tx.ids.uuid(), **values))
        for profile_id in service_profiles:
            bind(tx, flavor.id, profile_id)
        return flavor

    @staticmethod
    def change(
        tx: Transaction,
        context: Context,
        flavor: NetworkFlavor,
        *,
        service_profiles: Sequence[str] | None = None,
        **values: Any,
    ) -> NetworkFlavor:
        """Change a flavor."""
        if service_profiles is not None:
            tx.execute("DELETE FROM network_flavor_profiles WHERE flavor_id = ?", [flavor.id])
            for profile_id in service_profiles:
                bind(tx, flavor.id, profile_id)
        return records.change(tx, flavor, **values) if values else flavor

    @staticmethod
    def delete(tx: Transaction, context: Context, flavor: NetworkFlavor) -> None:
        """Delete a flavor."""
        records.remove(tx, flavor)


class Profiles:
    """Profiles as a kind of resource."""

    @staticmethod
    def get(tx: Transaction, context: Context, profile_id: str) -> ServiceProfile:
        """A profile. Raises NotFound."""
        return records.get(tx, ServiceProfile, profile_id)

    @staticmethod
    def page(tx: Transaction, context: Context, query: records.Query) -> list[ServiceProfile]:
        """A page of profiles."""
        return records.page(tx, ServiceProfile, query)

    @staticmethod
    def create(tx: Transaction, context: Context, *, project_id: str, **values: Any) -> ServiceProfile:
        """A new profile. Raises NotFound for a driver that nobody has, Invalid for one that says nothing."""
        _check_driver(values["driver"])
        if not values["driver"] and not values["metainfo"]:
            raise Invalid("Service Profile needs either a driver or metainfo.", kind="ServiceProfileEmpty")
        return records.insert(tx, ServiceProfile(id=tx.ids.uuid(), **values))

    @staticmethod
    def change(tx: Transaction, context: Context, profile: ServiceProfile, **values: Any) -> ServiceProfile:
        """Change a profile. Raises NotFound for a driver that nobody has, Conflict while flavors use it."""
        _check_driver(values.get("driver", ""))
        if ("driver" in values or "metainfo" in values) and _used(tx, profile.id):
            raise _in_use(profile.id)
        return records.change(tx, profile, **values) if values else profile

    @staticmethod
    def delete(tx: Transaction, context: Context, profile: ServiceProfile) -> None:
        """Delete a profile. Raises Conflict (``ServiceProfileInUse``) while flavors have it."""
        if _used(tx, profile.id):
            raise _in_use(profile.id)
        records.remove(tx, profile)


def bind(tx: Transaction, flavor_id: str, profile_id: str) -> ServiceProfile:
    """Give a flavor a profile. Raises NotFound, Conflict (``FlavorServiceProfileBindingExists``)."""
    records.get(tx, NetworkFlavor, flavor_id)
    profile = records.get(tx, ServiceProfile, profile_id)
    if tx.one("SELECT 1 FROM network_flavor_profiles WHERE flavor_id = ? AND profile_id = ?", [flavor_id, profile_id]):
        raise Conflict(
            f"Service Profile {profile_id} is already associated with flavor {flavor_id}.",
            kind="FlavorServiceProfileBindingExists",
        )
    tx.execute("INSERT INTO network_flavor_profiles (flavor_id, profile_id) VALUES (?, ?)", [flavor_id, profile_id])
    return profile


def unbind(tx: Transaction, flavor_id: str, profile_id: str) -> None:
    """Take a profile from a flavor. Raises NotFound (``FlavorServiceProfileBindingNotFound``)."""
    if not tx.execute(
        "DELETE FROM network_flavor_profiles WHERE flavor_id = ? AND profile_id = ?", [flavor_id, profile_id]
    ):
        raise NotFound(
            f"Service Profile {profile_id} is not associated with flavor {flavor_id}.",
            kind="FlavorServiceProfileBindingNotFound",
        )


def profiles_of(tx: Transaction, flavor_ids: Sequence[str]) -> dict[str, list[str]]:
    """The profiles of flavors, by flavor."""
    rows = tx.all(
        "SELECT flavor_id, profile_id FROM network_flavor_profiles WHERE flavor_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY profile_id",
        [msgspec.json.encode(list(flavor_ids)).decode()],
    )
    found: dict[str, list[str]] = {}
    for flavor_id, profile_id in rows:
        found.setdefault(flavor_id, []).append(profile_id)
    return found


def _check_driver(driver: str) -> None:
    if driver and driver not in {name for _, name, _ in PROVIDERS}:
        raise NotFound(f"Service Profile driver {driver} could not be found.", kind="ServiceProfileDriverNotFound")


def _used(tx: Transaction, profile_id: str) -> bool:
    return tx.one("SELECT 1 FROM network_flavor_profiles WHERE profile_id = ? LIMIT 1", [profile_id]) is not None


def _in_use(profile_id: str) -> Conflict:
    return Conflict(f"Service Profile {profile_id} is used by some service instance.", kind="ServiceProfileInUse")
