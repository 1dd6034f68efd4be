"""The table agrees only when meter, series and bill are the same number, and says who does not."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from openami.demo.story import Street, point_of_delivery
from openami.demo.table import Line, reconcile, show
from openami.shared.spans import Span

if TYPE_CHECKING:
    from openami.demo.areas import Areas

GOOD = Line("H0001", "electricity", ("OAE0000001",), 401_031, 401_031, 0, 401_031, "211.82 EUR")
MONTH = Span(datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))


def shown(*lines: Line) -> str:
    output = io.StringIO()
    show(list(lines), Console(file=output, width=80))
    return output.getvalue()


def test_equal_numbers_agree() -> None:
    assert GOOD.agrees
    assert GOOD.why == ""
    assert "All 1 lines agree" in shown(GOOD)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (replace(GOOD, series=None), "no series"),
        (replace(GOOD, series=401_030), "differs from the meter by -1 Wh"),
        (replace(GOOD, billed=None), "no bill"),
        (replace(GOOD, billed=401_032), "differs from the series by +1 Wh"),
    ],
)
def test_one_watt_hour_is_enough_to_disagree(line: Line, why: str) -> None:
    assert not line.agrees
    assert why in line.why
    assert "H0001 electricity" in shown(GOOD, line)
    assert "lines agree" not in shown(GOOD, line)


def test_the_table_fits_eighty_columns_without_cutting_a_number() -> None:
    big = replace(GOOD, measured=5_999_999, series=5_999_999, billed=5_999_999, estimated=25_135)
    text = shown(*[replace(big, home=f"H{n:04}") for n in range(50)], replace(big, kind="water"))
    assert "…" not in text
    assert "5,999.999" in text
    assert "299,999.950" in text, "the sum of fifty"
    assert max(len(line) for line in text.splitlines()) <= 80


class Told:
    """Areas that answer what a test wants."""

    def __init__(self, bill: dict[str, Any], *, exported_wh: int | None = None) -> None:
        self.bill = bill
        self.exported_wh = exported_wh

    def exported(self, register: int) -> dict[str, int]:
        if self.exported_wh is None:
            return {}
        return {"exported_wh": 9_000 + (self.exported_wh if register > 5_000_000 else 0)}

    @staticmethod
    def row(quantity: str, measured: int) -> dict[str, Any]:
        point = point_of_delivery("H0001", "electricity")
        return {"point_of_delivery": point, "quantity": quantity, "measured": measured, "estimated": 1_031}

    async def get(self, area: str, path: str, **query: str) -> Any:
        point = point_of_delivery("H0001", "electricity")
        meter = {"serial": "OAE0000001", "home": "H0001", "kind": "electricity"}
        register = 5_401_031 if query.get("at") == MONTH.end.isoformat() else 5_000_000
        answers: dict[str, Any] = {
            "/api/meters": [meter | {"register": register} | self.exported(register)],
            "/api/reconciliation": {"points": [self.row("1:1", 400_000), self.row("1:2", 77_000)]},
            "/api/bills": [{"point_of_delivery": point} | self.bill],
        }
        assert area in {"field", "mdus", "office"}
        return answers[path]


BILL = {
    "state": "posted",
    "reverses": None,
    "first_day": "2026-03-01",
    "measured_milli": 400_000,
    "estimated_milli": 1_031,
    "fed_in_milli": 78_031,
    "total": "211.82",
    "currency": "EUR",
}


@pytest.mark.parametrize(
    ("change", "billed"),
    [({}, 401_031), ({"state": "voided"}, None), ({"reverses": "7"}, None), ({"first_day": "2026-02-01"}, None)],
)
async def test_only_the_bill_that_stands_counts(change: dict[str, Any], billed: int | None) -> None:
    street = Street("Europe/Amsterdam", {"homes": [{"name": "H0001"}], "devices": [], "transformers": []})
    (line,) = await reconcile(cast("Areas", Told(BILL | change)), street, MONTH)
    assert (line.measured, line.series, line.estimated, line.billed) == (401_031, 401_031, 1_031, billed)


@pytest.mark.parametrize(("exported_wh", "why"), [(78_031, ""), (78_030, "differs from the meter by +1 Wh")])
async def test_what_a_home_fed_in_is_a_line_of_its_own(exported_wh: int, why: str) -> None:
    street = Street("Europe/Amsterdam", {"homes": [{"name": "H0001"}], "devices": [], "transformers": []})
    drawn, fed_in = await reconcile(cast("Areas", Told(BILL, exported_wh=exported_wh)), street, MONTH)
    assert drawn.agrees
    assert (fed_in.kind, fed_in.series, fed_in.billed) == ("fed in", 78_031, 78_031)
    assert why in fed_in.why
    assert fed_in.agrees == (not why)
    assert "kWh fed in" in shown(drawn, fed_in)


def test_points_of_delivery_are_told_apart() -> None:
    points = {point_of_delivery(home, kind) for home in ("H0001", "H0010") for kind in ("electricity", "gas", "water")}
    assert len(points) == 6
    assert {len(point) for point in points} == {18}


def test_the_story_is_told_in_the_order_of_time() -> None:
    from openami.demo.story import begin, steps  # noqa: PLC0415

    layout = {"homes": [], "devices": [], "transformers": [{"name": "T01"}]}
    instants = [step.at for step in steps(Street("Europe/Amsterdam", layout))]
    assert instants == sorted(instants)
    assert instants[0] - begin("Europe/Amsterdam") < timedelta(days=1)
