"""OBIS codes as people and octets write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError
from openami.ami.dlms.obis import Obis


@given(st.binary(min_size=6, max_size=6))
def test_octets_and_text_mean_the_same(octets: bytes) -> None:
    code = Obis.of(octets)
    assert Obis.of(str(code)) == code
    assert Obis.of(".".join(map(str, octets))) == code
    assert Obis.of(code) is code


@pytest.mark.parametrize("text", ["1-0:1.8.0.255", "1-0:1.8.0*255", "1-0:1.8.0&255", "1-0:1.8.0", "1.0.1.8.0.255"])
def test_every_way_to_write_it(text: str) -> None:
    assert Obis.of(text).octets == bytes((1, 0, 1, 8, 0, 255))


@pytest.mark.parametrize("text", ["", "1.8.0", "1-0:1.8.0.256", "1-0:1.8.0.255x", "a-0:1.8.0", "1.0.1.8.0"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="not an OBIS code"):
        Obis.of(text)


def test_six_octets_it_must_be() -> None:
    with pytest.raises(RemoteProtocolError):
        Obis(b"12345")
    assert repr(Obis.of("1-0:1.8.0")) == "Obis.of('1-0:1.8.0.255')"
