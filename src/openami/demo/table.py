"""The table at the end: for each home what its meters measured, what MDUS keeps and what the bill says, to the Wh."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from openami.demo.story import MONTH_NAME, Street, point_of_delivery

if TYPE_CHECKING:
    from rich.console import Console

    from openami.demo.areas import Areas
    from openami.shared.spans import Span

UNITS = {"electricity": "Wh", "gas": "L", "water": "L", "heat": "Wh"}
FED_IN = "fed in"
WORDS = {"electricity": "kWh", FED_IN: "kWh fed in", "gas": "gas m³", "water": "water m³", "heat": "heat kWh"}
_FED_IN_QUANTITY = "1:2"


@dataclass(frozen=True, slots=True)
class Line:
    """One home and one kind of energy; all amounts in Wh (electricity, heat) or litres (gas, water)."""

    home: str
    kind: str
    meters: tuple[str, ...]
    measured: int
    series: int | None
    estimated: int | None
    billed: int | None
    amount: str

    @property
    def agrees(self) -> bool:
        """Whether meter, series and bill are the same number."""
        return self.measured == self.series == self.billed

    @property
    def unit(self) -> str:
        """In which its amounts count."""
        return UNITS.get(self.kind, "Wh")

    @property
    def why(self) -> str:
        """What does not agree, in words; empty if all does."""
        if self.agrees:
            return ""
        if self.series is None:
            return "MDUS has no series"
        if self.series != self.measured:
            return f"series differs from the meter by {self.series - self.measured:+d} {self.unit}"
        if self.billed is None:
            return "there is no bill"
        return f"bill differs from the series by {self.billed - self.series:+d} {self.unit}"


async def reconcile(areas: Areas, street: Street, month: Span) -> list[Line]:
    """Ask all three areas and put their answers side by side."""
    span = {"from": month.start.isoformat(), "to": month.end.isoformat()}
    before = {meter["serial"]: meter for meter in await areas.get("field", "/api/meters", at=month.start.isoformat())}
    after = {meter["serial"]: meter for meter in await areas.get("field", "/api/meters", at=month.end.isoformat())}
    series: dict[bool, dict[str, dict[str, Any]]] = {False: {}, True: {}}
    for row in await _rows(areas, "mdus", "/api/reconciliation", **span):
        series[row["quantity"] == _FED_IN_QUANTITY][row["point_of_delivery"]] = row
    bills = {row["point_of_delivery"]: row for row in await _rows(areas, "office", "/api/bills") if _counts(row)}
    lines = []
    for home in street.homes:
        for kind in UNITS:
            serials = tuple(s for s, meter in after.items() if meter["home"] == home["name"] and meter["kind"] == kind)
            if not serials:
                continue
            point = point_of_delivery(home["name"], kind)
            measured = sum(after[serial]["register"] - before[serial]["register"] for serial in serials)
            lines.append(_line(home["name"], kind, serials, measured, series[False].get(point), bills.get(point)))
            given = [serial for serial in serials if "exported_wh" in after[serial]]
            if given:
                measured = sum(after[serial]["exported_wh"] - before[serial]["exported_wh"] for serial in given)
                lines.append(_fed_in(home["name"], tuple(given), measured, series[True].get(point), bills.get(point)))
    return lines


def show(lines: list[Line], console: Console) -> None:
    """Print the table, and what does not agree; it fits a terminal of 80 columns."""
    electricity = [line for line in lines if line.kind == "electricity"]
    table = Table(
        title="What was measured, kept and billed",
        title_justify="left",
        box=box.SIMPLE,
        show_footer=True,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("home", footer=f"{len(electricity)} homes", no_wrap=True)
    table.add_column("", footer="kWh", no_wrap=True)
    for name, total in (
        ("measured", sum(line.measured for line in electricity)),
        ("in MDUS", sum(line.series or 0 for line in electricity)),
        ("estimated", sum(line.estimated or 0 for line in electricity)),
        ("billed", sum(line.billed or 0 for line in electricity)),
    ):
        table.add_column(name, justify="right", footer=_thousandth(total), no_wrap=True)
    table.add_column("EUR", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for line in lines:
        table.add_row(
            line.home,
            WORDS[line.kind],
            _thousandth(line.measured),
            _thousandth(line.series),
            _thousandth(line.estimated) if line.estimated else "",
            _thousandth(line.billed),
            line.amount.removesuffix(" EUR"),
            Text("=", style="green") if line.agrees else Text("≠", style="red"),
        )
    console.print(table)
    swapped = [f"{line.home} ({' then '.join(line.meters)})" for line in lines if len(line.meters) > 1]
    if swapped:
        console.print(f"Replaced meters: {', '.join(swapped)}.")
    wrong = [line for line in lines if not line.agrees]
    for line in wrong:
        console.print(Text.assemble((f"{line.home} {line.kind}", "red"), f": {line.why} ({', '.join(line.meters)})"))
    if not wrong:
        agree = (f"All {len(lines)} lines agree", "green")
        console.print(Text.assemble(agree, ": meter, series and bill, to the watt-hour and the litre."))


def _line(
    home: str,
    kind: str,
    serials: tuple[str, ...],
    measured: int,
    series: dict[str, Any] | None,
    bill: dict[str, Any] | None,
) -> Line:
    return Line(
        home=home,
        kind=kind,
        meters=serials,
        measured=measured,
        series=int(series["measured"]) + int(series["estimated"]) if series else None,
        estimated=int(series["estimated"]) if series else None,
        billed=int(bill["measured_milli"]) + int(bill["estimated_milli"]) if bill else None,
        amount=f"{bill['total']} {bill['currency']}" if bill else "",
    )


def _fed_in(
    home: str, serials: tuple[str, ...], measured: int, series: dict[str, Any] | None, bill: dict[str, Any] | None
) -> Line:
    """What a home gave to the grid: a line of its own, paid for on the same bill."""
    line = _line(home, FED_IN, serials, measured, series, None)
    return replace(line, billed=int(bill["fed_in_milli"])) if bill else line


async def _rows(areas: Areas, area: str, path: str, **query: str) -> list[dict[str, Any]]:
    answer = await areas.get(area, path, **query)
    if isinstance(answer, list):
        return answer
    return next(value for value in answer.values() if isinstance(value, list))


def _counts(bill: dict[str, Any]) -> bool:
    """Whether a bill is the one that stands for the month."""
    return bill["state"] == "posted" and not bill["reverses"] and bill["first_day"].startswith(MONTH_NAME)


def _thousandth(value: int | None) -> str:
    return "-" if value is None else f"{Decimal(value).scaleb(-3):,.3f}"
