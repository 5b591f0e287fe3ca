"""Faults: every meaning in every dialect has the status and the shape that clients of that service read."""

import json
from typing import Any

import pytest

from minicloud.api.faults import STATUS, Dialect, fault, status_of, unexpected
from minicloud.api.microversions import version
from minicloud.base.errors import (
    CloudError,
    Conflict,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    NotOffered,
    OverQuota,
    Unauthenticated,
    Unavailable,
)

DIALECTS: tuple[Dialect, ...] = ("compute", "volume", "identity", "image", "network", "placement", "plain")
REQUEST = "req-5eed0000-0000-4000-8000-000000000001"


def family(kind: type[CloudError]) -> list[type[CloudError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in family(child))]


def told(error: CloudError, dialect: Dialect, **more: Any) -> Any:
    """The document of an error."""
    found = fault(error, dialect, request_id=REQUEST, **more)
    return json.loads(found.body)


def test_every_meaning_has_a_status() -> None:
    assert {kind.meaning for kind in family(CloudError)} == set(STATUS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_meaning_can_be_told_in_every_dialect_with_its_message_and_no_more(dialect: Dialect) -> None:
    for kind in family(CloudError):
        error = kind("It <is> \u201cso\u201d\n", secret="not for clients", allow=["GET"])
        found = fault(error, dialect, request_id=REQUEST)
        assert found.status == (401 if kind is Unauthenticated else status_of(error, dialect))
        assert 400 <= found.status < 600
        text = found.body.decode()
        assert "not for clients" not in text
        if dialect == "placement" and found.status == 405:
            assert "The method specified is not allowed" in text  # it has words of its own for this
        elif dialect == "plain":
            assert text.startswith(f"{found.status} ")
        else:
            assert dict(found.headers)["Content-Type"] == "application/json"
            assert "It <is> \u201cso\u201d" in str(json.loads(text))


def test_compute_and_volume_name_the_fault() -> None:
    assert told(NotFound("gone"), "compute") == {"itemNotFound": {"code": 404, "message": "gone"}}
    assert told(Invalid("no"), "volume") == {"badRequest": {"code": 400, "message": "no"}}
    assert told(Conflict("no"), "compute") == {"conflictingRequest": {"code": 409, "message": "no"}}
    assert told(NotOffered("no"), "compute") == {"notImplemented": {"code": 501, "message": "no"}}
    assert told(OverQuota("no"), "compute") == {"forbidden": {"code": 403, "message": "no"}}
    assert told(OverQuota("no"), "volume") == {"overLimit": {"code": 413, "message": "no"}}
    assert told(Unavailable("no"), "compute") == {"serviceUnavailable": {"code": 503, "message": "no"}}
    assert told(CloudError("no"), "compute") == {"computeFault": {"code": 500, "message": "no"}}


def test_identity_titles_it_and_hides_policies_behind_its_own_words() -> None:
    assert told(NotFound("gone"), "identity") == {"error": {"code": 404, "message": "gone", "title": "Not Found"}}
    assert told(Forbidden("no", rule="identity:list_users"), "identity")["error"]["message"] == (
        "You are not authorized to perform the requested action: identity:list_users."
    )


def test_image_explains_it_as_a_page_or_a_document() -> None:
    assert told(NotFound("gone"), "image") == {
        "message": "gone<br /><br />\n\n\n",
        "code": "404 Not Found",
        "title": "Not Found",
    }
    page = fault(NotFound("<gone>"), "image", request_id=REQUEST, accept="text/html")
    assert dict(page.headers)["Content-Type"].startswith("text/html")
    assert b"&lt;gone&gt;" in page.body
    assert status_of(OverQuota("no"), "image") == 413


def test_network_types_it() -> None:
    assert told(NotFound("gone", kind="NetworkNotFound"), "network") == {
        "NeutronError": {"type": "NetworkNotFound", "message": "gone", "detail": ""}
    }
    assert told(NotFound("gone", kind="marker"), "network")["NeutronError"]["type"] == "HTTPNotFound"
    assert told(Forbidden("no"), "network")["NeutronError"]["type"] == "PolicyNotAuthorized"
    over = fault(OverQuota("no", kind="OverQuota"), "network", request_id=REQUEST)
    assert over.status == 409


def test_placement_lists_it_with_the_request_and_since_1_23_with_a_code() -> None:
    error = Conflict("generation", kind="placement.concurrent_update")
    [old] = told(error, "placement", version=version("1.22"))["errors"]
    assert (old["status"], old["title"], old["request_id"]) == (409, "Conflict", REQUEST)
    assert "code" not in old
    assert "generation" in old["detail"]
    [new] = told(error, "placement", version=version("1.23"))["errors"]
    assert new["code"] == "placement.concurrent_update"
    [other] = told(Conflict("x"), "placement", version=version("1.39"))["errors"]
    assert other["code"] == "placement.undefined_code"
    bounds = NotAcceptable("no", min_version="1.0", max_version="1.39")
    [refused] = told(bounds, "placement")["errors"]
    assert (refused["status"], refused["min_version"], refused["max_version"]) == (406, "1.0", "1.39")


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d != "plain"])
def test_who_is_unknown_hears_it_from_the_middleware_that_stands_before_every_service(dialect: Dialect) -> None:
    found = fault(Unauthenticated("who?"), dialect, request_id=REQUEST)
    assert found.status == 401
    assert json.loads(found.body)["error"]["code"] == 401


def test_methods_that_do_exist_are_listed() -> None:
    found = fault(MethodNotAllowed("no", allow=["GET", "PUT"]), "compute", request_id=REQUEST)
    assert dict(found.headers)["Allow"] == "GET, PUT"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_defect_of_ours_tells_where_to_look_and_nothing_else(dialect: Dialect) -> None:
    found = unexpected(dialect, request_id=REQUEST)
    assert found.status == 500
    assert dialect == "plain" or f"minicloud explain {REQUEST}" in str(json.loads(found.body))
