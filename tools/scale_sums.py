"""Works the sums of docs/guides/scale.md from what `make bench` measured: `python tools/scale_sums.py [RESULTS]`.

Everything between two marks of the page is made here, so that a new measurement never leaves an old sum behind: the
sums for a country, and what a reading costs in fleets of growing size. A part that was not measured stays as it is.
"""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
PAGE, RESULTS = ROOT / "docs" / "guides" / "scale.md", ROOT / "bench" / "results.json"
BEGIN, END = "<!-- sums: made by tools/scale_sums.py -->\n", "<!-- end of sums -->\n"
GROWTH_BEGIN, GROWTH_END = "<!-- growth: made by tools/scale_sums.py -->\n", "<!-- end of growth -->\n"
METERS, A_DAY = 50_000_000, 2 * 96
REGION = 5_000_000  # meters of one database
WINDOW_H, RESERVE = 4, 4  # hours in which a day is loaded; how many times as many cores as are busy
CORES_A_DATABASE, YEARS, COPIES = 4, 3, 2
CORE_HOUR, GB_MONTH, HOURS_A_MONTH = 0.04, 0.02, 730  # assumptions
TITLES = {
    "arrow": "load packed Arrow, processor time of all processes",
    "xml": "load IEC 61968-9 XML, processor time of all processes",
    "size": "sealed size with quality",
    "sealing": "sealing",
}


OF_A_FLEET = re.compile(r"(?P<what>.+?)(?: of all processes)?, fleet of (?P<meters>\d+)(?:, .*)?")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured: readings a processor second, bytes a reading, sealed readings a second in one database."""

    arrow: float
    xml: float
    size: float
    sealing: float
    machine: str

    @staticmethod
    def of(rows: Sequence[dict[str, Any]]) -> Figures:
        """From the rows of a benchmark; SystemExit names what it lacks."""
        found = {row["name"]: row for row in rows}
        if missing := [title for title in TITLES.values() if title not in found]:
            raise SystemExit(f"The results lack {missing}: run `python -m bench.run mdus_load mdus_series`.")
        values = {name: float(found[title]["value"]) for name, title in TITLES.items()}
        return Figures(**values, machine=str(found[TITLES["size"]]["machine"]))


def sums(figures: Figures) -> str:
    """The part of the page that follows from the figures."""
    readings = METERS * A_DAY
    arrow_h, xml_h = (readings / rate / 3600 for rate in (figures.arrow, figures.xml))
    seal_h = readings / figures.sealing / 3600
    regions = METERS // REGION
    gb_a_day = readings * figures.size / 1e9
    busy = xml_h / WINDOW_H
    workers = math.ceil(busy * RESERVE)
    cores = workers + CORES_A_DATABASE * regions
    tb = gb_a_day * 365 * YEARS / 1000
    compute, storage = cores * HOURS_A_MONTH * CORE_HOUR, tb * COPIES * 1000 * GB_MONTH
    return f"""Measured on {figures.machine}:

| figure | measured | for {METERS // 10**6} million meters |
|---|---|---|
| packed Arrow to validated, estimated series | {figures.arrow / 1e6:.2f} million readings a second of processor time \
| {arrow_h:.1f} core-hours a day |
| IEC 61968-9 XML to the same | {figures.xml / 1e6:.2f} million readings a second of processor time | \
{xml_h:.1f} core-hours a day |
| sealed size with quality | {figures.size:.2f} bytes a reading | {gb_a_day:.1f} GB a day, {gb_a_day * 0.365:.1f} TB a \
year, {COPIES} times that with {COPIES} copies |
| sealing | {figures.sealing / 1e6:.2f} million readings a second | {seal_h:.1f} hours a day in one database |

To load the day in a window of {WINDOW_H} hours takes {xml_h:.1f} / {WINDOW_H} = {busy:.1f} busy cores for XML; plan \
{RESERVE} times as many ({workers}) for
late deliveries, re-validation and a lost machine. One PostgreSQL would take {METERS * 2 // 10**6} million rows a day \
and one sealer
would be busy for {seal_h:.1f} hours: so cut the country into regions of about {REGION // 10**6} million meters, each \
with a database of
its own ({regions} of them; {seal_h / regions * 60:.1f} minutes of sealing a day each). Workers and object store are
shared.

Cost is then arithmetic with your prices: {workers} worker cores and, say, {CORES_A_DATABASE} cores for each of \
{regions} databases are
{cores} cores, and {YEARS} years sealed are {tb:.1f} TB, {tb * COPIES:.1f} TB with {COPIES} copies. With {CORE_HOUR} a \
core-hour and {GB_MONTH} a GB and
month (assumptions, put in yours) that is {cores} x {HOURS_A_MONTH} x {CORE_HOUR} = {compute:,.0f} and \
{tb * COPIES * 1000:,.0f} x {GB_MONTH} = {storage:,.0f} a month.
"""


def growth(rows: Sequence[dict[str, Any]]) -> str:
    """What was measured in fleets of several sizes, a line a size; empty when nothing was."""
    found = [(match, row) for row in rows if (match := OF_A_FLEET.fullmatch(row["name"]))]
    if not found:
        return ""
    units = {match["what"]: row["unit"] for match, row in found}
    sizes = sorted({int(match["meters"]) for match, _ in found})
    value = {(match["what"], int(match["meters"])): row["value"] for match, row in found}
    lines = [
        ["meters", *(f"{what} ({unit})" for what, unit in units.items())],
        ["---"] * (1 + len(units)),
        *([f"{size:,}", *(f"{value.get((what, size), '')}" for what in units)] for size in sizes),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"Measured by `python -m bench.run mdus_scale` on {found[0][1]['machine']}:\n\n{table}\n"


def with_growth(page: str, rows: Sequence[dict[str, Any]]) -> str:
    """The page with the figures of growing fleets made anew, if there are any."""
    text = growth(rows)
    return _with_part(page, GROWTH_BEGIN, text, GROWTH_END) if text else page


def with_sums(page: str, figures: Figures) -> str:
    """The page with the sums for a country made anew."""
    return _with_part(page, BEGIN, sums(figures), END)


def _with_part(page: str, begin: str, text: str, end: str) -> str:
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{text}{end}{after}"


def main() -> None:
    """Write the page."""
    results = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    rows = json.loads(results.read_text("utf-8"))
    PAGE.write_text(with_growth(PAGE.read_text("utf-8"), rows), "utf-8")
    PAGE.write_text(with_sums(PAGE.read_text("utf-8"), Figures.of(rows)), "utf-8")


if __name__ == "__main__":
    main()
