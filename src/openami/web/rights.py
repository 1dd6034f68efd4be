"""Who may do what at the console: the rights, and the roles that hold them.

The roles are those of the trade: the utility's clerks bill, the metering operator's people read, correct and repair,
auditors and the call centre look. Nobody corrects values and bills them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Right(StrEnum):
    """What a route may ask for; the value completes "may"."""

    LOOK = "look at the console"
    VOID_BILLS = "void bills"
    CHANGE_PRICES = "change prices"
    TAKE_FILES = "take in files, or replay what was refused"
    EDIT_VALUES = "edit values, or approve and undo edits"
    DEFINE_CHANNELS = "define virtual channels"
    INSPECT = "assign inspections, or say what was found"
    SEND_MESSAGES = "send messages again, or withdraw them"
    SEE_USERS = "see who may get in"


class Role(StrEnum):
    """What a user of the console is; each has one."""

    VIEWER = "viewer"
    CLERK = "clerk"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


RIGHTS: Final = {
    Role.VIEWER: frozenset({Right.LOOK}),
    Role.CLERK: frozenset({Right.LOOK, Right.VOID_BILLS, Right.CHANGE_PRICES}),
    Role.OPERATOR: frozenset(
        {
            Right.LOOK,
            Right.TAKE_FILES,
            Right.EDIT_VALUES,
            Right.DEFINE_CHANNELS,
            Right.INSPECT,
            Right.SEND_MESSAGES,
        }
    ),
    Role.ADMINISTRATOR: frozenset(Right),
}


def least_role(right: Right) -> Role:
    """The role with the fewest rights that has this one: the one to ask for."""
    return min((role for role in Role if right in RIGHTS[role]), key=lambda role: len(RIGHTS[role]))
