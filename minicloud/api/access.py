"""Access rules at the door: a token of an application credential that has some opens nothing else."""

from minicloud.base import trace
from minicloud.base.errors import Unauthenticated
from minicloud.core.context import Context
from minicloud.core.identity import access_rules

REFUSAL = "The request you have made requires authentication."
_OTHER_TYPES = {"volume": ("block-storage", "volumev3", "block-store")}
"""Service types of the catalog that a service goes by besides its name."""


def require(who: Context, *, service: str, method: str, path: str, below: str) -> None:
    """Raises Unauthenticated when none of the token's rules means this request.

    ``path`` is the request's, ``below`` the part of it under the service's mount: rules written for a service on a port of
    its own (``/v2.1/servers``) mean the same here. A token may always be validated.
    """
    if not who.allowed_requests or (service == "identity" and method == "GET" and path.endswith("/v3/auth/tokens")):
        return
    types = (service, *_OTHER_TYPES.get(service, ()))
    for rule in who.allowed_requests:
        covered = rule.service in types and rule.method == method
        if covered and (access_rules.covers(rule.path, path) or access_rules.covers(rule.path, below)):
            return
    trace.note("access_rule", service=service, method=method, path=path, allowed=False)
    raise Unauthenticated(REFUSAL)
