"""Seed files: the class of the documentation, planted twice; and every mistake told with its line."""

import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from minicloud.base.errors import Invalid
from minicloud.operations import seed_file, seeds
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "seeds.md"


def _example() -> str:
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


async def _plant(cloud: TestedCloud, path: Path) -> int:
    from minicloud.api.identity.passwords import Passwords

    return await seeds.plant(str(path), cloud.cloud.world.database, cloud.cloud.executor, Passwords("cheap"))


async def test_the_class_of_the_documentation_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "class.yaml"
    path.write_text(_example())
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, seed=str(path))
        projects = (await cloud.admin.get("/identity/v3/projects")).json()["projects"]
        assert len([one for one in projects if one["name"].startswith("student-")]) == 30
        user = {"name": "student-7", "domain": {"id": "default"}, "password": "welcome-7"}
        scope = {"project": {"name": "student-7", "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        answer = await cloud.http.post("/identity/v3/auth/tokens", json={"auth": auth})
        assert answer.status_code == 201, answer.text
        headers = {"X-Auth-Token": answer.headers["x-subject-token"]}
        mine = answer.json()["token"]["project"]["id"]
        nets = (await cloud.http.get("/network/v2.0/networks", headers=headers)).json()["networks"]
        assert "net-7" in {one["name"] for one in nets if one["project_id"] == mine}
        limits = (await cloud.http.get("/compute/v2.1/limits", headers=headers)).json()["limits"]["absolute"]
        assert (limits["maxTotalInstances"], limits["maxTotalCores"]) == (3, 4)
        quota = (await cloud.http.get(f"/network/v2.0/quotas/{mine}", headers=headers)).json()["quota"]
        assert quota["floatingip"] == 2
        flavors = (await cloud.http.get("/compute/v2.1/flavors", headers=headers)).json()["flavors"]
        assert "lesson" in {one["name"] for one in flavors}
        assert await _plant(cloud, path) == 0
        assert len((await cloud.admin.get("/identity/v3/projects")).json()["projects"]) == len(projects)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("users:\n  - {name: a}\n", 2, "password"),
        ("users:\n  - name: a\n    password: b\n  - name: c\n    password: d\n    colour: e\n", 4, "colour"),
        ("teachers: []\n", 1, "no teachers"),
        ("\nprojects: x\n", 2, "should be a list"),
        ("projects:\n  - {name: p, count: 3}\n", 2, "{n}"),
        ("projects:\n  - {name: 'p{n}', count: many}\n", 2, "count"),
        ("projects:\n  - [1]\n", 2, "fields"),
        ("projects: [\n", 2, ""),
        ("- a\n", 1, "lists called"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(Invalid, match=f"class.yaml, line {line}: ") as refused:
        seed_file.parse(text, "class.yaml")
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("projects:\n  - name: one\n  - name: two\n    quotas: {servers: 3}\n", "line 3: there is no quota servers"),
        ("projects:\n  - {name: one, domain: nowhere}\n", "line 2: there is no domain nowhere"),
        ("users:\n  - name: u\n    password: p\n    roles: [{role: x, project: demo}]\n", "line 2: there is no role x"),
        ("projects:\n  - name: one\n    networks: [{name: n, cidr: nonsense}]\n", "line 2"),
        ("images:\n  - {name: i, file: nowhere.qcow2}\n", "line 2: there is no image file"),
        ("flavors:\n  - {name: f, vcpus: 0, ram: 1, disk: 0}\n", "line 2: a flavor has"),
    ],
)
async def test_what_cannot_be_made_makes_nothing(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "class.yaml"
    path.write_text(text)
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        with pytest.raises(Invalid, match=said):
            await _plant(cloud, path)
        projects = (await cloud.admin.get("/identity/v3/projects")).json()["projects"]
        assert "one" not in {project["name"] for project in projects}
