"""A radio receiver's recorded streams of a hundred makes: each telegram is read, opened, or left for a reason."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.ami.mbus.test_radio import found, plain_hex, the_key

from openami.ami.mbus import MBusError
from openami.ami.mbus.compact import FormatBook
from openami.ami.mbus.errors import FrameLengthError, KeyMissingError, RecordTruncatedError, UnknownFormatError
from openami.ami.mbus.radio import RadioTelegram, decode_radio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEFT: Final = {
    # their keys are not among the fixtures
    "14542076": KeyMissingError,
    "20096221": KeyMissingError,
    "60250420": KeyMissingError,
    "81100028": KeyMissingError,
    # its length was made wrong, to see what is logged then
    "11776622": FrameLengthError,
    # an old rfmtx1 hides its volume in eight bytes; one telegram does not tell how
    "74737271": RecordTruncatedError,
    # a compact frame whose full form was changed since
    "76348799": UnknownFormatError,
}
"""What cannot be read, by the identification in its link layer."""


def telegrams(folder: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each radio telegram of the files, with what the receiver's own program says of it."""
    for path in sorted(folder.glob("*.txt")):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            octets = plain_hex(re.sub(r"\+\d+$", "", line.removeprefix("telegram="))) if "telegram=" in line else b""
            if octets[:1] in (b"", b"\x68"):
                continue
            told = next((each for each in lines[number + 1 : number + 3] if each.startswith("{")), "{}")
            yield octets, json.loads(told)


@pytest.fixture
def keys(fixtures: Path) -> list[bytes]:
    """The keys that are given with the telegrams of the drivers; the simulations use some of them for other meters."""
    rows = map(json.loads, (fixtures / "wmbus" / "wmbusmeters_driver_tests.jsonl").read_text().splitlines())
    return sorted({bytes.fromhex(row["key"]) for row in rows if len(row["key"] or "") == 32})


def opened(octets: bytes, keys: list[bytes], book: FormatBook) -> RadioTelegram | type[MBusError]:
    """The telegram, by whichever key fits; or the reason why none does."""
    reason: type[MBusError] = MBusError
    for key in (None, *keys):
        try:
            return decode_radio(octets, partial(the_key, key), book)
        except MBusError as error:
            reason = type(error) if key is None else reason
    return reason


def test_every_telegram_of_the_simulations_is_read_or_left_for_a_reason(fixtures: Path, keys: list[bytes]):
    outcomes: Counter[str] = Counter()
    values: Counter[bool] = Counter()
    left: dict[str, type[MBusError]] = {}
    book = FormatBook()
    for octets, expected in telegrams(fixtures / "wmbus" / "simulations"):
        telegram = opened(octets, keys, book)
        if not isinstance(telegram, RadioTelegram):
            left[octets[7:3:-1].hex()] = telegram
            continue
        outcomes["opened" if telegram.encrypted else "read"] += 1
        values += found(expected, telegram)
    assert left == LEFT
    assert outcomes == {"read": 111, "opened": 3}
    # one power is the sum of three phases that the receiver adds up
    assert values[False] == 1
    assert values[True] == 295
