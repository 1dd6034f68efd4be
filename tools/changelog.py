"""Gathers the fragments of changes/ into CHANGELOG.md, newest on top, and removes them."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = ("added", "changed", "fixed", "removed", "security")


def main() -> None:
    """Write the section of the present version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    fragments = sorted((ROOT / "changes").glob("*.*.md"))
    lines = [f"## {version}", ""]
    for kind in KINDS:
        texts = [path.read_text().strip() for path in fragments if path.name.split(".")[-2] == kind]
        if texts:
            lines += [f"### {kind.capitalize()}", "", *(f"- {text}" for text in texts), ""]
    changelog = ROOT / "CHANGELOG.md"
    head, _, rest = changelog.read_text().partition("\n\n")
    changelog.write_text(f"{head}\n\n" + "\n".join(lines) + f"\n{rest}")
    for path in fragments:
        path.unlink()


if __name__ == "__main__":
    main()
