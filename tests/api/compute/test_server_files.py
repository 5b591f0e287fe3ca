"""Files for guests ("personality"), which clients before 2.57 may give: they are on the config drive, and quotas bind them."""

import base64
from contextlib import AsyncExitStack

import msgspec
import pytest

from minicloud.core.compute import metadata, servers
from minicloud.engines.database import Transaction
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
BANNER = {"path": "/etc/banner.txt", "contents": base64.b64encode(b"hello").decode()}
OLD = {"OpenStack-API-Version": "compute 2.56"}


async def drive(cloud: TestedCloud, server_id: str) -> dict[str, bytes]:
    """The files of a server's config drive."""

    def work(tx: Transaction) -> dict[str, bytes]:
        return metadata.config_drive(metadata.guest(tx, servers.living(tx, server_id)))

    return await cloud.read(work)


async def test_given_files_are_on_the_config_drive_until_a_rebuild_gives_others() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, reconcile_interval=1e6)
        asked = await cloud.ask_server(config_drive=True, personality=[BANNER], headers=OLD)
        assert asked.status_code == 202, asked.text
        await cloud.settled()
        server_id = asked.json()["server"]["id"]
        files = await drive(cloud, server_id)
        assert files["openstack/content/0000"] == b"hello"
        told = msgspec.json.decode(files["openstack/latest/meta_data.json"])["files"]
        assert told == [{"path": "/etc/banner.txt", "content_path": "/content/0000"}]
        other = {**BANNER, "path": "/etc/other"}
        rebuild = {"rebuild": {"imageRef": await cloud.image_id(), "personality": [other, BANNER]}}
        answer = await cloud.demo.post(f"/compute/v2.1/servers/{server_id}/action", json=rebuild, headers=OLD)
        assert answer.status_code == 202, answer.text
        await cloud.settled()
        told = msgspec.json.decode((await drive(cloud, server_id))["openstack/latest/meta_data.json"])["files"]
        assert [one["path"] for one in told] == ["/etc/other", "/etc/banner.txt"]
        plain = await cloud.a_server(config_drive=True)
        assert "files" not in msgspec.json.decode((await drive(cloud, plain["id"]))["openstack/latest/meta_data.json"])


@pytest.mark.parametrize(
    ("personality", "status", "message"),
    [
        ([BANNER] * 6, 403, "Personality file limit exceeded"),
        ([{**BANNER, "path": "/" * 256}], 403, "Personality file path too long"),
        ([{**BANNER, "contents": base64.b64encode(b"x" * 10_241).decode()}], 403, "Personality file content too long"),
        ([{**BANNER, "contents": "not b64"}], 400, "is not a 'base64'"),
        ([{"path": "/a"}], 400, "contents"),
        ([{**BANNER, "odd": 1}], 400, "odd"),
    ],
)
async def test_files_that_are_too_much(personality: list[dict[str, str]], status: int, message: str) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, reconcile_interval=1e6)
        answer = await cloud.ask_server(personality=personality, headers=OLD)
        assert (answer.status_code, message in answer.text) == (status, True), answer.text
        newer = {"OpenStack-API-Version": "compute 2.57"}
        assert (await cloud.ask_server(personality=[BANNER], headers=newer)).status_code == 400
