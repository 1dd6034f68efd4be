from __future__ import annotations

import pytest

from openami.office.codes import CodeMissingError, division_code, item_statuses, recurrence_code, time_zone_code
from openami.office.readings.model import ItemStatus
from openami.shared.contract.enterprise.codes import code_tables

TABLES = code_tables()


def test_the_default_tables_have_what_the_office_says() -> None:
    assert [recurrence_code(TABLES, interval_s) for interval_s in (0, 900, 1800, 3600)] == [None, "15", "30", "60"]
    assert time_zone_code(TABLES, "Europe/Amsterdam") == "CET"
    assert [division_code(TABLES, name) for name in ("electricity", "gas", "water")] == ["1", "2", "3"]
    assert item_statuses(TABLES)["2"] is ItemStatus.ESTIMATED


def test_what_a_table_lacks_is_named() -> None:
    with pytest.raises(CodeMissingError, match="interval_s = 7"):
        recurrence_code(TABLES, 7)
    assert time_zone_code(TABLES, "Pacific/Kiritimati") is None
