"""What a service is to the door: its dialect, its versions, where it is mounted, how it reads bodies, and its route lines."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from minicloud.api.bodies import Reading
from minicloud.api.faults import Dialect
from minicloud.api.microversions import Negotiation
from minicloud.api.routes import Route
from minicloud.core.policy import ANY_SCOPE, Scopes


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service of the cloud.

    ``mounts`` are the paths it answers under (``/compute``); ``prefix`` the versioned root below (``/v2.1``), under which all
    but ``root`` routes stand. ``project_in_path`` accepts a project id as first segment, as older catalogs have it.
    ``older_prefixes`` are roots that answer like the versioned one at its lowest version, whatever a request asks for.
    ``json_types`` are the content types of its documents. ``other_versions_method`` says how a method is answered that a path
    has at another microversion only: 404, 405, or 405 for methods that it has at none, looked at before the version.
    ``unknown_method`` says how one is answered that a path has at none: 405, or 404 where the real service's routes know pairs
    of path and method only.
    ``scopes`` are those of the tokens that its policies are for, but where a route line says otherwise.
    ``slash_at_end`` says whether a path with one more slash at its end leads where it does without.
    """

    name: str
    dialect: Dialect
    mounts: tuple[str, ...]
    prefix: str
    routes: Sequence[Route]
    older_prefixes: tuple[str, ...] = ()
    negotiation: Negotiation | None = None
    reading: Reading = Reading()
    scopes: Scopes = ANY_SCOPE
    project_in_path: bool = False
    content_type: Literal["any", "json_if_given", "json"] = "json_if_given"
    json_types: tuple[str, ...] = ("application/json",)
    other_versions_method: Literal["not_found", "not_allowed", "before_version"] = "not_allowed"
    unknown_method: Literal["not_found", "not_allowed"] = "not_allowed"
    slash_at_end: Literal["ignored", "not_found"] = "ignored"
    request_id_headers: tuple[str, ...] = ("X-Openstack-Request-Id",)
    not_found: str = "The resource could not be found."


class Endpoint(msgspec.Struct, frozen=True):
    """An entry of the catalog: ``url`` may hold ``$(project_id)s``."""

    service_type: str
    service_name: str
    path: str
