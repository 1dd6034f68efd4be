"""What takes long to import is imported by the commands that need it: help and small tools answer at once."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HEAVY: Final = {
    "alembic", "duckdb", "httpx", "jinja2", "lxml", "numba", "numpy", "psycopg", "pyarrow", "pydantic_settings",
    "sqlalchemy", "starlette", "structlog", "uvicorn", "xmlschema",
}  # fmt: skip
"""Each of them costs a tenth of a second of processor time or more, or brings one that does."""
P1: Final = "/ISK5\\2M550T-1012\n\n1-0:1.8.0(000123.456*kWh)\n!\n"


def _loaded_by(code: str) -> set[str]:
    """The top-level packages in a fresh interpreter after it ran some code."""
    code += "; import sys; print(); print(*{name.partition('.')[0] for name in sys.modules})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(told.stdout.splitlines()[-1].split())


def test_the_command_line_itself_imports_nothing_heavy() -> None:
    assert _loaded_by("import openami.cli") & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["bill", "--help"], ["edit", "--help"], ["services", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert _loaded_by(f"from openami.cli import app; app({arguments!r}, standalone_mode=False)") & HEAVY == set()


def test_decoding_a_telegram_imports_no_database_and_no_web(tmp_path: Path) -> None:
    file = tmp_path / "telegram.p1"
    file.write_text(P1)
    loaded = _loaded_by(f"from openami.cli import app; app(['decode', {str(file)!r}], standalone_mode=False)")
    assert loaded & (HEAVY - {"numpy"}) == set(), "columns of DLMS profiles are arrays"


def test_the_console_needs_no_database_and_imports_none() -> None:
    kept_out = {"sqlalchemy", "psycopg", "numpy", "pyarrow", "duckdb"}
    assert _loaded_by("import openami.web.area") & kept_out == set()
