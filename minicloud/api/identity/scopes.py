"""What the bearer of a token may ask for itself: the projects, domains and the system it could be scoped to, its catalog."""

from minicloud.api.call import Call
from minicloud.api.identity import views
from minicloud.api.identity.views import View
from minicloud.api.routes import Get, scoped
from minicloud.base.errors import Forbidden
from minicloud.core.identity import assignments, catalog
from minicloud.core.identity.assignments import SYSTEM
from minicloud.core.policy import ANY_SCOPE, ANYONE


async def projects(call: Call) -> View:
    """``GET /v3/auth/projects``"""
    found = await call.read(lambda tx: assignments.projects_of(tx, call.context.user_id))
    return views.collection(call, "projects", (views.project(call, project) for project in found))


async def domains(call: Call) -> View:
    """``GET /v3/auth/domains``"""
    found = await call.read(lambda tx: assignments.domains_of(tx, call.context.user_id))
    return views.collection(call, "domains", (views.domain(call, domain) for domain in found))


async def system(call: Call) -> View:
    """``GET /v3/auth/system``"""
    held = await call.read(lambda tx: assignments.effective_roles(tx, call.context.user_id, SYSTEM))
    return {"system": [{"all": True}] if held else [], "links": views.links(call, "/auth/system")}


async def show_catalog(call: Call) -> View:
    """``GET /v3/auth/catalog``"""
    who = call.context
    if who.project_id is None:
        raise Forbidden("You are not authorized to perform the requested action.")
    found = await call.read(
        lambda tx: catalog.render(tx, public_url=call.public_url, project_id=who.project_id, user_id=who.user_id)
    )
    return {"catalog": found, "links": views.links(call, "/auth/catalog")}


routes = scoped(
    ANY_SCOPE,
    [
        Get("/auth/projects", projects, policy="identity:get_auth_projects", allow=ANYONE),
        Get("/auth/domains", domains, policy="identity:get_auth_domains", allow=ANYONE),
        Get("/auth/system", system, policy="identity:get_auth_system", allow=ANYONE),
        Get("/auth/catalog", show_catalog, policy="identity:get_auth_catalog", allow=ANYONE),
    ],
)
