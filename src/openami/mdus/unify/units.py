"""Units of sources in units of the books: only exact relations (powers of ten); anything else is refused."""

from __future__ import annotations

from typing import Final

from openami.mdus.unify.errors import UnknownUnitError

# Unit of a source -> unit of the books and the power of ten between them. Compensated and uncompensated volumes are
# different quantities: their channels say which one they hold, so both stand for themselves in m3 here.
_POWERS: Final[dict[str, tuple[str, int]]] = {
    "Wh": ("Wh", 0),
    "kWh": ("Wh", 3),
    "MWh": ("Wh", 6),
    "GWh": ("Wh", 9),
    "varh": ("varh", 0),
    "kvarh": ("varh", 3),
    "Mvarh": ("varh", 6),
    "VAh": ("VAh", 0),
    "kVAh": ("VAh", 3),
    "W": ("W", 0),
    "kW": ("W", 3),
    "MW": ("W", 6),
    "var": ("var", 0),
    "kvar": ("var", 3),
    "VA": ("VA", 0),
    "kVA": ("VA", 3),
    "m3": ("m3", 0),
    "m3 uncompensated": ("m3", 0),
    "m3 compensated": ("m3", 0),
    "L": ("m3", -3),
    "L uncompensated": ("m3", -3),
    "L compensated": ("m3", -3),
    "ft3": ("ft3", 0),
    "CCF": ("ft3", 2),
    "US gal": ("US gal", 0),
    "V": ("V", 0),
    "A": ("A", 0),
    "Hz": ("Hz", 0),
    "cosphi": ("cosphi", 0),
    "": ("", 0),
    "boolean": ("boolean", 0),
    "count": ("count", 0),
    "therm": ("therm", 0),
    "J": ("J", 0),
    "MJ": ("J", 6),
    "GJ": ("J", 9),
    "degC": ("degC", 0),
}


def power_between(source: str, books: str) -> int:
    """The power of ten by which a value in `source` units is multiplied to be one in `books` units.

    Raises:
        UnknownUnitError: there is no exact relation of this kind.
    """
    base, power = _POWERS.get(source, (source, 0))
    books_base, books_power = _POWERS.get(books, (books, 0))
    if base != books_base:
        raise UnknownUnitError(
            f"A value in {source or 'no unit'!r} cannot be kept exactly in {books or 'no unit'!r}.",
            hint="Correct the unit of the register, or the mapping of the source.",
        )
    return power - books_power


def in_books(source: str) -> tuple[str, int]:
    """The unit of the books that a source's unit belongs to, and the power of ten between them."""
    return _POWERS.get(source, (source, 0))
