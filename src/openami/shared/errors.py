"""The root of every error of ours: what was found, and what to do about it."""

from __future__ import annotations


class OpenAmiError(Exception):
    """One class per reason derives from this; `found` states the fact, `hint` tells a person what to do.

    `number`, `category` and `severity` (2 warning, 3 error, 4 abort) are what a partner is told of it in the log of a
    confirmation.
    """

    number = "OAMI000"
    category = "PRE"
    severity = "3"

    def __init__(self, found: str, *, hint: str = "") -> None:
        super().__init__(f"{found} {hint}".strip())
        self.found = found
        self.hint = hint
