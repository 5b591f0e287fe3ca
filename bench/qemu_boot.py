"""A real guest: from POST to its login prompt, beside the bare qemu command line of the same guest on the same network.

The floor is the very argument list that minicloud used, run by hand in the network's namespace on a fresh disk, after the
server was stopped: the same kernel, devices, DHCP and metadata, and nothing of minicloud in between.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from bench import figures
from bench.clouds import Client, a_cloud

LOGIN = b"login: "
RUNS = 3
LIMIT_S = 180


def wait_for_login(console: Path, began: float) -> float:
    """Seconds since ``began`` until the guest shows its login prompt."""
    while time.perf_counter() - began < LIMIT_S:
        if console.exists() and LOGIN in console.read_bytes():
            return time.perf_counter() - began
        time.sleep(0.005)
    raise TimeoutError(f"no login prompt on {console}")


async def through_minicloud(client: Client, data: Path, name: str) -> tuple[str, float, float]:
    """Boot a server: its id, seconds to ACTIVE, seconds to the login prompt."""
    began = time.perf_counter()
    answer = await client.post("/compute/v2.1/servers", json=client.server(name, flavor="42"))
    assert answer.status_code == 202, answer.text
    server_id = answer.json()["server"]["id"]
    console = data / "hosts" / "host-1" / "instances" / server_id / "console.log"
    active = 0.0
    while not (console.exists() and LOGIN in console.read_bytes()):
        if not active:
            server = (await client.get(f"/compute/v2.1/servers/{server_id}")).json()["server"]
            assert server["status"] in ("BUILD", "ACTIVE"), server
            active = time.perf_counter() - began if server["status"] == "ACTIVE" else 0.0
        time.sleep(0.005)
    return server_id, active, time.perf_counter() - began


async def stopped(client: Client, server_id: str) -> None:
    """Power the server off; its port stays wired."""
    await client.post(f"/compute/v2.1/servers/{server_id}/action", json={"os-stop": None})
    while (await client.get(f"/compute/v2.1/servers/{server_id}")).json()["server"]["status"] != "SHUTOFF":
        await asyncio.sleep(0.05)


def by_hand(argv: list[str], folder: Path, base: str, namespace: str, tap: str) -> float:
    """The same command line on a fresh disk; seconds from exec to the login prompt."""
    disk = folder / "disk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", str(disk), "1G"], check=True)
    command = ["ip", "netns", "exec", namespace]
    for word in argv:
        if word.startswith("tap,id="):
            word = f"{word.partition(',fd=')[0]},ifname={tap},script=no,downscript=no"
        elif '"filename"' in word:
            start = word.index('"filename":"') + len('"filename":"')
            word = word[:start] + str(disk) + word[word.index('"', start) :]
        command.append(word)
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return wait_for_login(folder / "console.log", began)
    finally:
        process.kill()
        process.wait()


async def main() -> None:
    if shutil.which("qemu-system-x86_64") is None or os.geteuid() != 0:
        print("qemu_boot: needs qemu-system-x86 and root (the floor runs in the network's namespace)")
        return
    async with a_cloud("--fabric", "linux", driver="qemu") as client:
        await client.unlimited()
        await client.look_around()
        data = client.data
        ours, actives, bare = [], [], []
        for number in range(RUNS):
            server_id, active, login = await through_minicloud(client, data, f"guest-{number}")
            ours.append(login)
            actives.append(active)
            instance = data / "hosts" / "host-1" / "instances" / server_id
            pid = int((instance / "pid").read_text())
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
            port = (await client.get("/network/v2.0/ports", params={"device_id": server_id})).json()["ports"][0]
            await stopped(client, server_id)
            cloud_id = (data / "cloud-id").read_text().strip()
            base = str(next((data / "_base").glob("*.qcow2")))
            with tempfile.TemporaryDirectory(prefix="mc-bare-") as folder:
                namespace = f"mc-{cloud_id}-n-{port['network_id']}"
                bare.append(by_hand(argv, Path(folder), base, namespace, f"tap{port['id'][:11]}"))
            await client.delete(f"/compute/v2.1/servers/{server_id}")
        overhead = figures.p50(ours) - figures.p50(bare)
        figures.show("qemu_active_s", figures.p50(actives), "s")
        figures.show("qemu_login_s", figures.p50(ours), "s", floor=figures.p50(bare))
        figures.show(
            "qemu_overhead_s", overhead, "s", target="< 0.3", more=f"best {min(ours):.2f} s against {min(bare):.2f} s"
        )


if __name__ == "__main__":
    asyncio.run(main())
