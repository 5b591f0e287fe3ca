"""Limits over HTTP: how much the project may have, and has (``/limits``)."""

from typing import Annotated, Any

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.microversions import Until
from minicloud.api.routes import Get
from minicloud.core import quota
from minicloud.core.compute import quotas
from minicloud.core.policy import ADMIN, ANYONE
from minicloud.core.records import Transaction

POLICY = "os_compute_api:limits"
OTHER_PROJECT = f"{POLICY}:other_project"


class Absolute(Body):
    """The limits that hold always. What has moved to the network service has none here."""

    maxTotalInstances: int
    maxTotalCores: int
    maxTotalRAMSize: int
    maxTotalKeypairs: int
    maxServerMeta: int
    maxServerGroups: int
    maxServerGroupMembers: int
    totalInstancesUsed: int
    totalCoresUsed: int
    totalRAMUsed: int
    totalServerGroupsUsed: int
    maxImageMeta: Annotated[int, Until("2.38")]
    maxPersonality: Annotated[int, Until("2.56")]
    maxPersonalitySize: Annotated[int, Until("2.56")]
    maxSecurityGroups: Annotated[int, Until("2.35")] = -1
    maxSecurityGroupRules: Annotated[int, Until("2.35")] = -1
    maxTotalFloatingIps: Annotated[int, Until("2.35")] = -1
    totalSecurityGroupsUsed: Annotated[int, Until("2.35")] = 0
    totalFloatingIpsUsed: Annotated[int, Until("2.35")] = 0


async def index(call: Call) -> Any:
    """The limits of the project in scope, or of another one for administrators."""
    queries.only(call, "tenant_id")
    asked = call.parameter("tenant_id")
    if asked is not None:
        call.enforce(OTHER_PROJECT)
    project_id = asked or call.context.project_id or ""

    def work(tx: Transaction) -> tuple[dict[str, int], dict[str, int]]:
        return quota.limits(tx, quotas.SERVICE, project_id), quotas.in_use(tx, project_id)

    most, used = await call.read(work)
    absolute = Absolute(
        maxTotalInstances=most["instances"],
        maxTotalCores=most["cores"],
        maxTotalRAMSize=most["ram"],
        maxTotalKeypairs=most["key_pairs"],
        maxServerMeta=most["metadata_items"],
        maxServerGroups=most["server_groups"],
        maxServerGroupMembers=most["server_group_members"],
        totalInstancesUsed=used["instances"],
        totalCoresUsed=used["cores"],
        totalRAMUsed=used["ram"],
        totalServerGroupsUsed=used["server_groups"],
        maxImageMeta=most["metadata_items"],
        maxPersonality=most["injected_files"],
        maxPersonalitySize=most["injected_file_content_bytes"],
    )
    return {"limits": {"rate": [], "absolute": absolute}}


routes = [Get("/limits", index, policy=POLICY, allow=ANYONE, extra=[(OTHER_PROJECT, ADMIN)])]
