"""Laws of sagas: each of them keeps the contract in a test of its own, which stands where one looks for it."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import minicloud.conductor
from minicloud.cloud import SAGAS
from minicloud.conductor.step import Saga, placed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", SAGAS, ids=lambda kind: kind.__name__)
def test_every_saga_keeps_the_contract_in_its_own_test(kind: type[Saga]) -> None:
    source = Path(inspect.getfile(kind)).relative_to(ROOT / "minicloud")
    test = ROOT / "tests" / source.parent / f"test_{source.name}"
    assert test.exists(), f"{kind.__name__} has no test {test.relative_to(ROOT)}"
    text = test.read_text(encoding="utf-8")
    assert "check_contract(" in text, f"{test.relative_to(ROOT)} does not check the contract"
    assert kind.__name__ in text, f"{test.relative_to(ROOT)} is not about {kind.__name__}"


@pytest.mark.parametrize("kind", SAGAS, ids=lambda kind: kind.__name__)
def test_an_act_that_reaches_outside_says_that_it_may_be_done_twice(kind: type[Saga]) -> None:
    names = [f.__name__ for p in placed(kind) for f in (p.step.act, p.step.undo) if f is not None]
    assert [name for name in names if not name.startswith("ensure_")] == []


def test_every_saga_that_there_is_belongs_to_the_cloud() -> None:
    for found in pkgutil.walk_packages(minicloud.conductor.__path__, "minicloud.conductor."):
        importlib.import_module(found.name)

    def ours(kind: type[Saga]) -> list[type[Saga]]:
        return [child for child in kind.__subclasses__() if child.__module__.startswith("minicloud.")]

    def with_steps(kind: type[Saga]) -> list[type[Saga]]:
        below = [found for child in ours(kind) for found in with_steps(child)]
        return [kind, *below] if kind is not Saga and "steps" in vars(kind) else below

    assert set(with_steps(Saga)) == set(SAGAS)
