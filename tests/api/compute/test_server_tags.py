"""Tags of a server over HTTP, since 2.26."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud
from tests.support.compute import at

pytestmark = pytest.mark.anyio


async def test_tags_are_given_listed_and_taken_away() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/tags"
        made = await cloud.demo.put(f"{path}/red")
        assert (made.status_code, made.content) == (201, b"")
        assert made.headers["Location"].endswith(f"/servers/{server['id']}/tags/red")
        assert (await cloud.demo.put(f"{path}/red")).status_code == 204
        assert (await cloud.demo.get(f"{path}/red")).status_code == 204
        assert (await cloud.demo.get(path)).json() == {"tags": ["red"]}
        assert (await cloud.demo.put(path, json={"tags": ["a", "b", "a"]})).json() == {"tags": ["a", "b"]}
        assert (await cloud.server(server["id"]))["tags"] == ["a", "b"]
        assert (await cloud.demo.delete(f"{path}/a")).status_code == 204
        gone = await cloud.demo.delete(f"{path}/a")
        message = f"Server {server['id']} has no tag 'a'"
        assert (gone.status_code, gone.json()["itemNotFound"]["message"]) == (404, message)
        assert (await cloud.demo.delete(path)).status_code == 204
        assert (await cloud.demo.get(path)).json() == {"tags": []}


async def test_odd_tags_are_refused() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/tags"
        for tags in (["a,b"], ["a/b"], [""], ["x" * 61], [1], [f"t{i}" for i in range(51)]):
            assert (await cloud.demo.put(path, json={"tags": tags})).status_code == 400, tags
        assert (await cloud.demo.put(f"{path}/a,b")).status_code == 400
        await cloud.demo.put(path, json={"tags": [f"t{i}" for i in range(50)]})
        over = await cloud.demo.put(f"{path}/more")
        message = "The number of tags exceeded the per-server limit 50"
        assert (over.status_code, over.json()["badRequest"]["message"]) == (400, message)
        assert (await at(cloud.demo, "2.25").get(path)).status_code == 404
