"""Quality codes of the field seam as the one quality byte of the books, and the flags that the device reported.

Of several codes the strongest state wins: MISSING over INVALID over SUSPECT over EDITED over ESTIMATED over DERIVED
over VALID. What a source estimated or edited itself is SUBSTITUTED for us: no measurement, and no estimate of ours.
"""

from __future__ import annotations

import csv
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from openami.mdus.series import Flag
from openami.shared.contract.field.tables import quality_table
from openami.shared.quality import MEASURED, MISSING, Origin, Verdict, quality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.shared.contract.field import QualityCode

_MDUS_SYSTEM: Final = 3
_OWN_NUMBERS: Final = 1000  # 3.8.1004 is method E04 of the catalogue
_ESTIMATED: Final = 8
_STATE_OF_CATEGORY: Final = {6: "SUSPECT", 7: "EDITED", 8: "ESTIMATED", 10: "SUSPECT", 11: "DERIVED", 12: "PROJECTED"}
_STRENGTH: Final = (
    "", "VALID", "EXCLUDED", "DERIVED", "ESTIMATED", "PROJECTED", "EDITED", "SUSPECT", "INVALID", "MISSING",
)  # fmt: skip
_QUALITY_OF_STATE: Final = {
    "": MEASURED,
    "VALID": MEASURED,
    "EXCLUDED": MEASURED,
    "DERIVED": quality(Origin.DERIVED),
    "ESTIMATED": quality(Origin.SUBSTITUTED),
    "PROJECTED": quality(Origin.SUBSTITUTED),
    "EDITED": quality(Origin.SUBSTITUTED),
    "SUSPECT": quality(Origin.MEASURED, Verdict.WV),
    "INVALID": MISSING,
    "MISSING": MISSING,
}


@lru_cache(maxsize=4096)
def unified_quality(codes: tuple[QualityCode, ...]) -> tuple[int, int]:
    """The quality byte and the flag bits of a set of codes; no codes at all is raw, thus measured."""
    state = max((_state(code) for code in codes), key=_STRENGTH.index, default="")
    flags = Flag.NONE
    for code in codes:
        flags |= _flags().get((code.category, code.index), Flag.NONE)
    own = [_own_method(code) for code in codes if state == "ESTIMATED"]
    byte = next((quality(method) for method in own if method is not None), _QUALITY_OF_STATE[state])
    return byte, int(flags)


def _state(code: QualityCode) -> str:
    row = quality_table().get((code.category, code.index))
    return row.state if row else _STATE_OF_CATEGORY.get(code.category, "")


def _own_method(code: QualityCode) -> Origin | None:
    """The method of our own catalogue, when another of our middles made the estimate."""
    number = code.index - _OWN_NUMBERS
    if code.system != _MDUS_SYSTEM or code.category != _ESTIMATED or not 1 <= number <= Origin.E20_OUTAGE_AWARE - 7:
        return None
    return Origin(Origin.E01_LINEAR + number - 1)


@cache
def _flags() -> Mapping[tuple[int, int], Flag]:
    text = files("openami.mdus.unify").joinpath("flags.csv").read_text("utf-8")
    return {(int(row["category"]), int(row["index"])): Flag[row["flag"]] for row in csv.DictReader(text.splitlines())}
