"""Whether the cloud answers: one open path, never faulted, that needs nothing but the process."""

from starlette.responses import PlainTextResponse

from minicloud.api.call import Call
from minicloud.api.routes import Get
from minicloud.api.service import Service


async def show(call: Call) -> PlainTextResponse:
    """``OK``."""
    return PlainTextResponse("OK")


def service() -> Service:
    """The health check, beside all services."""
    routes = [Get("/", show, policy=None, open=True, root=True)]
    return Service(name="health", dialect="plain", mounts=("/healthcheck",), prefix="/none", routes=routes)
