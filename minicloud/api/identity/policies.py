"""Policy documents, and the endpoints and services that they are for (OS-ENDPOINT-POLICY)."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER
from minicloud.api.identity.views import View
from minicloud.api.routes import Delete, Get, Patch, Post, Put, Route
from minicloud.core import records
from minicloud.core.identity import policies
from minicloud.core.identity.policies import Meant, Policy

POLICIES = lists.listing("policies", lists.text_filter("type"), sort="id")


class PolicyDocument(Body, open=True):
    """A document with a policy."""

    policy: dict[str, Any]


class PolicyFields(msgspec.Struct):
    """What a policy has by the API's definition; anything else is kept as it comes."""

    blob: str | UnsetType = UNSET
    type: Annotated[str, msgspec.Meta(max_length=255)] | UnsetType = UNSET


class NewPolicyFields(PolicyFields, kw_only=True):
    """A new policy has both."""

    blob: str
    type: Annotated[str, msgspec.Meta(max_length=255)]


async def index(call: Call) -> View:
    """``GET /v3/policies``"""
    return await lists.show(call, policies.page, views.policy)


async def create(call: Call, body: PolicyDocument) -> View:
    """``POST /v3/policies``"""
    fields, extra = documents.read(NewPolicyFields, body.policy)
    made = await call.write(lambda tx: records.insert(tx, Policy(id=tx.ids.hex(), extra=extra, **fields)))
    return {"policy": views.policy(call, made)}


async def show(call: Call, policy_id: str) -> View:
    """``GET /v3/policies/{policy_id}``"""
    return {"policy": views.policy(call, await call.read(lambda tx: policies.get(tx, policy_id)))}


async def update(call: Call, policy_id: str, body: PolicyDocument) -> View:
    """``PATCH /v3/policies/{policy_id}``"""
    fields, extra = documents.read(PolicyFields, body.policy)
    documents.require_same_id(body.policy, policy_id)
    made = await call.write(lambda tx: policies.update(tx, policy_id, fields, extra))
    return {"policy": views.policy(call, made)}


async def delete(call: Call, policy_id: str) -> None:
    """``DELETE /v3/policies/{policy_id}``"""
    await call.write(lambda tx: policies.delete(tx, policy_id))


async def list_endpoints(call: Call, policy_id: str) -> View:
    """``GET /v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints``"""
    found = await call.read(lambda tx: policies.endpoints_of(tx, policy_id))
    return views.collection(call, "endpoints", [views.endpoint(call, one) for one in found])


async def show_of_endpoint(call: Call, endpoint_id: str) -> View:
    """``GET /v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy``"""
    return {"policy": views.policy(call, await call.read(lambda tx: policies.of_endpoint(tx, endpoint_id)))}


class _OfEndpoint:
    """Handlers of a policy's tie to an endpoint."""

    async def check(self, call: Call, policy_id: str, endpoint_id: str) -> None:
        await call.read(lambda tx: policies.require(tx, policy_id, Meant(endpoint_id=endpoint_id)))

    async def add(self, call: Call, policy_id: str, endpoint_id: str) -> None:
        await call.write(lambda tx: policies.associate(tx, policy_id, Meant(endpoint_id=endpoint_id)))

    async def remove(self, call: Call, policy_id: str, endpoint_id: str) -> None:
        await call.write(lambda tx: policies.dissociate(tx, policy_id, Meant(endpoint_id=endpoint_id)))


class _OfService:
    """Handlers of a policy's tie to a service."""

    async def check(self, call: Call, policy_id: str, service_id: str) -> None:
        await call.read(lambda tx: policies.require(tx, policy_id, Meant(service_id=service_id)))

    async def add(self, call: Call, policy_id: str, service_id: str) -> None:
        await call.write(lambda tx: policies.associate(tx, policy_id, Meant(service_id=service_id)))

    async def remove(self, call: Call, policy_id: str, service_id: str) -> None:
        await call.write(lambda tx: policies.dissociate(tx, policy_id, Meant(service_id=service_id)))


class _OfServiceInRegion:
    """Handlers of a policy's tie to a service in a region."""

    async def check(self, call: Call, policy_id: str, service_id: str, region_id: str) -> None:
        meant = Meant(service_id=service_id, region_id=region_id)
        await call.read(lambda tx: policies.require(tx, policy_id, meant))

    async def add(self, call: Call, policy_id: str, service_id: str, region_id: str) -> None:
        meant = Meant(service_id=service_id, region_id=region_id)
        await call.write(lambda tx: policies.associate(tx, policy_id, meant))

    async def remove(self, call: Call, policy_id: str, service_id: str, region_id: str) -> None:
        meant = Meant(service_id=service_id, region_id=region_id)
        await call.write(lambda tx: policies.dissociate(tx, policy_id, meant))


def _ties(path: str, of: str, made: _OfEndpoint | _OfService | _OfServiceInRegion) -> list[Route]:
    rule = f"policy_association_for_{of}"
    return [
        Get(path, made.check, policy=f"identity:check_{rule}", allow=ADMIN_OR_SYSTEM_READER, status=204),
        Put(path, made.add, policy=f"identity:create_{rule}", allow=ADMIN, status=204),
        Delete(path, made.remove, policy=f"identity:delete_{rule}", allow=ADMIN),
    ]


_ONE = "/policies/{policy_id}"
_TIE = f"{_ONE}/OS-ENDPOINT-POLICY"

routes = [
    Get("/policies", index, policy="identity:list_policies", allow=ADMIN_OR_SYSTEM_READER, listing=POLICIES),
    Post("/policies", create, policy="identity:create_policy", allow=ADMIN, status=201),
    Get(_ONE, show, policy="identity:get_policy", allow=ADMIN_OR_SYSTEM_READER),
    Patch(_ONE, update, policy="identity:update_policy", allow=ADMIN),
    Delete(_ONE, delete, policy="identity:delete_policy", allow=ADMIN),
    Get(
        f"{_TIE}/endpoints",
        list_endpoints,
        policy="identity:list_endpoints_for_policy",
        allow=ADMIN_OR_SYSTEM_READER,
    ),
    *_ties(f"{_TIE}/endpoints/{{endpoint_id}}", "endpoint", _OfEndpoint()),
    *_ties(f"{_TIE}/services/{{service_id}}", "service", _OfService()),
    *_ties(f"{_TIE}/services/{{service_id}}/regions/{{region_id}}", "region_and_service", _OfServiceInRegion()),
    Get(
        "/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy",
        show_of_endpoint,
        policy="identity:get_policy_for_endpoint",
        allow=ADMIN_OR_SYSTEM_READER,
    ),
]
