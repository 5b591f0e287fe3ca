"""/reshaper: inventories and allocations moved between providers at once."""

from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.placement import allocations, inventories
from minicloud.api.placement.exchange import document
from minicloud.api.placement.shapes import Thing
from minicloud.api.routes import Post
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core.placement import reshaper
from minicloud.core.placement.inventories import IN_USE
from minicloud.core.placement.reshaper import Reshaped
from minicloud.core.records import Transaction


async def reshape(call: Call, body: bytes) -> Any:
    data = document(call, body, _shape(call))
    wanted = {
        provider_id: Reshaped(
            generation=one["resource_provider_generation"],
            stocked={name: inventories.stocked_of(said) for name, said in one["inventories"].items()},
        )
        for provider_id, one in data["inventories"].items()
    }
    wishes = [allocations.wish_of(call, consumer_id, one) for consumer_id, one in data["allocations"].items()]

    def write(tx: Transaction) -> None:
        try:
            reshaper.reshape(tx, wanted, wishes)
        except NotFound as error:
            raise Invalid(f"malformed reshaper data: {error.message}") from error
        except Conflict as error:
            raise error if error.kind == IN_USE else allocations.refused(error) from error

    await call.write(write)
    return Reply(None, status=204)


def _shape(call: Call) -> Thing:
    return Thing(
        fields={
            "inventories": Thing(keys=allocations.ID, values=inventories.ALL, least=1),
            "allocations": allocations.shape_of_several(call, least=0),
        },
        required=("inventories", "allocations"),
    )


routes = [
    Post(
        "/reshaper",
        reshape,
        policy="placement:reshaper:reshape",
        allow="role:service",
        since="1.30",
        status=204,
    )
]
