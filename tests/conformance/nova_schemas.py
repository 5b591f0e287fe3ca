"""Runs in the environment of nova: asks every GET route of a cloud at every version where nova's own schemas change, and holds
the answers to them. Prints ``outcome test`` for each, and with a failure why.

Five kinds of tests for a route and version: ``body`` (the answer has nova's form), ``query`` (an unknown parameter is refused
exactly where nova refuses it), ``there`` (the route is there, not there, or gone, as in nova), and for those that take a
document ``request`` (what nova's schema refuses is refused; the paths lead to nothing, so that nothing happens) and ``accepted``
(the form of what it takes is not refused).
"""

import json
import re
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import nova_bodies  # type: ignore[import-not-found] # its neighbour: this file runs as a script

warnings.simplefilter("ignore")

from nova.api.openstack import api_version_request as versions  # noqa: E402
from nova.api.openstack.compute.routes import ROUTE_LIST  # noqa: E402
from nova.api.validation.validators import _SchemaValidator  # noqa: E402

NOBODY = "00000000-0000-4000-8000-00000000dead"
OF_FORM = re.compile("Invalid input for field|Additional properties|is a required property|Invalid request body")
NEWEST = int(versions._MAX_API_VERSION.split(".")[1])


class Cloud:
    """The cloud that is asked, and what stands in its paths: names by the pattern of the path."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.url: str = told["url"]
        self.token: str = told["token"]
        self.paths: dict[str, str] = told["paths"]
        self.wanted = ""

    def get(self, path: str, minor: int) -> tuple[int, Any]:
        """Status and document."""
        return self.ask("GET", path, minor)

    def ask(self, method: str, path: str, minor: int, document: Any = None) -> tuple[int, Any]:
        """Status and document of any request."""
        headers = {"X-Auth-Token": self.token, "OpenStack-API-Version": f"compute 2.{minor}"}
        data = None if method == "GET" else json.dumps(document).encode()
        headers |= {} if data is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", headers=headers, method=method, data=data)
        try:
            with urllib.request.urlopen(request) as answer:
                raw, status = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            raw, status = error.read(), error.code
        try:
            return status, json.loads(raw) if raw else None
        except ValueError:
            return status, raw

    def path(self, pattern: str, minor: int) -> str | None:
        """The pattern with names in it that are there; some are others at other versions."""
        for version, path in sorted(self.paths.get(pattern, {}).items(), key=lambda pair: -int(pair[0])):
            if minor >= int(version):
                return path
        return pattern if "{" not in pattern else None


def minor_of(version: Any, default: int) -> int:
    """The second number of a version of nova's."""
    return default if version.is_null() else max(version.ver_minor, 1)


def schemas_of(function: Any, name: str) -> list[tuple[Any, int, int]]:
    """The schemas of a handler with the first and last version that each is for."""
    found = getattr(function, name, None)
    # What was only for 2.0, the root of before microversions, is nobody's now.
    schemas = [] if found is None else [one for one in found._schemas if one[2].is_null() or one[2].ver_minor > 0]
    return [(schema, minor_of(low, 1), minor_of(high, NEWEST)) for schema, low, high in schemas]


def at(schemas: list[tuple[Any, int, int]], minor: int) -> Any:
    """The schema for a version."""
    return next((schema for schema, low, high in schemas if low <= minor <= high), None)


def life(function: Any) -> tuple[int, int]:
    """The first and last version at which the route is there."""
    low, high = getattr(function, "min_version", None), getattr(function, "max_version", None)
    return max(1, int(low.split(".")[1])) if low else 1, int(high.split(".")[1]) if high else NEWEST


def checks(cloud: Cloud, pattern: str, function: Any) -> Iterator[tuple[str, str]]:
    """Name and fault of each test of a route; no fault is the empty text."""
    bodies, queries = schemas_of(function, "response_body_schemas"), schemas_of(function, "request_query_schemas")
    first, last = life(function)
    moments = {low for _, low, _ in [*bodies, *queries]} | {first, last, 1, NEWEST}
    moments |= {minor for minor in (first - 1, last + 1) if 1 <= minor <= NEWEST}
    for minor in sorted(moments):
        path = cloud.path(pattern, minor)
        name = f"GET {pattern} 2.{minor}"
        if path is None:
            yield f"{name} body", "nothing was made that this path could name"
            continue
        status, document = cloud.get(path, minor)
        if getattr(function, "removed", False):
            yield f"{name} there", "" if status == 410 else f"{status}, not 410"
        elif not first <= minor <= last:
            yield f"{name} there", "" if status == 404 else f"{status}, not 404"
        else:
            yield f"{name} body", fault(at(bodies, minor), status, document)
            strict = (at(queries, minor) or {}).get("additionalProperties", True) is False
            odd, _ = cloud.get(f"{path}{'&' if '?' in path else '?'}surprise=1", minor)
            yield (
                f"{name} query",
                "" if (odd == 400) == strict else f"{odd}, and nova is {'strict' if strict else 'not'}",
            )


def valid(schema: Any, document: Any) -> bool:
    """Whether nova's validator takes a document."""
    try:
        _SchemaValidator(schema).validate(document)
    except Exception:  # noqa: BLE001 - a format checker that stumbles refuses, too
        return False
    return True


def requests(cloud: Cloud, method: str, pattern: str, function: Any, name: str) -> Iterator[tuple[str, str]]:
    """Name and fault of the tests of a route that takes a document: one for each version where its schema changes."""
    first, last = life(function)
    if getattr(function, "removed", False):
        return
    for schema, low, high in schemas_of(function, "request_body_schemas"):
        minor = max(low, first)
        if minor > min(high, last) or not schema:
            continue
        verb = "disable-log-reason" if pattern.startswith("/os-services") and minor < 53 else NOBODY
        path = re.sub(r"{[^}]*}", verb, pattern)
        test = f"{method} {pattern}{name} 2.{minor} request"
        if cloud.wanted not in test and cloud.wanted not in test.replace(" request", " accepted"):
            continue
        try:
            smallest = nova_bodies.valid_one(schema, valid)
        except LookupError as error:
            yield test, f"no document was found that is valid: {error}"
            continue
        wholes = nova_bodies.whole_ones(schema, smallest, valid)
        taken: dict[str, str] = {}
        for whole in wholes:
            # Where the valid document is refused, too (there is no such flavor), the wrong one has to be refused for something else.
            accepted = cloud.ask(method, path, minor, whole)
            for what, document in nova_bodies.wrong_ones(schema, whole, valid):
                status, answer = cloud.ask(method, path, minor, document)
                if status != 400:
                    taken.setdefault(what, f"{what} {status}")
                elif (status, answer) == accepted:
                    taken.setdefault(what, f"{what} is not looked at")
        yield test, f"{len(taken)} are taken: {', '.join(list(taken.values())[:12])}" if taken else ""
        refused = [_refusal(cloud, method, path, minor, document) for document in (smallest, *wholes)]
        yield f"{method} {pattern}{name} 2.{minor} accepted", " ".join(refused).strip()


def _refusal(cloud: Cloud, method: str, path: str, minor: int, document: Any) -> str:
    """Why the form of a valid document is refused; what else is wrong with it (there is no such flavor) does not count."""
    status, answer = cloud.ask(method, path, minor, document)
    told = json.dumps(answer)
    return f"{json.dumps(document)[:200]}: {told[:200]}" if status == 400 and OF_FORM.search(told) else ""


def fault(schema: Any, status: int, document: Any) -> str:
    """What is wrong with an answer."""
    if not 200 <= status < 400:
        return f"{status} {json.dumps(document)[:300]}"
    if schema is None:
        return ""
    try:
        _SchemaValidator(schema).validate(document)
    except Exception as error:  # noqa: BLE001 - nova's own finding, whatever its class
        return str(error)[:600]
    return ""


def main(told: dict[str, Any], wanted: str) -> None:
    """Test all routes whose name has the text in it."""
    cloud = Cloud(told)
    cloud.wanted = wanted
    for test, why in everything(cloud, wanted):
        if wanted in test:
            print("failed" if why else "passed", test, flush=True)
            if why:
                print(f"# {test}: {' '.join(why.split())}", flush=True)


def everything(cloud: Cloud, wanted: str) -> Iterator[tuple[str, str]]:
    """All tests of all routes: those of answers first, as those of requests may leave things behind."""
    for pattern, methods in ROUTE_LIST:
        if "GET" in methods and pattern not in ("", "/") and not wanted.endswith("request"):
            maker, action = methods["GET"]
            yield from checks(cloud, pattern, getattr(maker.args[0], action))
    for pattern, methods in ROUTE_LIST:
        for method in ("POST", "PUT"):
            if method not in methods:
                continue
            maker, action = methods[method]
            if action == "action":
                for controller in (maker.args[0], *maker.args[1]):
                    for function in vars(controller).values():
                        if getattr(function, "wsgi_action", None):
                            name = f" {function.wsgi_action}"
                            yield from requests(cloud, method, pattern, function, name)
            else:
                yield from requests(cloud, method, pattern, getattr(maker.args[0], action), "")


if __name__ == "__main__":
    main(json.loads(sys.stdin.read()), sys.argv[1] if len(sys.argv) > 1 else "")
