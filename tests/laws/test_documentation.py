"""Every setting and every command is documented, in the words of the program itself."""

import re
from pathlib import Path

import pytest

from minicloud.cli.commands_page import commands, commands_page
from minicloud.cli.described import described, settings_page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_page_of_settings_is_up_to_date() -> None:
    page = (DOCS / "settings.md").read_text()
    assert settings_page() in page, "run `make docs`"


def test_every_setting_has_its_sentence() -> None:
    for one in described():
        assert one.sentence.rstrip().endswith("."), f"{one.name} has no sentence below it in settings/fields.py"


def test_the_page_of_commands_is_up_to_date() -> None:
    page = (DOCS / "commands.md").read_text()
    assert commands_page() in page, "run `make docs`"


def test_every_command_and_every_option_says_what_it_does() -> None:
    for one in commands():
        assert one.help, f"minicloud {one.words} has no help"
        for option in one.options:
            assert option.help, f"minicloud {one.words} {option.name} has no help"


@pytest.mark.parametrize("page", sorted([*DOCS.rglob("*.md"), ROOT / "README.md"]), ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


@pytest.mark.parametrize("page", sorted([*DOCS.rglob("*.md"), ROOT / "README.md"]), ids=lambda path: path.name)
def test_commands_in_the_pages_exist(page: Path) -> None:
    known = {one.words for one in commands()}
    heads = {words.split()[0] for words in known}
    for said in re.findall(r"(?:^|[`($ ])minicloud ([a-z]+)(?: ([a-z]+))?", page.read_text(), re.MULTILINE):
        first, second = said
        if first in heads:
            both = f"{first} {second}".strip()
            groups = {words.split()[0] for words in known if " " in words}
            assert first not in groups or not second or any(words.startswith(both) for words in known), both
