"""Units of DLMS/COSEM and SML by their number (IEC 62056-62 clause 4.3.2), and what a code alone says of its unit."""

from __future__ import annotations

from typing import Final

UNITS: Final = {
    1: "a", 2: "mo", 3: "wk", 4: "d", 5: "h", 6: "min", 7: "s", 8: "°", 9: "°C", 10: "currency",
    11: "m", 12: "m/s", 13: "m3", 14: "m3", 15: "m3/h", 16: "m3/h", 17: "m3/d", 18: "m3/d", 19: "l", 20: "kg",
    21: "N", 22: "Nm", 23: "Pa", 24: "bar", 25: "J", 26: "J/h", 27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh",
    32: "varh", 33: "A", 34: "C", 35: "V", 36: "V/m", 37: "F", 38: "Ω", 39: "Ωm2/m", 40: "Wb", 41: "T", 42: "A/m",
    43: "H", 44: "Hz", 45: "1/Wh", 46: "1/varh", 47: "1/VAh", 48: "V2h", 49: "A2h", 50: "kg/s", 51: "S", 52: "K",
    53: "1/(V2h)", 54: "1/(A2h)", 55: "1/m3", 56: "%", 57: "Ah", 60: "Wh/m3", 61: "J/m3", 62: "mol%", 63: "g/m3",
    64: "Pa s", 65: "J/kg", 70: "dBm", 71: "dBµV", 72: "dB", 254: "other", 255: "",
}  # fmt: skip

_ELECTRICITY: Final = 1
_ACTIVE, _REACTIVE, _APPARENT = {1, 2, 15, 16}, {3, 4, 5, 6, 7, 8}, {9, 10}
_POWERS: Final = {4, 5, 6, 7, 14, 15, 24, 25, 27, 28}  # value group D: averages, maxima, instantaneous
_ENERGIES: Final = {8, 9, 10, 29, 30}  # time integrals


def unit_of_code(code: bytes) -> str:
    """The unit of power and energy that a consumer port's code stands for where the port sends no scaler and unit.

    Their companion documents leave these numbers unscaled, in W, Wh and their kin; currents and voltages they scale,
    each in its own way, so that nothing can be said of those (IEC 62056-61 table 5).
    """
    medium, quantity, processing = code[0], code[2], code[3]
    total = quantity if quantity <= 20 else (quantity - 1) % 20 + 1
    if medium != _ELECTRICITY or quantity > 80 or processing not in _POWERS | _ENERGIES:
        return ""
    kind = next((unit for of, unit in ((_ACTIVE, "W"), (_REACTIVE, "var"), (_APPARENT, "VA")) if total in of), "")
    return kind + "h" if kind and processing in _ENERGIES else kind
