"""Quota classes over HTTP: the class ``default`` has the defaults of all projects (``/os-quota-class-sets``)."""

from typing import Annotated, Any

from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.compute.quota_views import Limits, Number, given
from minicloud.api.microversions import Since, Until
from minicloud.api.routes import Get, Put
from minicloud.base.errors import Invalid
from minicloud.core import quota
from minicloud.core.compute import quotas
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-quota-class-sets"


class QuotaClass(Body, wrap="quota_class_set"):
    """The limits of a class."""

    instances: int
    cores: int
    ram: int
    metadata_items: int
    key_pairs: int
    server_groups: Annotated[int, Since("2.50")]
    server_group_members: Annotated[int, Since("2.50")]
    injected_files: Annotated[int, Until("2.56")]
    injected_file_content_bytes: Annotated[int, Until("2.56")]
    injected_file_path_bytes: Annotated[int, Until("2.56")]
    fixed_ips: Annotated[int, Until("2.49")] = quota.UNLIMITED
    floating_ips: Annotated[int, Until("2.49")] = quota.UNLIMITED
    security_groups: Annotated[int, Until("2.49")] = quota.UNLIMITED
    security_group_rules: Annotated[int, Until("2.49")] = quota.UNLIMITED
    id: str | UnsetType = UNSET


class ClassUpdate(Limits, wrap="quota_class_set"):
    """The body of PUT. Limits of what the network service counts are accepted while the API had them, and bind nothing."""

    fixed_ips: Annotated[Number, Until("2.49")] = UNSET
    floating_ips: Annotated[Number, Until("2.49")] = UNSET
    security_groups: Annotated[Number, Until("2.49")] = UNSET
    security_group_rules: Annotated[Number, Until("2.49")] = UNSET


async def show(call: Call, name: str) -> Any:
    """The limits of a class."""
    queries.only(call, since="2.102")
    return QuotaClass(**await call.read(lambda tx: quota.class_limits(tx, quotas.SERVICE, name)), id=name)


async def update(call: Call, name: str, body: ClassUpdate) -> Any:
    """Other limits for a class."""
    if not 1 <= len(name) <= 255:
        raise Invalid("quota_class_name has more than 255 characters.")
    values = given(body)

    def work(tx: Transaction) -> dict[str, int]:
        quota.set_class_limits(tx, quotas.SERVICE, name, values)
        return quota.class_limits(tx, quotas.SERVICE, name)

    return QuotaClass(**await call.write(work), id=UNSET)


routes = [
    Get("/os-quota-class-sets/{name}", show, policy=f"{POLICY}:show", allow=ADMIN),
    Put("/os-quota-class-sets/{name}", update, policy=f"{POLICY}:update", allow=ADMIN),
]
