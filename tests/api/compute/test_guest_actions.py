"""What is done inside guests, over HTTP: passwords set by an agent, passwords told by the guest, crashes, diagnostics."""

import base64
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from minicloud.api.metadata import service as metadata_service
from minicloud.api.metadata.service import Asked
from minicloud.base.errors import ErrorFacts
from minicloud.core import records
from minicloud.core.compute.keys import make_ssh
from minicloud.core.network.rows import Port
from minicloud.drivers.faults import Fault
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio


async def test_a_password_is_set_when_the_answer_comes() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        answer = await cloud.act(server_id, {"changePassword": {"adminPass": "new"}})
        assert (answer.status_code, answer.content) == (202, b"")
        assert (await cloud.server(server_id))["status"] == "ACTIVE"
        for wrong in ({}, {"adminPass": 1}, {"adminPass": "x", "more": 1}, None):
            assert (await cloud.act(server_id, {"changePassword": wrong})).status_code == 400
        await cloud.act(server_id, {"os-stop": None})
        await cloud.settled()
        answer = await cloud.act(server_id, {"changePassword": {"adminPass": "new"}})
        assert answer.json()["conflictingRequest"]["message"] == (
            f"Cannot 'changePassword' instance {server_id} while it is in vm_state stopped"
        )


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ErrorFacts("conflict", "QEMU guest agent is not enabled", "no_agent"), 409, "QEMU guest agent is not enabled"),
        (ErrorFacts("not_offered", "it does not answer"), 501, "Unable to set password on instance"),
        (ErrorFacts("failed", "no such user"), 409, "Failed to set admin password on {id} because no such user"),
    ],
)
async def test_a_password_that_is_not_set_is_no_success(error: ErrorFacts, status: int, message: str) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.faults.add(Fault(verb="ensure_password", error=error))
        answer = await cloud.act(server_id, {"changePassword": {"adminPass": "new"}})
        [told] = answer.json().values()
        assert (answer.status_code, told["message"]) == (status, message.format(id=server_id))
        assert (await cloud.server(server_id))["OS-EXT-STS:task_state"] is None


async def test_a_password_that_was_set_may_be_read_by_whoever_has_the_rsa_key() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        made = make_ssh()
        keypair = {"name": "rsa", "public_key": made.public_key, "type": "ssh"}
        assert (await cloud.demo.post("/compute/v2.1/os-keypairs", json={"keypair": keypair})).status_code == 201
        server_id = (await cloud.a_server(key_name="rsa"))["id"]
        path = f"/compute/v2.1/servers/{server_id}/os-server-password"
        for word in ("first", "sécond"):
            assert (await cloud.act(server_id, {"changePassword": {"adminPass": word}})).status_code == 202
            key = load_pem_private_key(made.private_key.encode(), None)
            assert isinstance(key, RSAPrivateKey)
            sealed = (await cloud.demo.get(path)).json()["password"]
            assert key.decrypt(base64.b64decode(sealed), PKCS1v15()).decode() == word
        # What does not fit into the key is set, and kept nowhere.
        assert (await cloud.act(server_id, {"changePassword": {"adminPass": "x" * 255}})).status_code == 202
        assert (await cloud.demo.get(path)).json()["password"] == sealed


async def test_a_crash_is_triggered_since_2_17() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        assert (await cloud.act(server_id, {"trigger_crash_dump": None})).status_code == 202
        await cloud.settled()
        console = await cloud.act(server_id, {"os-getConsoleOutput": {}})
        assert "NMI received" in console.json()["output"]
        old = await cloud.as_demo(version="compute 2.16")
        assert (await cloud.act(server_id, {"trigger_crash_dump": None}, old)).status_code == 404
        await cloud.act(server_id, {"os-stop": None})
        await cloud.settled()
        assert (await cloud.act(server_id, {"trigger_crash_dump": None})).status_code == 409


async def ask_metadata(cloud: TestedCloud, server_id: str, method: str, body: bytes = b"") -> tuple[int, bytes]:
    [port] = await cloud.read(lambda tx: records.select(tx, Port, "device_id = ?", [server_id]))
    asked = Asked(path="/openstack/latest/password", method=method, address="", port_id=port.id, body=body)
    told = await metadata_service.answer(cloud.cloud.world, asked)
    return told.status, told.body


async def test_a_guest_tells_its_password_once_and_its_owner_reads_and_clears_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        path = f"/compute/v2.1/servers/{server_id}/os-server-password"
        assert (await cloud.demo.get(path)).json() == {"password": ""}
        assert await ask_metadata(cloud, server_id, "GET") == (200, b"")
        assert (await ask_metadata(cloud, server_id, "POST", b"x" * 1021))[0] == 400
        assert (await ask_metadata(cloud, server_id, "POST", b"ciphertext"))[0] == 200
        assert (await ask_metadata(cloud, server_id, "POST", b"another"))[0] == 409
        assert await ask_metadata(cloud, server_id, "GET") == (200, b"ciphertext")
        assert (await cloud.demo.get(path)).json() == {"password": "ciphertext"}
        assert (await cloud.demo.delete(path)).status_code == 204
        assert (await cloud.demo.get(path)).json() == {"password": ""}


async def test_what_a_guest_has_used_in_both_forms() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id = (await cloud.a_server())["id"]
        path = f"/compute/v2.1/servers/{server_id}/diagnostics"
        assert (await cloud.demo.get(path)).status_code == 403
        told = (await cloud.admin.get(path)).json()
        assert (told["state"], told["driver"], told["hypervisor"]) == ("running", "libvirt", "fake")
        assert (told["num_cpus"], told["num_nics"], told["num_disks"]) == (1, 1, 1)
        assert told["memory_details"]["maximum"] == 512
        assert told["cpu_details"][0]["time"] > 0
        assert told["disk_details"][0]["read_bytes"] > 0
        assert told["nic_details"][0]["rx_octets"] > 0
        old = await cloud.as_admin(version="compute 2.47")
        named = (await old.get(path)).json()
        assert named["memory"] == 512 << 10
        assert {"cpu0_time", "vda_read_req", "vda_write", "vda_errors"} <= set(named)
        assert any(name.startswith("tap") and name.endswith("_rx_packets") for name in named)
        await cloud.act(server_id, {"os-stop": None})
        await cloud.settled()
        answer = await cloud.admin.get(path)
        assert (answer.status_code, answer.json()["conflictingRequest"]["message"]) == (
            409,
            f"Cannot 'get_diagnostics' instance {server_id} while it is in power state shutdown",
        )


async def test_a_guest_is_told_where_the_devices_with_a_tag_are() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        network = (await cloud.demo.get("/network/v2.0/networks?name=private")).json()["networks"][0]["id"]
        server_id = (await cloud.a_server(networks=[{"uuid": network, "tag": "blue"}]))["id"]
        [port] = await cloud.read(lambda tx: records.select(tx, Port, "device_id = ?", [server_id]))

        async def device() -> dict[str, Any]:
            asked = Asked(path="/openstack/latest/meta_data.json", method="GET", address="", port_id=port.id)
            told = await metadata_service.answer(cloud.cloud.world, asked)
            [only] = json.loads(told.body)["devices"]
            return dict(only)

        known = {"type": "nic", "mac": port.mac_address, "vf_trusted": False, "tags": ["blue"]}
        found = await cloud.hypervisor().addresses(server_id)
        assert await device() == {**known, "bus": "pci", "address": found[port.id].address}
        await cloud.host_silent("host-1")
        assert await device() == {**known, "bus": "none", "address": "none"}
