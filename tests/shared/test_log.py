from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from openami.shared.log import TAIL_BYTES, bound, last_error

if TYPE_CHECKING:
    from pathlib import Path

SAY = """
import structlog
from openami.shared.log import configure_logs
configure_logs("mdus", "{level}")
log = structlog.get_logger()
log.debug("small"); log.info("taken", readings=96)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("fell")
"""


def said(level: str) -> list[dict[str, object]]:
    """The lines of a process that logs at a level to a file."""
    done = subprocess.run([sys.executable, "-c", SAY.format(level=level)], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_is_one_fact_as_json_with_its_area_and_its_time() -> None:
    taken, fell = said("info")
    assert (taken["event"], taken["readings"], taken["area"], taken["level"]) == ("taken", 96, "mdus", "info")
    assert str(taken["timestamp"]).endswith("Z")
    assert "ZeroDivisionError" in str(fell["exception"])


@pytest.mark.parametrize(("level", "events"), [("debug", ["small", "taken", "fell"]), ("error", ["fell"])])
def test_the_level_says_what_is_written(level: str, events: list[str]) -> None:
    assert [line["event"] for line in said(level)] == events


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "mdus.log"
    assert not bound(file, 10)
    file.write_text("123456789")
    assert not bound(file, 10)
    assert file.read_text() == "123456789"
    assert not (tmp_path / "mdus.log.1").exists()


def test_a_log_that_has_grown_starts_anew_under_its_writer(tmp_path: Path) -> None:
    file = tmp_path / "mdus.log"
    with file.open("a") as writer:
        for turn in ("first", "second"):
            writer.write(f"{turn} {'x' * 10}\n")
            writer.flush()
            assert bound(file, 10)
            assert (tmp_path / "mdus.log.1").read_text().startswith(turn), "the one before is gone"
            assert file.stat().st_size == 0
        writer.write("third\n")
        writer.flush()
    assert file.read_text() == "third\n", "the writer goes on at the start"


def test_other_libraries_speak_from_warnings_on() -> None:
    script = (
        "from openami.shared.log import configure_logs; configure_logs('web'); import logging; "
        "logging.getLogger('httpx').info('small'); logging.getLogger('httpx').warning('great')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "great" in done.stderr
    assert "small" not in done.stderr


DIED = """Traceback (most recent call last):
  File "field.py", line 92, in start
    raise OtherStreetError("what")
openami.ami.meter.fleet.OtherStreetError: What is stored tells of another street. Set homes as they were.

ERROR:    Application startup failed. Exiting.
"""


def test_the_last_error_is_what_a_process_died_of(tmp_path: Path) -> None:
    file = tmp_path / "field.log"
    file.write_text('ValueError: an older one\n{"event": "started", "error": "x"}\n' + DIED)
    assert last_error(file) == "OtherStreetError: What is stored tells of another street. Set homes as they were."


def test_what_the_process_before_died_of_is_not_told_again(tmp_path: Path) -> None:
    file = tmp_path / "field.log"
    file.write_text(DIED)
    stood = file.stat().st_size
    with file.open("a") as log:
        log.write('{"event": "started"}\n')
    assert last_error(file, stood) == ""
    file.write_text("KeyError: 'x'\n")
    assert last_error(file, stood) == "KeyError: 'x'", "the log was started anew meanwhile"


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    file = tmp_path / "field.log"
    file.write_bytes(b"ValueError: long ago\n" + b"\xff" * TAIL_BYTES)
    assert last_error(file) == ""
