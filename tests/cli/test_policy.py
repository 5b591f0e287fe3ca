"""``minicloud policy``: the rules of a folder, and why somebody may or may not."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from minicloud.cli.program import app
from minicloud.cloud import open_cloud
from tests.support.clouds import some_settings


@pytest.fixture
def data(tmp_path: Path) -> str:
    """The folder of a cloud that was up once."""
    import anyio

    async def once() -> None:
        async with AsyncExitStack() as stack:
            settings = some_settings(data=str(tmp_path / "data"), memory=False)
            await stack.enter_async_context(open_cloud(settings))

    anyio.run(once)
    return str(tmp_path / "data")


def _run(*words: str) -> str:
    done = CliRunner().invoke(app, ["policy", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_list_shows_what_the_folder_changes(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("identity:list_users: role:reader\n")
    changed = json.loads(_run("list", "--changed", "--json", "--data", str(tmp_path)))
    assert [(rule["name"], rule["check"]) for rule in changed] == [("identity:list_users", "role:reader")]
    assert "os_compute_api:servers:index" in _run("list", "os_compute_api:servers", "--data", str(tmp_path))


def test_a_check_tells_the_verdict_and_the_reasons(data: str) -> None:
    told = _run("check", "os_compute_api:servers:index", "--user", "demo", "--project", "demo", "--data", data)
    assert "demo in project demo holds member, reader: may do os_compute_api:servers:index" in told
    assert "holds  role:reader" in told
    words = ("check", "identity:create_user", "--user", "demo", "--project", "demo", "--data", data)
    assert "may not do identity:create_user" in _run(*words)
    verdict = json.loads(_run(*words, "--json"))
    assert verdict["allowed"] is False
    Path(data, "policy.yaml").write_text("identity:create_user: role:member\n")
    assert "may do identity:create_user" in _run(*words)
    assert json.loads(_run("check", "identity:list_users", "--user", "admin", "--system", "--json", "--data", data))[
        "allowed"
    ]


def test_a_cloud_does_not_start_with_rules_that_make_no_sense(tmp_path: Path) -> None:
    import anyio

    from minicloud.base.errors import Invalid

    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "policy.yaml").write_text("identity:list_user: role:reader\n")

    async def start() -> None:
        async with open_cloud(some_settings(data=str(folder))):
            raise AssertionError("it started")

    with pytest.raises(Invalid, match="do not exist: identity:list_user"):
        anyio.run(start)


def test_rules_are_read_again_while_a_cloud_is_up(tmp_path: Path) -> None:
    import anyio

    from minicloud.base.errors import Invalid

    folder = tmp_path / "data"

    async def once() -> None:
        async with open_cloud(some_settings(data=str(folder), memory=False)) as cloud:
            rules = cloud.api.means.policy
            (folder / "policy.yaml").write_text("identity:list_users: role:reader\n")
            assert cloud.reload_policy() == 1
            assert rules.rules["identity:list_users"].check == "role:reader"
            (folder / "policy.yaml").write_text("identity:list_users: (\n")
            with pytest.raises(Invalid):
                cloud.reload_policy()
            assert rules.rules["identity:list_users"].check == "role:reader"

    anyio.run(once)
