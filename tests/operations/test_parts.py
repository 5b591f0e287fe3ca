"""What a cloud is made of, told without starting one."""

from minicloud.operations import parts


def test_routes_are_whole_paths_with_their_policies() -> None:
    found = {(one.method, one.path, one.action): one for one in parts.routes()}
    create = found["POST", "/compute/v2.1/servers", None]
    assert (create.policy, create.status) == ("os_compute_api:servers:create", "202")
    assert (
        found["POST", "/compute/v2.1/servers/{server_id}/action", "os-start"].policy == "os_compute_api:servers:start"
    )
    assert found["GET", "/healthcheck", None].policy == "(open to all)"


def test_no_route_stands_twice() -> None:
    seen = [(one.method, one.path, one.action, one.versions) for one in parts.routes()]
    assert len(seen) == len(set(seen))


def test_policies_that_routes_name_exist() -> None:
    known = {rule.name for rule in parts.policies()}
    named = {one.policy for one in parts.routes() if one.policy and not one.policy.startswith("(")}
    assert named <= known


def test_sagas_tell_their_steps_and_their_purpose() -> None:
    found = {one.kind: one for one in parts.sagas()}
    assert found["CreateServer"].steps[0] == "claim"
    assert all(one.purpose.endswith((".", ":")) and one.steps for one in found.values())
