"""What a meter refuses leaves it as it was; and what its field tells of meters of both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.ami.meter.conftest import GENESIS, ZONE

from openami.ami.dlms import data as d
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError
from openami.ami.dlms.queries import act, read, write
from openami.ami.meter import views
from openami.ami.meter.calendars import NORMAL, Calendar
from openami.ami.meter.firmware import IMAGE_OCTETS_MAX
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.happenings import happening_of
from openami.ami.meter.prepayment import AMOUNT_MAX, Purse, empty_s
from openami.ami.meter.recordings import Flow
from openami.ami.meter.street import MODERN, build_street
from openami.ami.meter.times import instant_of, seconds_of

if TYPE_CHECKING:
    from tests.ami.meter.conftest import Reader

    from openami.ami.dlms.data import Data

SERIAL = "OAE0000001"
ACCOUNT, CREDIT, CHARGE, IMAGE, SPECIAL_DAYS = (
    "0-0:19.0.0",
    "0-0:19.10.0",
    "0-0:19.20.0",
    "0-0:44.0.0",
    "0-0:11.0.0",
)


def charge(*prices: int) -> Data:
    return d.array([d.structure(d.octet_string(b""), d.integer16(price)) for price in prices])


@pytest.mark.parametrize(
    ("obis", "class_id", "method", "parameter"),
    [
        (CREDIT, 112, 1, d.integer64(AMOUNT_MAX + 1)),
        (CREDIT, 112, 1, d.integer64(-AMOUNT_MAX - 1)),
        (CHARGE, 113, 1, None),
        (CHARGE, 113, 1, charge()),
        (CHARGE, 113, 1, charge(-1)),
        (IMAGE, 18, 1, None),
        (IMAGE, 18, 1, d.structure(d.octet_string(b"1.0"))),
        (IMAGE, 18, 1, d.structure(d.octet_string(b"1.0"), d.unsigned32(0))),
        (IMAGE, 18, 1, d.structure(d.octet_string(b"1.0"), d.unsigned32(IMAGE_OCTETS_MAX + 1))),
        (IMAGE, 18, 2, d.structure(d.unsigned32(0), d.octet_string(b"no transfer has begun"))),
    ],
)
def test_a_method_with_a_parameter_that_cannot_be_changes_nothing(
    fleet: Fleet, reader: Reader, obis: str, class_id: int, method: int, parameter: Data | None
):
    before = (fleet.meters[SERIAL].purse, fleet.meters[SERIAL].image)
    with pytest.raises(ActionRefusedError):
        reader.ask(act(obis, class_id, method, parameter))
    assert (fleet.meters[SERIAL].purse, fleet.meters[SERIAL].image) == before


def test_an_account_is_prepaid_or_not_and_nothing_else(reader: Reader):
    was = reader.ask(read(ACCOUNT, 111, 2))
    with pytest.raises(AccessDeniedError):
        reader.ask(write(ACCOUNT, 111, 2, d.structure(d.enum(7), d.enum(2))))
    assert reader.ask(read(ACCOUNT, 111, 2)) == was


def test_special_days_come_and_go_one_by_one(reader: Reader):
    """Blue Book 4.5.4: insert (method 1) replaces the entry of the same index, delete (method 2) takes one out."""
    day = d.octet_string(bytes.fromhex("07ea0a1e05"))
    for index, day_id in ((1, 2), (2, 1), (1, 1)):
        reader.ask(act(SPECIAL_DAYS, 11, 1, d.structure(d.unsigned16(index), day, d.unsigned8(day_id))))
    assert [
        tuple(each.integer() for each in (entry.fields(3)[0], entry.fields(3)[2])) for entry in _special(reader)
    ] == [
        (2, 1),
        (1, 1),
    ]
    reader.ask(act(SPECIAL_DAYS, 11, 2, d.unsigned16(2)))
    assert [entry.fields(3)[0].integer() for entry in _special(reader)] == [1]


def test_a_calendar_of_which_nothing_fits_has_the_normal_tariff():
    """Days without a switch, and a week that no season names."""
    local = GENESIS.astimezone()
    assert Calendar(days={}, weeks={}, seasons=()).tariff_at(local) == NORMAL
    assert Calendar(days={}, weeks={b"V": (1,) * 7}, seasons=((6, 1, b"W"),)).tariff_at(local) == NORMAL


def test_a_purse_is_empty_at_the_second_in_which_its_last_money_is_used(fleet: Fleet):
    fleet.live_through(fleet.lived_s + 3 * 86400)
    history = fleet.meters[SERIAL].history
    assert history is not None
    start_s, end_s = seconds_of(GENESIS), fleet.lived_s
    used_wh = history.at(end_s) - history.at(start_s)
    purse = Purse(
        prepaid=True, price=100, amount=100 * used_wh // 2000, since_s=start_s, register_wh=history.at(start_s)
    )
    found = empty_s(purse, history, start_s, end_s)
    assert found is not None
    assert purse.at(history.at(found)) <= 0 < purse.at(history.at(found - 1))
    assert empty_s(purse, history, found + 1, found + 1) is None, "no second lies in between"
    assert empty_s(Purse(), history, start_s, end_s) is None, "who pays afterwards has no purse"


def test_the_fitter_reads_what_was_fed_in_off_a_meter_of_both_directions():
    fleet = Fleet(build_street(10, 1, MODERN), ZONE, seconds_of(GENESIS))
    fleet.begin()
    old = next(each for each in fleet.meters.values() if each.device.exports and each.home)
    new = next(each for each in fleet.meters.values() if each.home is None and each.mains_fed)
    at_s = fleet.lived_s + 20 * 86400
    body = {"kind": "swap", "old_serial": old.serial, "new_serial": new.serial, "at": instant_of(at_s).isoformat()}
    swap = happening_of(body, fleet.street, ZONE)
    fleet.order(swap)
    fleet.live_through(at_s)
    told = views.swap_view(fleet, fleet.happenings[swap.id])
    assert told["final_exported_wh"] == old.register_at(at_s, Flow.EXPORT) > 0
    assert "start_exported_wh" not in told, "the spare counts one direction"
    assert views.meter_view(fleet, old, at_s, None)["exported_wh"] == told["final_exported_wh"]


def _special(reader: Reader) -> tuple[Data, ...]:
    return tuple(reader.ask(read(SPECIAL_DAYS, 11, 2)).elements())
