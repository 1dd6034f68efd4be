"""The documents cannot drift: what they name exists, what exists is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openami.shared.settings import Settings
from openami.shared.settings_reference import page

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*/*.md")]
KINDS = {"added", "changed", "fixed", "removed", "security"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for document in DOCUMENTS for word in re.findall(r"`make ([a-z-]+)", document.read_text())}
    assert named
    assert named <= targets


def test_ci_runs_what_the_readme_says_and_nothing_else() -> None:
    assert "make test" in (ROOT / "README.md").read_text()
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test"]


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text()
    pages = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("0*.md"))
    assert pages
    assert [page for page in pages if page not in listed] == []


def test_the_folders_of_the_architecture_exist() -> None:
    table = re.findall(r"^\| (`[^|]+`(?:, `[^|]+`)*) \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    folders = [name for cell in table for name in re.findall(r"`([a-z_/*0-9]+)`", cell)]
    assert folders
    missing = [name for name in folders if not any((ROOT / "src" / "openami").glob(name))]
    assert not missing


def test_the_settings_that_the_readme_names_exist() -> None:
    sentence = next(line for line in (ROOT / "README.md").read_text().split("\n") if line.startswith("Settings are"))
    named = [name for name in re.findall(r"`([a-z_]+)`", sentence) if "." not in name]
    assert named
    assert set(named) <= set(Settings.model_fields)


def test_every_setting_says_what_it_is() -> None:
    silent = [name for name, field in Settings.model_fields.items() if not field.description]
    assert not silent


def test_the_page_of_settings_is_the_settings() -> None:
    kept = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    assert kept == page(), "write `page()` of openami.shared.settings_reference into the page"


def test_fragments_are_one_sentence_to_users_by_kind() -> None:
    fragments = [path for path in (ROOT / "changes").glob("*.md") if path.name != "README.md"]
    wrong = [path.name for path in fragments if path.name.split(".")[-2] not in KINDS or not path.read_text().strip()]
    assert not wrong
