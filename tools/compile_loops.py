"""Compiles the loops that read bulk deliveries: `python tools/compile_loops.py`; installing does it.

They are compiled at their first use and kept beside their source. So a small delivery of each form is read here, and
the first real one does not wait.
"""

from __future__ import annotations

import io

from openami.mdus.unify.adapters.cim import Cim
from openami.mdus.unify.adapters.mscons import Mscons
from openami.testing.fleet import Fleet


def main() -> None:
    """Read a day of few meters in each form that has such loops: of the first ones it learns how the others look."""
    day = Fleet(4).day(1)
    for adapter, delivery in (
        (Cim(scan_from_bytes=0), day.xml()),
        (Mscons(scan_from_bytes=0), day.mscons()),
    ):
        for _ in adapter.columns(io.BytesIO(delivery)):
            pass


if __name__ == "__main__":
    main()
