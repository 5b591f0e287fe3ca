"""The metadata of a server over HTTP: set, merged, replaced, taken away, refused."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud

pytestmark = pytest.mark.anyio


async def test_items_are_merged_replaced_and_deleted() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server(metadata={"a": "1"})
        path = f"/compute/v2.1/servers/{server['id']}/metadata"
        assert (await cloud.demo.get(path)).json() == {"metadata": {"a": "1"}}
        merged = await cloud.demo.post(path, json={"metadata": {"b": "2"}})
        assert merged.status_code == 200, merged.text
        assert (merged.status_code, merged.json()) == (200, {"metadata": {"a": "1", "b": "2"}})
        one = await cloud.demo.put(f"{path}/a", json={"meta": {"a": "x"}})
        assert (one.status_code, one.json()) == (200, {"meta": {"a": "x"}})
        assert (await cloud.demo.get(f"{path}/a")).json() == {"meta": {"a": "x"}}
        assert (await cloud.demo.put(path, json={"metadata": {"c": "3"}})).json() == {"metadata": {"c": "3"}}
        assert (await cloud.demo.delete(f"{path}/c")).status_code == 204
        assert (await cloud.server(server["id"]))["metadata"] == {}
        gone = await cloud.demo.get(f"{path}/c")
        assert (gone.status_code, gone.json()["itemNotFound"]["message"]) == (404, "Metadata item was not found")
        assert (await cloud.demo.delete(f"{path}/c")).status_code == 404


async def test_odd_requests_are_refused() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/metadata"
        for body in (
            {"metadata": {"": "1"}},
            {"metadata": {"a/b": "1"}},
            {"metadata": {"a": "x" * 256}},
            {"metadata": {"a": None}},
            {"metadata": []},
            {},
        ):
            assert (await cloud.demo.post(path, json=body)).status_code == 400, body
        mismatch = await cloud.demo.put(f"{path}/a", json={"meta": {"b": "1"}})
        assert (mismatch.status_code, mismatch.json()["badRequest"]["message"]) == (
            400,
            "Request body and URI mismatch",
        )
        assert (await cloud.demo.put(f"{path}/a", json={"meta": {"a": "1", "b": "2"}})).status_code == 400
        over = await cloud.demo.post(path, json={"metadata": {f"k{i}": "v" for i in range(129)}})
        message = "Maximum number of metadata items exceeds 128"
        assert (over.status_code, over.json()["forbidden"]["message"]) == (403, message)
        stranger = await cloud.a_project("others")
        assert (await stranger.get(path)).status_code == 404


async def test_a_locked_server_keeps_its_metadata_and_a_broken_one_too() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}/metadata"
        await cloud.act(server["id"], {"lock": None})
        locked = await cloud.demo.post(path, json={"metadata": {"a": "1"}})
        assert (locked.status_code, locked.json()["conflictingRequest"]["message"]) == (
            409,
            f"Instance {server['id']} is locked",
        )
        assert (await cloud.admin.post(path, json={"metadata": {"a": "1"}})).status_code == 200
