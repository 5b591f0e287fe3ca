"""/traits and the traits of a provider: what providers are like."""

from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.placement.exchange import ANY_TEXT, answer, dates, document, expect_json, location, newest, query
from minicloud.api.placement.shapes import Many, Text, Thing, Whole
from minicloud.api.routes import Delete, Get, Put
from minicloud.base.errors import Invalid, NotFound
from minicloud.core.placement import resource_providers, traits
from minicloud.core.placement.names import CUSTOM_NAME
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.core.placement.traits import Trait
from minicloud.core.policy import ADMIN_OR_SERVICE
from minicloud.core.records import Transaction

POLICY = "placement:traits"
OF_PROVIDER = "placement:resource_providers:traits"
LIST = Thing(fields={"name": ANY_TEXT, "associated": ANY_TEXT})
SET = Thing(
    fields={"traits": Many(of=Text(least=1, most=255)), "resource_provider_generation": Whole()},
    required=("traits", "resource_provider_generation"),
)


async def index(call: Call) -> Any:
    expect_json(call)
    asked = query(call, LIST)
    names, prefix = _name(asked["name"]) if "name" in asked else (None, None)
    associated = None
    if "associated" in asked:
        associated = asked["associated"].lower() == "true"
        if asked["associated"].lower() not in ("true", "false"):
            raise Invalid('The query parameter "associated" only accepts "true" or "false"')
    found = await call.read(lambda tx: traits.listed(tx, names=names, prefix=prefix, associated=associated))
    return _listed(call, found)


async def show(call: Call, name: str) -> Any:
    found = await call.read(lambda tx: traits.get(tx, name))
    return Reply(None, headers=dates(call, found.created_at))


async def ensure(call: Call, name: str) -> Any:
    if not CUSTOM_NAME.match(name) or len(name) > 255:
        raise Invalid(
            "The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix "
            '"CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"'
        )
    found, made = await call.write(lambda tx: traits.ensure(tx, name))
    headers = {"Location": location(call, f"/traits/{name}"), **dates(call, found.created_at)}
    return Reply(None, status=201 if made else 204, headers=headers)


async def delete(call: Call, name: str) -> None:
    await call.write(lambda tx: traits.delete(tx, name))


async def of_provider(call: Call, provider_id: str) -> Any:
    expect_json(call)

    def read(tx: Transaction) -> tuple[ResourceProvider, list[Trait]]:
        try:
            provider = resource_providers.get(tx, provider_id)
        except NotFound as error:
            raise NotFound(f"No resource provider with uuid {provider_id} found: {error.message}") from error
        return provider, traits.of_provider(tx, provider_id)

    provider, found = await call.read(read)
    return _listed(call, found, resource_provider_generation=provider.generation)


async def replace(call: Call, provider_id: str, body: bytes) -> Any:
    data = document(call, body, SET)

    def write(tx: Transaction) -> tuple[ResourceProvider, list[Trait]]:
        generation = data["resource_provider_generation"]
        provider = traits.set_of_provider(tx, provider_id, data["traits"], generation=generation)
        return provider, traits.of_provider(tx, provider_id)

    provider, found = await call.write(write)
    return _listed(call, found, resource_provider_generation=provider.generation)


async def delete_all(call: Call, provider_id: str) -> None:
    await call.write(lambda tx: traits.set_of_provider(tx, provider_id, []))


def _name(text: str) -> tuple[list[str] | None, str | None]:
    """``in:A,B`` or ``startswith:A``; another word before the colon filters nothing, as upstream has it."""
    word, colon, value = text.partition(":")
    if not colon:
        raise Invalid(
            "Badly formatted name parameter. Expected name query string parameter in form: "
            f'?name=[in|startswith]:[name1,name2|prefix]. Got: "{text}"'
        )
    return (value.split(",") if word == "in" else None), (value if word == "startswith" else None)


def _listed(call: Call, found: list[Trait], **more: int) -> Any:
    shown = {"traits": [trait.name for trait in found], **more}
    return answer(call, shown, modified=newest(*(trait.created_at for trait in found)))


ONE, PROVIDERS = "/traits/{name}", "/resource_providers/{provider_id}/traits"
routes = [
    Get("/traits", index, policy=f"{POLICY}:list", allow=ADMIN_OR_SERVICE, since="1.6"),
    Get(ONE, show, policy=f"{POLICY}:show", allow=ADMIN_OR_SERVICE, since="1.6", status=204),
    Put(ONE, ensure, policy=f"{POLICY}:update", allow=ADMIN_OR_SERVICE, since="1.6"),
    Delete(ONE, delete, policy=f"{POLICY}:delete", allow=ADMIN_OR_SERVICE, since="1.6"),
    Get(PROVIDERS, of_provider, policy=f"{OF_PROVIDER}:list", allow=ADMIN_OR_SERVICE, since="1.6"),
    Put(PROVIDERS, replace, policy=f"{OF_PROVIDER}:update", allow=ADMIN_OR_SERVICE, since="1.6"),
    Delete(PROVIDERS, delete_all, policy=f"{OF_PROVIDER}:delete", allow=ADMIN_OR_SERVICE, since="1.6"),
]
