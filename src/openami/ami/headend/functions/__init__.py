"""Everything that a head-end can do with one meter, by name: each function is one table row, one way to carry it out.

In: the name and parameters of an order (over the field seam, or from a person), and an open dialogue with the meter.
Out: what was found or done, as plain values. `docs/reference/head-end-functions.md` is made from the same table.
"""

from __future__ import annotations
