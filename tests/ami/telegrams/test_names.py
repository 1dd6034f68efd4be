"""Codes in words: put together from value groups, never made up for what only a maker knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.telegrams.names import meaning


@pytest.mark.parametrize(
    ("obis", "words"),
    [
        ("1-0:1.8.0", "active energy import"),
        ("1-0:2.8.2", "active energy export, rate 2"),
        ("1-0:2.8.0*96", "active energy export, stored value 96"),
        ("1-0:1.8.0*255", "active energy import"),
        ("1-0:1.29.0", "active energy import, interval"),
        ("1-0:1.6.1", "active power import, maximum, rate 1"),
        ("1-0:41.7.0", "active power import, phase 2"),
        ("1-0:63.7.0", "reactive power import, phase 3"),
        ("1-0:6.8.0", "reactive energy quadrant 2"),
        ("1-0:16.7.0", "active power, import less export"),
        ("1-0:31.4.0", "current, phase 1, average"),
        ("1-0:52.32.0", "voltage sags, phase 2"),
        ("1-0:72.36.0", "voltage swells, phase 3"),
        ("1-0:31.7.124", "current, phase 1, total harmonic distortion"),
        ("1-0:32.7.5", "voltage, phase 1, harmonic 5"),
        ("1-0:14.7.0", "frequency"),
        ("7-0:3.0.0", "gas volume"),
        ("8-1:1.0.0", "water volume"),
        ("0-0:96.1.1", "equipment number"),
        ("0-2:24.2.1", "last value of the meter, channel 2"),
        ("0-3:96.3.10", "breaker, channel 3"),
        ("1-3:0.2.8", "version of the protocol"),
        ("129-129:199.130.3", ""),
        ("1-0:1.99.0", ""),
        ("1-0:90.7.0", ""),
        ("6.8", ""),
    ],
)
def test_what_a_code_stands_for(obis: str, words: str):
    assert meaning(obis) == words


@given(st.lists(st.integers(0, 255), min_size=6, max_size=6))
def test_every_code_is_answered_in_whole_words(groups: list[int]):
    a, b, c, d, e, f = groups
    words = meaning(f"{a}-{b}:{c}.{d}.{e}*{f}")
    assert "{" not in words
    assert words == words.strip(", ")
    assert ", ," not in words


@given(st.text(max_size=30))
def test_any_text_is_answered(text: str):
    assert isinstance(meaning(text), str)
