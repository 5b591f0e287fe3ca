"""Nova's API samples: every sampled operation, asked at every sampled version, answers with a document of the sampled shape."""

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from minicloud.drivers.faults import Fault
from tests.support import sampled
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.distil_samples import patched, shape

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
SAMPLES = Path(__file__).parents[2] / "golden" / "nova_samples.jsonl"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKrPzoFqWWoV7n5xHmVLIZm3F9z6y1BmRHSY3dvSVEXl a@b"
OFTEN_ABSENT = {"servers_links", "fault", "progress", "security_groups"}
"""Keys of nova's answers that depend on the state of a thing, not on the version."""


def samples() -> dict[str, dict[int, Any]]:
    """The shape of each sample by name and second number of the version."""
    found: dict[str, dict[int, Any]] = {}
    for line in SAMPLES.read_text().splitlines():
        name, told = json.loads(line)
        now: Any = None
        for version, change in told.items():
            now = patched(now, change)
            found.setdefault(name, {})[int(version.split(".")[1])] = now
    return found


def differences(wanted: Any, found: Any, place: str = "", sometimes: set[str] = OFTEN_ABSENT) -> list[str]:
    """Where an answer's shape is another one; null may stand for anything, and anything may be null."""
    if wanted == "x" or found == "x":
        return []
    if not isinstance(wanted, dict) or not isinstance(found, dict):
        return [] if wanted == found else [f"{place or 'all of it'}: {found}, not {wanted}"]
    if "*" in wanted:
        inner = [part for key, part in found.items() if key != "*"] + ([found["*"]] if "*" in found else [])
        return [line for part in inner for line in differences(wanted["*"], part, f"{place}.*", sometimes)]
    absent = sorted(key for key in wanted if key not in found and key not in sometimes)
    more = sorted(key for key in found if key not in wanted and key not in sometimes)
    lines = [f"{place}: no {key}" for key in absent] + [f"{place}: {key} is too much" for key in more]
    for key in wanted:
        if key in found:
            lines += differences(wanted[key], found[key], f"{place}.{key}" if place else key, sometimes)
    return lines


def test_shapes_are_told_apart() -> None:
    old = shape({"a": {"b": 1, "metadata": {"x": "y"}}, "c": [{"d": None}, {"d": None, "e": 1}]})
    assert old == {"a": {"b": "n", "metadata": {"*": "s"}}, "c": {"[]": {"d": "x"}}}
    new = patched(old, {"a": {"b": None, "f": "s"}, "c": {"[]": {"g": "b"}}})
    assert new == {"a": {"metadata": {"*": "s"}, "f": "s"}, "c": {"[]": {"d": "x", "g": "b"}}}
    assert differences(old, new) == ["a: no b", "a: f is too much", "c.[]: g is too much"]
    assert differences(old, old) == differences("x", old) == []
    assert differences({"a": "n"}, {"a": "s"}) == ["a: s, not n"]


def test_every_sample_is_asked_or_gone_or_in_the_ledger() -> None:
    names = set(samples())
    gone = {name for name in names if name.partition("/")[0] in sampled.GONE}
    assert names == set(sampled.LINES) | set(sampled.LEDGER) | gone
    assert not set(sampled.LINES) & set(sampled.LEDGER)
    assert all(sampled.LEDGER.values())


class Stage:
    """A cloud with one of everything, and what it is called."""

    def __init__(self, cloud: TestedCloud) -> None:
        self.cloud = cloud
        self.things: dict[str, str] = {}
        self.member: httpx.AsyncClient

    async def ask(self, method: str, path: str, body: Any = None, *, version: str = "latest") -> Any:
        """A request of an administrator, which must succeed."""
        headers = {"OpenStack-API-Version": f"compute {version}"}
        url = path if path.startswith("/identity") else f"{V}{path}"
        answer = await self.cloud.admin.request(method, url, json=body, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def fill(self) -> None:
        """Make the things."""
        cloud, things = self.cloud, self.things
        network = next(
            n for n in (await self.ask("GET", "/os-networks", version="2.35"))["networks"] if n["label"] != "public"
        )
        things |= {
            "image": await cloud.image_id(),
            "network": network["id"],
            "network_name": network["label"],
            "public_key": KEY,
        }
        await self.ask("POST", "/os-keypairs", {"keypair": {"name": "sampled", "public_key": KEY}})
        group = {"server_group": {"name": "g", "policy": "anti-affinity", "rules": {"max_server_per_host": 3}}}
        things["server_group"] = (await self.ask("POST", "/os-server-groups", group))["server_group"]["id"]
        body = {"name": "sampled", "flavorRef": "1", "imageRef": things["image"], "networks": [{"uuid": network["id"]}]}
        body |= {
            "metadata": {"a": "1"},
            "tags": ["t"],
            "key_name": "sampled",
            "availability_zone": "nova",
            "config_drive": True,
        }
        for name in ("server", "rebuilt_server", "rescued_server", "moved_server", "evacuated_server", "moving_server"):
            hints = {"group": things["server_group"]} if name == "server" else {}
            # The stage's aggregates are of that zone, too: whoever asked for it could not leave for a host outside them.
            where = {"availability_zone": ""} if name in ("evacuated_server", "moving_server") else {}
            document = {"server": {k: v for k, v in {**body, **where}.items() if v}, "os:scheduler_hints": hints}
            things[name] = (await self.ask("POST", "/servers", document))["server"]["id"]
        special = {"name": "special", "ram": 128, "vcpus": 4, "disk": 1}
        flavor = (await self.ask("POST", "/flavors", {"flavor": special}))["flavor"]["id"]
        specs = {"extra_specs": {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "2"}}
        await self.ask("POST", f"/flavors/{flavor}/os-extra_specs", specs)
        document = {"server": body | {"flavorRef": flavor}}
        things["pinned_server"] = (await self.ask("POST", "/servers", document))["server"]["id"]
        await cloud.settled()
        server = (await self.ask("GET", f"/servers/{things['server']}"))["server"]
        things |= {"project": server["tenant_id"], "user": server["user_id"], "host": server["OS-EXT-SRV-ATTR:host"]}
        await self._actions()
        await self._places()
        await self._neighbours()

    async def _actions(self) -> None:
        things = self.things
        await self.ask("POST", f"/servers/{things['rescued_server']}/action", {"rescue": {}})
        await self.ask("POST", f"/servers/{things['moved_server']}/action", {"migrate": None})
        await self.ask("POST", f"/servers/{things['server']}/action", {"createImage": {"name": "snap"}}, version="2.1")
        await self.cloud.settled()
        await self.ask("POST", f"/servers/{things['moved_server']}/action", {"confirmResize": None})
        await self.ask("POST", f"/servers/{things['server']}/action", {"os-stop": None})
        await self.cloud.settled()
        await self.ask("POST", f"/servers/{things['server']}/action", {"os-start": None})
        await self.cloud.settled()
        found = (await self.ask("GET", f"/servers/{things['server']}/os-instance-actions"))["instanceActions"]
        things |= {"action": found[1]["request_id"], "last_action": found[0]["request_id"]}
        things["migration"] = (await self.ask("GET", "/os-migrations"))["migrations"][-1]["uuid"]
        await self.ask(
            "POST",
            f"/images/{things['image']}/metadata",
            {"metadata": {"rack": "a", "auto_disk_config": "True"}},
            version="2.38",
        )

    async def _places(self) -> None:
        things = self.things
        old = (await self.ask("GET", "/os-hypervisors", version="2.52"))["hypervisors"]
        new = (await self.ask("GET", "/os-hypervisors"))["hypervisors"]
        things["hypervisor_number"] = next(str(h["id"]) for h in old if h["hypervisor_hostname"] == things["host"])
        things["hypervisor_uuid"] = next(h["id"] for h in new if h["hypervisor_hostname"] == things["host"])
        services = (await self.ask("GET", "/os-services"))["services"]
        things["service_uuid"] = next(
            s["id"] for s in services if (s["host"], s["binary"]) == (things["host"], "nova-compute")
        )
        things |= {"empty_host": "host-small", "refuge": "host-cells"}
        for name in ("aggregate", "empty_aggregate"):
            made = await self.ask("POST", "/os-aggregates", {"aggregate": {"name": name, "availability_zone": "nova"}})
            things[name] = str(made["aggregate"]["id"])

    async def _neighbours(self) -> None:
        things = self.things
        flavor = {"name": "sampled", "ram": 64, "vcpus": 1, "disk": 1}
        things["flavor"] = (await self.ask("POST", "/flavors", {"flavor": flavor}))["flavor"]["id"]
        await self.ask(
            "POST", f"/flavors/{things['flavor']}/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "shared"}}
        )
        private = flavor | {"name": "private", "os-flavor-access:is_public": False}
        things["private_flavor"] = (await self.ask("POST", "/flavors", {"flavor": private}))["flavor"]["id"]
        others = (await self.ask("GET", "/identity/v3/projects"))["projects"]
        things["other_project"] = next(one["id"] for one in others if one["name"] == "demo")
        things["pool"] = (await self.ask("GET", "/os-floating-ip-pools", version="2.35"))["floating_ip_pools"][0][
            "name"
        ]
        floating = await self.ask("POST", "/os-floating-ips", {"pool": things["pool"]}, version="2.35")
        things["floating"] = floating["floating_ip"]["id"]
        group = {"security_group": {"name": "sampled", "description": ""}}
        things["group"] = (await self.ask("POST", "/os-security-groups", group, version="2.35"))["security_group"]["id"]
        ports = (await self.ask("GET", f"/servers/{things['server']}/os-interface"))["interfaceAttachments"]
        things["port"] = ports[0]["port_id"]
        for name in ("attached_volume", "snapshot_volume"):
            made = await self.ask("POST", "/os-volumes", {"volume": {"size": 1, "display_name": name}}, version="2.35")
            things[name] = made["volume"]["id"]
        await self.cloud.settled()
        attachment = {"volumeAttachment": {"volumeId": things["attached_volume"]}}
        await self.ask("POST", f"/servers/{things['server']}/os-volume_attachments", attachment)
        snapshot = {"snapshot": {"volume_id": things["snapshot_volume"], "display_name": "s"}}
        things["snapshot"] = (await self.ask("POST", "/os-snapshots", snapshot, version="2.35"))["snapshot"]["id"]
        await self.cloud.settled()
        quota = {"quota_set": {"instances": -1, "cores": -1, "ram": -1, "server_groups": -1, "key_pairs": -1}}
        await self.ask("PUT", f"/os-quota-sets/{things['project']}", quota)

    async def _go_on_moving(self) -> None:
        """A live migration begins that takes a minute, which is looked at four times a second."""
        assert self.cloud.cloud.fake is not None
        self.cloud.cloud.fake.faults.set([Fault(verb="ensure_sent", delay_s=60.0)])
        server = f"/servers/{self.things['moving_server']}"
        await self.ask("POST", f"{server}/action", {"os-migrateLive": {"host": None, "block_migration": "auto"}})
        for _ in range(100):
            found = (await self.ask("GET", f"{server}/migrations"))["migrations"]
            if found and found[0]["memory_total_bytes"]:
                self.things["move"] = str(found[0]["id"])
                return
            await anyio.sleep(0.1)
        raise AssertionError("it never began")

    async def _lose_host(self, *, down: bool) -> None:
        """The host of the server that is evacuated is down, or is back."""
        if down:
            server = (await self.ask("GET", f"/servers/{self.things['evacuated_server']}"))["server"]
            self.things["lost_host"] = server["OS-EXT-SRV-ATTR:host"]
        found = (await self.ask("GET", f"/os-services?binary=nova-compute&host={self.things['lost_host']}"))["services"]
        await self.ask("PUT", f"/os-services/{found[0]['id']}", {"forced_down": down})

    async def sample(self, name: str, minor: int, wanted: Any) -> list[str]:
        """What is wrong with the answer to a sampled request."""
        if name.endswith("attach-volume-to-server-resp"):
            made = await self.ask("POST", "/os-volumes", {"volume": {"size": 1}}, version="2.35")
            self.things["volume"] = made["volume"]["id"]
            await self.cloud.settled()
        things = self.things
        if name.startswith("server-migrations/"):
            await self._go_on_moving()
        if name.startswith("os-evacuate/"):
            await self._lose_host(down=True)
        if name.endswith(("add-host-post-resp", "remove-host-post-resp")):
            inside = (await self.ask("GET", f"/os-aggregates/{things['empty_aggregate']}"))["aggregate"]["hosts"]
            wished = [things["empty_host"]] if "remove" in name else []
            for verb, hosts in (("remove_host", set(inside) - set(wished)), ("add_host", set(wished) - set(inside))):
                for host in hosts:
                    await self.ask("POST", f"/os-aggregates/{things['empty_aggregate']}/action", {verb: {"host": host}})
        linked = any(key.endswith("links") and key != "links" for key in wanted) or "links" in wanted
        method, path, body = sampled.asked(name, minor, self.things, linked=linked)
        # Some samples were taken by people who are no administrators: they lack what only those see.
        client = (
            self.member if "OS-EXT-STS" in str(wanted) and "SRV-ATTR:host'" not in str(wanted) else self.cloud.admin
        )
        if name.endswith(("non-admin-resp", "topology-resp-user")):
            client = self.member
        headers = {"OpenStack-API-Version": f"compute 2.{minor}"}
        url = path if path.startswith("/compute") else f"{V}{path}"
        answer = await client.request(method, url, json=body, headers=headers)
        await self.cloud.settled()
        if name.startswith("os-evacuate/"):
            await self._lose_host(down=False)
        if not answer.is_success:
            return [f"{method} {path}: {answer.status_code} {answer.text[:300]}"]
        document = answer.json() if answer.content else {}
        sometimes = {key for prefix, keys in sampled.SOMETIMES.items() if name.startswith(prefix) for key in keys}
        return differences(wanted, shape(document), sometimes=OFTEN_ABSENT | sometimes)


HOSTS = """
hosts:
  - {name: host, count: 4, vcpus: 512, memory_mb: 1048576, disk_gb: 10000}
  - {name: host-small, vcpus: 1, memory_mb: 64, disk_gb: 1}
  - name: host-cells
    disk_gb: 10000
    numa: [{cpus: "0-7", pinned: "8-15", memory_mb: 8192}, {cpus: "16-23", pinned: "24-31", memory_mb: 8192}]
"""


async def test_every_sampled_answer_has_its_shape(tmp_path: Path) -> None:
    file = tmp_path / "hosts.yaml"
    file.write_text(HOSTS)
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts_file=str(file), reconcile_interval=1e6)
        await cloud.admin.put(
            f"{V}/os-quota-class-sets/default", json={"quota_class_set": {"instances": -1, "cores": -1, "ram": -1}}
        )
        stage = Stage(cloud)
        await stage.fill()
        stage.member = await _a_member(cloud)
        await stage.member.post(f"{V}/os-keypairs", json={"keypair": {"name": "sampled", "public_key": KEY}})
        wrong: list[str] = []
        asked = 0
        for name, by_version in samples().items():
            if name not in sampled.LINES:
                continue
            for minor, wanted in by_version.items():
                if f"{name} 2.{minor}" in sampled.AT_VERSIONS:
                    continue
                asked += 1
                wrong += [f"{name} 2.{minor}: {line}" for line in await stage.sample(name, minor, wanted)]
        assert not wrong, f"{len(wrong)} of {asked}:\n" + "\n".join(wrong)
        assert asked > 350


async def _a_member(cloud: TestedCloud) -> httpx.AsyncClient:
    """An ordinary member of the administrator's project."""
    project = (await cloud.admin.get("/identity/v3/projects?name=admin")).json()["projects"][0]["id"]
    user = (await cloud.admin.get("/identity/v3/users?name=demo")).json()["users"][0]["id"]
    role = (await cloud.admin.get("/identity/v3/roles?name=member")).json()["roles"][0]["id"]
    await cloud.admin.put(f"/identity/v3/projects/{project}/users/{user}/roles/{role}")
    return await cloud.as_("demo", project="admin")
