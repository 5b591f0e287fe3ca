"""The door: mount, version, route, token, policy, body, handler, in this order, and an answer in words to everything else."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from starlette.responses import PlainTextResponse

from minicloud.api.bodies import Body, Name
from minicloud.api.call import Call, Reply
from minicloud.api.microversions import Negotiation, Since, version
from minicloud.api.routes import SMALL_BODY, Action, Delete, Get, Post, Put
from minicloud.api.service import Service
from minicloud.base.errors import Conflict, NotFound
from tests.support.doors import URL, Door, a_door

pytestmark = pytest.mark.anyio
MEMBERS = "role:member and project_id:%(project_id)s"


class ThingCreate(Body, wrap="thing"):
    """A body."""

    name: Name
    size: Annotated[int, Since("2.5")] = 1


class Start(Body):
    """What the action os-start takes."""

    soft: bool = False


async def index(call: Call) -> Any:
    """Says who asked, and what it said."""
    context = call.context
    return {
        "user": context.user_id,
        "request": context.request_id,
        "global": context.global_request_id,
        "parameters": call.parameters,
        "url": call.url("/things"),
        "version": str(call.version),
    }


async def show(call: Call, thing_id: str) -> Any:
    """Finds no thing called gone, and breaks over one called broken."""
    if thing_id == "gone":
        raise NotFound("Thing gone could not be found.")
    if thing_id == "broken":
        raise KeyError("a defect")
    return {"id": thing_id}


async def create(call: Call, body: ThingCreate) -> Any:
    """Makes one, elsewhere to be found."""
    return Reply({"thing": {"name": body.name, "size": body.size}}, headers={"Location": call.url("/things/1")})


async def remove(call: Call, thing_id: str) -> None:
    """Has nothing to say."""


async def start(call: Call, server_id: str, body: Start) -> None:
    """An action."""
    if body.soft:
        raise Conflict(f"Cannot 'start' instance {server_id} while it is in vm_state active")


async def stop(call: Call, server_id: str) -> None:
    """An action that takes no more than its name."""


async def replace(call: Call, thing_id: str, body: bytes) -> Any:
    """Reads its document by itself."""
    return {"bytes": len(body)}


async def forgetful(call: Call) -> Any:
    """Never asks the policy that it promised to ask."""
    return {}


async def plain(call: Call) -> PlainTextResponse:
    """No JSON at all."""
    return PlainTextResponse("OK")


def things() -> Service:
    """A service in compute's words, with versions."""
    return Service(
        name="things",
        dialect="compute",
        mounts=("/things",),
        prefix="/v2",
        project_in_path=True,
        other_versions_method="not_found",
        request_id_headers=("X-Openstack-Request-Id", "X-Compute-Request-Id"),
        negotiation=Negotiation(
            word="things", lowest=version("2.1"), newest=version("2.9"), older_headers=("X-Things-Version",)
        ),
        routes=[
            Get("/", plain, policy=None, open=True, root=True),
            Get("/things", index, policy="things:list", allow=MEMBERS),
            Post("/things", create, policy="things:create", allow=MEMBERS, status={"2.1": 200, "2.2": 201}),
            Get("/things/{thing_id}", show, policy=None),
            Put("/things/{thing_id}", replace, policy=None, largest_body=1 << 20),
            Delete("/things/{thing_id}", remove, policy="things:delete", allow="role:admin"),
            Get("/late", forgetful, policy="things:late", allow="@", late=True),
            Get("/new", plain, policy=None, since="2.5"),
            Put("/new", plain, policy=None),
            Action("os-start", start, policy="things:start", allow=MEMBERS),
            Action("os-stop", stop, policy="things:stop", allow="role:admin"),
            Action("os-new", stop, policy=None, since="2.5"),
        ],
    )


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with AsyncExitStack() as stack:
        yield await a_door(stack, [things()])


def message(answer: httpx.Response, name: str) -> str:
    """The message of a fault of this name."""
    document = answer.json()
    assert list(document) == [name], document
    assert document[name]["code"] == answer.status_code
    return str(document[name]["message"])


async def test_an_answer_tells_its_version_and_its_request(door: Door) -> None:
    http = door.as_("ann", headers={"OpenStack-API-Version": "things 2.5"}, mount="/things")
    answer = await http.get("/v2/things?a=1&a=2&b=")
    assert answer.status_code == 200
    request_id = answer.headers["x-openstack-request-id"]
    assert answer.headers["x-compute-request-id"] == request_id
    assert answer.headers["openstack-api-version"] == "things 2.5"
    assert answer.headers["x-things-version"] == "2.5"
    assert answer.headers["vary"] == "OpenStack-API-Version, X-Things-Version"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "user": "ann",
        "request": request_id,
        "global": None,
        "parameters": [["a", "1"], ["a", "2"], ["b", ""]],
        "url": f"{URL}/things/v2/things",
        "version": "2.5",
    }
    [note] = [note for note in door.notes.notes if note.word == "request"]
    assert note.request_id == request_id
    assert note.facts | {"seconds": 0} == {
        "method": "GET",
        "path": "/things/v2/things",
        "version": "2.5",
        "status": 200,
        "seconds": 0,
        "user": "ann",
        "project": "red",
    }


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ("req-5eed0000-0000-4000-8000-000000000001", True),
        ("5eed0000-0000-4000-8000-000000000001", False),
        ("req-what", False),
        ("req-5eed0000-0000-4000-8000-000000000001\u00e9", False),
        ("", False),
    ],
)
async def test_the_request_of_whoever_is_behind_this_one_is_known_if_it_is_one(
    door: Door, sent: str, known: bool
) -> None:
    answer = await door.as_(mount="/things").get(
        "/v2/things",
        headers={b"X-Openstack-Request-Id": sent.encode("latin-1")},
    )
    assert answer.status_code == 200
    assert answer.json()["global"] == (sent if known else None)
    assert answer.headers["x-openstack-request-id"] != sent


async def test_faults_carry_the_same_headers(door: Door) -> None:
    answer = await door.as_(mount="/things").get("/v2/things/gone")
    assert answer.status_code == 404
    assert message(answer, "itemNotFound") == "Thing gone could not be found."
    assert answer.headers["x-compute-request-id"] == answer.headers["x-openstack-request-id"]
    assert answer.headers["openstack-api-version"] == "things 2.1"
    [fact] = door.notes.facts("fault")
    assert fact == {"meaning": "not_found", "message": "Thing gone could not be found.", "kind": None}
    [request] = door.notes.facts("request")
    assert (request["status"], request["user"]) == (404, "ann")


async def test_versions_out_of_bounds_and_malformed_ones(door: Door) -> None:
    http = door.as_(mount="/things")
    answer = await http.get("/v2/things", headers={"OpenStack-API-Version": "things 2.10"})
    assert answer.status_code == 406
    assert "Version 2.10 is not supported by the API. Minimum is 2.1 and maximum is 2.9." in answer.text
    answer = await http.get("/v2/things", headers={"OpenStack-API-Version": "things two"})
    assert answer.status_code == 400
    assert "API Version String two is of invalid format" in message(answer, "badRequest")
    answer = await http.get("/v2/things", headers={"X-Things-Version": "latest"})
    assert answer.json()["version"] == "2.9"


async def test_a_path_that_leads_nowhere_is_told_only_to_who_is_known(door: Door) -> None:
    for path in ("/v2/nothing", "/v2", "/v3/things", "/v2/things/1/2", "/v2things"):
        assert (await door.stranger("/things").get(path)).status_code == 401
        answer = await door.as_(mount="/things").get(path)
        assert answer.status_code == 404, path
        assert message(answer, "itemNotFound") == "The resource could not be found."


async def test_who_is_not_known_hears_so_in_the_identity_services_words(door: Door) -> None:
    for headers in ({}, {"X-Auth-Token": ""}, {"X-Auth-Token": "wrong"}):
        answer = await door.stranger("/things").get("/v2/things", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == 401
        assert answer.headers["www-authenticate"].startswith('Keystone uri="http')
    assert (await door.stranger("/things").get("/")).text == "OK"


async def test_policy_comes_before_the_body_and_after_the_path(door: Door) -> None:
    reader = door.as_("rob", role="reader", mount="/things")
    answer = await reader.post("/v2/things", content=b"{broken")
    assert answer.status_code == 403
    assert message(answer, "forbidden") == "Policy doesn't allow things:create to be performed."
    assert (await reader.post("/v2/nothing")).status_code == 404
    assert (await door.as_(mount="/things").delete("/v2/things/1")).status_code == 403
    deleted = await door.as_("root", role="admin", mount="/things").delete("/v2/things/1")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "content-length" not in deleted.headers
    assert {"rule": "things:create", "check": MEMBERS, "allowed": False} in door.notes.facts("policy")


async def test_a_method_that_a_path_does_not_have(door: Door) -> None:
    answer = await door.as_(mount="/things").patch("/v2/things")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    assert message(answer, "badMethod") == "The method is not allowed for the requested URL."
    # One that it has in other versions only is not there, in this service's way.
    http = door.as_(mount="/things")
    assert (await http.get("/v2/new", headers={"X-Things-Version": "2.4"})).status_code == 404
    assert (await http.get("/v2/new", headers={"X-Things-Version": "2.5"})).status_code == 200
    answer = await http.post("/v2/new", headers={"X-Things-Version": "2.4"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "PUT")


async def test_head_is_get_without_a_body(door: Door) -> None:
    http = door.as_(mount="/things")
    full, head = await http.get("/v2/things/1"), await http.head("/v2/things/1")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"] == str(len(full.content))
    assert head.headers["content-type"] == "application/json"
    gone = await http.head("/v2/things/gone")
    assert (gone.status_code, gone.content) == (404, b"")
    assert (await http.head("/v2/things")).status_code == 200


async def test_the_status_and_the_body_of_a_version(door: Door) -> None:
    http = door.as_(mount="/things")
    old = await http.post("/v2/things", json={"thing": {"name": "n"}})
    assert (old.status_code, old.headers["location"]) == (200, f"{URL}/things/v2/things/1")
    new = await http.post("/v2/things", json={"thing": {"name": "n", "size": 2}}, headers={"X-Things-Version": "2.5"})
    assert (new.status_code, new.json()) == (201, {"thing": {"name": "n", "size": 2}})
    early = await http.post("/v2/things", json={"thing": {"name": "n", "size": 2}}, headers={"X-Things-Version": "2.4"})
    assert message(early, "badRequest") == "Additional properties are not allowed ('size' was unexpected)"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'{"thing": {"name": 5}}', 400),
        (b'{"thing": {"name": "n"}, "more": 1}', 400),
        (b"[" * 50_000, 400),
    ],
)
async def test_a_body_that_does_not_fit_is_a_bad_request(door: Door, content: bytes, status: int) -> None:
    answer = await door.as_(mount="/things").post(
        "/v2/things", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status
    assert message(answer, "badRequest")


async def test_another_content_type_is_told_so(door: Door) -> None:
    http = door.as_(mount="/things")
    body = b'{"thing": {"name": "n"}}'
    for kind, status in (("application/json; charset=utf-8", 200), ("application/xml", 415), ("text/plain", 415)):
        answer = await http.post("/v2/things", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status, kind
    assert (await http.post("/v2/things", content=body)).status_code == 200
    assert message(answer, "badMediaType") == "Unsupported Content-Type text/plain: use application/json"


async def test_a_body_is_read_no_further_than_it_may_go(door: Door) -> None:
    http = door.as_(mount="/things")
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1 << 16
            yield b" " * (1 << 16)

    answer = await http.post("/v2/things", content=endless())
    assert answer.status_code == 413
    assert message(answer, "overLimit") == "Request is too large."
    assert read < 4 * SMALL_BODY
    declared = await http.post("/v2/things", content=b"{}", headers={"Content-Length": str(SMALL_BODY + 1)})
    assert declared.status_code == 413
    exact = b'{"thing": {"name": "n"}}'.ljust(SMALL_BODY)
    assert (await http.post("/v2/things", content=exact)).status_code == 200
    assert (await http.post("/v2/things", content=exact + b" ")).status_code == 413
    larger = await http.put("/v2/things/1", content=bytes(SMALL_BODY + 1))
    assert larger.json() == {"bytes": SMALL_BODY + 1}


async def test_an_action_is_found_by_the_one_key_of_its_document(door: Door) -> None:
    http = door.as_(mount="/things")
    path = "/v2/servers/s/action"
    assert (await http.post(path, json={"os-start": {}})).status_code == 202
    answer = await http.post(path, json={"os-start": {"soft": True}})
    assert message(answer, "conflictingRequest") == "Cannot 'start' instance s while it is in vm_state active"
    assert (await http.post(path, json={"os-stop": None})).status_code == 403
    root = door.as_("root", role="admin", mount="/things")
    assert (await root.post(path, json={"os-stop": None})).status_code == 202
    for document, words in (
        ({"os-jump": {}}, "There is no such action: os-jump"),
        ({}, "Malformed request body"),
        ([], "Malformed request body"),
        ({"os-start": {"x": 1}}, "Additional properties are not allowed ('x' was unexpected)"),
        ({"os-start": {}, "os-stop": None}, "Additional properties are not allowed ('os-stop' was unexpected)"),
    ):
        answer = await http.post(path, json=document)
        assert answer.status_code == 400, document
        assert message(answer, "badRequest") == words
    assert (await http.post(path, content=b"{")).status_code == 400
    assert (await http.post(path, json={"os-new": None}, headers={"X-Things-Version": "2.4"})).status_code == 404
    assert (await http.post(path, json={"os-new": None}, headers={"X-Things-Version": "2.5"})).status_code == 202


async def test_a_project_in_the_path_must_be_ones_own(door: Door) -> None:
    http = door.as_(project="red", mount="/things")
    assert (await http.get("/v2/red/things")).status_code == 200
    answer = await http.get("/v2/blue/things")
    assert answer.status_code == 400
    assert "URL's project_id 'blue' doesn't match Context's project_id 'red'" in message(answer, "badRequest")
    assert (
        await door.as_("root", role="admin", project="red", mount="/things").get("/v2/blue/things")
    ).status_code == 200
    assert (await http.get("/v2//things")).status_code == 200


async def test_a_defect_is_a_500_that_says_where_to_look(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    answer = await door.as_(mount="/things").get("/v2/things/broken")
    assert answer.status_code == 500
    request_id = answer.headers["x-openstack-request-id"]
    told = message(answer, "computeFault")
    assert f"minicloud explain {request_id}" in told
    assert "KeyError" not in answer.text
    [defect] = door.notes.facts("defect")
    assert "KeyError: 'a defect'" in defect["trail"]
    assert request_id in caplog.text


async def test_a_handler_that_forgets_to_ask_its_late_policy_does_not_answer(door: Door) -> None:
    answer = await door.as_(mount="/things").get("/v2/late")
    assert answer.status_code == 500
    assert "answered without asking things:late" in door.notes.facts("defect")[0]["trail"]


async def test_links_have_the_address_that_was_asked(door: Door) -> None:
    answer = await door.as_(mount="/things").get("/v2/things", headers={"Host": "cloud.example:8443"})
    assert answer.json()["url"] == "http://cloud.example:8443/things/v2/things"


async def test_a_client_that_goes_away_in_the_middle_is_noted_and_nothing_is_sent(door: Door) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(part: Any) -> None:
        sent.append(part)

    door.as_("ann")
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/things/v2/things",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"host", b"x"), (b"x-auth-token", b"ann-red-member")],
    }
    await door.api(scope, receive, send)
    assert sent == []
    assert door.notes.facts("disconnected") == [{"method": "POST", "path": "/things/v2/things"}]


async def test_what_is_no_http_request_is_closed_politely(door: Door) -> None:
    said: list[Any] = []
    asked = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(asked)

    async def send(part: Any) -> None:
        said.append(part["type"])

    await door.api({"type": "lifespan"}, receive, send)
    await door.api({"type": "websocket", "path": "/"}, receive, send)
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]


async def test_two_services_are_told_apart_by_whole_segments() -> None:
    async with AsyncExitStack() as stack:
        short = msgspec.structs.replace(things(), name="short", mounts=("/thing",), routes=[])
        door = await a_door(stack, [short, things()])
        assert (await door.stranger().get("/things/")).text == "OK"
        assert (await door.stranger().get("/things")).text == "OK"
        assert (await door.as_().get("/thing/v2/things")).status_code == 404
        assert (await door.as_().get("/thingsandmore")).status_code == 404


async def test_request_ids_are_new_each_time(door: Door) -> None:
    http = door.as_(mount="/things")
    ids = [(await http.get("/v2/things")).headers["x-openstack-request-id"] for _ in range(50)]
    assert len(set(ids)) == 50
    assert all(request_id.startswith("req-") and len(request_id) == 40 for request_id in ids)
