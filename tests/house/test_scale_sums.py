"""The sums of the guide follow from what was measured, and from nothing else."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("scale_sums", ROOT / "tools" / "scale_sums.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def rows(**values: float) -> list[dict[str, Any]]:
    titles = tool().TITLES
    return [{"name": titles[name], "value": value, "machine": "a machine"} for name, value in values.items()]


MEASURED = {"arrow": 1_000_000, "xml": 500_000, "size": 0.5, "sealing": 2_000_000}


def test_the_sums_are_those_that_one_works_by_hand() -> None:
    scale = tool()
    text = scale.sums(scale.Figures.of(rows(**MEASURED)))
    assert "| 2.7 core-hours a day |" in text  # 9.6e9 readings / 1e6 / 3600
    assert "| 5.3 core-hours a day |" in text
    assert "4.8 GB a day, 1.8 TB a year" in text
    assert "5.3 / 4 = 1.3 busy cores" in text
    assert "10 of them; 8.0 minutes of sealing a day each" in text
    assert "46 x 730 x 0.04 = 1,343" in text
    assert "5.3 TB, 10.5 TB with 2 copies" in text


def test_what_the_results_lack_is_named() -> None:
    scale = tool()
    with pytest.raises(SystemExit, match="sealed size with quality"):
        scale.Figures.of(rows(arrow=1, xml=1, sealing=1))


def test_the_page_has_its_marks_and_only_what_lies_between_changes() -> None:
    scale = tool()
    page = scale.PAGE.read_text("utf-8")
    assert page.count(scale.BEGIN) == page.count(scale.END) == 1
    again = scale.with_sums(page, scale.Figures.of(rows(**MEASURED)))
    assert again.partition(scale.BEGIN)[0] == page.partition(scale.BEGIN)[0]
    assert again.partition(scale.END)[2] == page.partition(scale.END)[2]
    assert scale.with_sums(again, scale.Figures.of(rows(**MEASURED))) == again


GROWN = [
    {"name": f"{name}, fleet of {meters}{more}", "value": value, "unit": unit, "machine": "a machine"}
    for meters, values in ((100_000, (0.9, 1.25)), (10_000, (0.8, 1)))
    for (name, more, unit), value in zip(
        (("loading a reading", ", processor time of all processes", "us"), ("memory of all processes", "", "GiB")),
        values,
        strict=True,
    )
]


def test_growth_is_a_line_for_each_size_of_fleet() -> None:
    table = tool().growth([*GROWN, {"name": "sealing", "value": 1, "unit": "readings/s", "machine": "a machine"}])
    assert table.splitlines()[2:] == [
        "| meters | loading a reading (us) | memory (GiB) |",
        "| --- | --- | --- |",
        "| 10,000 | 0.8 | 1 |",
        "| 100,000 | 0.9 | 1.25 |",
    ]


def test_what_was_not_measured_stays_on_the_page() -> None:
    scale = tool()
    page = scale.PAGE.read_text("utf-8")
    assert page.count(scale.GROWTH_BEGIN) == page.count(scale.GROWTH_END) == 1
    assert scale.with_growth(page, rows(**MEASURED)) == page
    again = scale.with_growth(page, GROWN)
    assert "| 100,000 | 0.9 | 1.25 |" in again
    assert again.partition(scale.GROWTH_BEGIN)[0] == page.partition(scale.GROWTH_BEGIN)[0]
    assert again.partition(scale.GROWTH_END)[2] == page.partition(scale.GROWTH_END)[2]
