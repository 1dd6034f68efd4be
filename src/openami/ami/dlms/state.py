"""The state tables of an association.

Rules for this file: every transition of the stack lives here and nowhere else; the file does not know whether we are
the client or the server, nor how anything looks on the wire.

Theory. Client and server take turns, so both ends can hold a copy of ONE machine and move it by the same messages:
a message I send moves my copy, the same message received moves the peer's. A message with no row in the present state
is a protocol error, local when we try to send it, remote when it arrives. States are named after what is due next.

Three things ride on the same table. Long values: a service passes through `..._PAUSED` states where the receiver
owes the word "next". Ciphering: `PLAIN` lists the only messages that may travel unprotected in a ciphered context.
High level security: an AARE may lead to `AARE_HIGH`, and only the proofs of passes 3 and 4 open the association.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class State(Enum):
    """What the two ends of an association are waiting for."""

    __hash__ = object.__hash__  # there is one of each: quicker than by name, and looked up with every message

    IDLE = auto()  # no association; the client may ask for one
    ASSOCIATING = auto()  # the server owes an AARE
    PROVING = auto()  # high level security: the client owes pass 3
    PROVEN = auto()  # the server owes pass 4
    READY = auto()  # associated; the client may ask
    GETTING = auto()  # the server owes a value or a block of it
    GET_PAUSED = auto()  # the client owes "next"
    SETTING = auto()  # the server owes the result
    SET_SENDING = auto()  # the server owes the receipt of a block
    SET_PAUSED = auto()  # the client owes the next block
    ACTING = auto()  # the server owes the result or a block of it
    ACTION_SENDING = auto()  # the server owes the receipt of a block of the parameter
    ACTION_PAUSED = auto()  # the client owes the next block of the parameter
    RESULT_PAUSED = auto()  # the client owes "next" for the result
    ACCESSING = auto()  # the server owes the results of an ACCESS request
    RELEASING = auto()  # the server owes an RLRE


class Sent(Enum):
    """The messages that move an association, whichever side sends them."""

    __hash__ = object.__hash__

    AARQ = auto()
    AARE_OPEN = auto()
    AARE_HIGH = auto()
    AARE_REFUSED = auto()
    PROOF = auto()  # pass 3: reply_to_HLS_authentication
    PROOF_ANSWER = auto()  # pass 4
    PROOF_REFUSED = auto()
    RLRQ = auto()
    RLRE = auto()
    GET = auto()
    GET_NEXT = auto()
    GET_BLOCK = auto()
    GET_RESULT = auto()  # a normal or list answer, or the last block
    SET = auto()  # a normal or list request, or the last block
    SET_BLOCK = auto()
    SET_ACK = auto()
    SET_RESULT = auto()
    ACTION = auto()  # a normal or list request, or the last block
    ACTION_BLOCK = auto()
    ACTION_ACK = auto()
    ACTION_NEXT = auto()
    RESULT_BLOCK = auto()
    ACTION_RESULT = auto()  # a normal or list answer, or the last block
    ACCESS = auto()
    ACCESS_RESULT = auto()
    EXCEPTION = auto()
    LOST = auto()  # the exception that says: I know no association with you
    UNSOLICITED = auto()
    RECEIPT = auto()  # data-notification-confirm


# A client that starts something new drops a transfer it has not finished (Green Book 9.4.6.5).
_ASK: dict[Sent, State] = {
    Sent.AARQ: State.ASSOCIATING,
    Sent.GET: State.GETTING,
    Sent.SET: State.SETTING,
    Sent.SET_BLOCK: State.SET_SENDING,
    Sent.ACTION: State.ACTING,
    Sent.ACTION_BLOCK: State.ACTION_SENDING,
    Sent.ACCESS: State.ACCESSING,
    Sent.RLRQ: State.RELEASING,
}

_TRANSITIONS: dict[State, dict[Sent, State]] = {
    State.IDLE: {
        Sent.AARQ: State.ASSOCIATING,
        # RLRQ without an association is answered and changes nothing
        Sent.RLRQ: State.RELEASING,
        Sent.EXCEPTION: State.IDLE,
    },
    State.ASSOCIATING: {
        Sent.AARE_OPEN: State.READY,
        Sent.AARE_HIGH: State.PROVING,
        Sent.AARE_REFUSED: State.IDLE,
        Sent.EXCEPTION: State.IDLE,
    },
    State.PROVING: {
        Sent.PROOF: State.PROVEN,
        Sent.AARQ: State.ASSOCIATING,
        Sent.RLRQ: State.RELEASING,
        Sent.EXCEPTION: State.IDLE,
    },
    State.PROVEN: {Sent.PROOF_ANSWER: State.READY, Sent.PROOF_REFUSED: State.IDLE, Sent.EXCEPTION: State.IDLE},
    # a server that has lost a transfer is still asked for its next block, and answers that there is none
    State.READY: {**_ASK, Sent.GET_NEXT: State.GETTING, Sent.ACTION_NEXT: State.ACTING, Sent.EXCEPTION: State.READY},
    State.GETTING: {
        Sent.GET_RESULT: State.READY,
        Sent.GET_BLOCK: State.GET_PAUSED,
        Sent.EXCEPTION: State.READY,
    },
    State.GET_PAUSED: {**_ASK, Sent.GET_NEXT: State.GETTING, Sent.EXCEPTION: State.READY},
    State.SETTING: {Sent.SET_RESULT: State.READY, Sent.EXCEPTION: State.READY},
    State.SET_SENDING: {Sent.SET_ACK: State.SET_PAUSED, Sent.SET_RESULT: State.READY, Sent.EXCEPTION: State.READY},
    State.SET_PAUSED: {**_ASK, Sent.EXCEPTION: State.READY},
    State.ACTING: {
        Sent.ACTION_RESULT: State.READY,
        Sent.RESULT_BLOCK: State.RESULT_PAUSED,
        Sent.EXCEPTION: State.READY,
    },
    State.ACTION_SENDING: {
        Sent.ACTION_ACK: State.ACTION_PAUSED,
        Sent.ACTION_RESULT: State.READY,
        Sent.EXCEPTION: State.READY,
    },
    State.ACTION_PAUSED: {**_ASK, Sent.EXCEPTION: State.READY},
    State.RESULT_PAUSED: {**_ASK, Sent.ACTION_NEXT: State.ACTING, Sent.EXCEPTION: State.READY},
    # long requests and answers travel in general blocks, so that there is nothing to pause
    State.ACCESSING: {Sent.ACCESS_RESULT: State.READY, Sent.EXCEPTION: State.READY},
    State.RELEASING: {Sent.RLRE: State.IDLE, Sent.EXCEPTION: State.IDLE},
}

# In a ciphered context everything else must be protected. Exceptions cannot be: the server may not know the key.
PLAIN: frozenset[Sent] = frozenset(
    {
        Sent.AARQ,
        Sent.AARE_OPEN,
        Sent.AARE_HIGH,
        Sent.AARE_REFUSED,
        Sent.RLRQ,
        Sent.RLRE,
        Sent.EXCEPTION,
        Sent.LOST,
    }
)

FROM_CLIENT: frozenset[Sent] = frozenset(
    {
        Sent.AARQ,
        Sent.PROOF,
        Sent.RLRQ,
        Sent.GET,
        Sent.GET_NEXT,
        Sent.SET,
        Sent.SET_BLOCK,
        Sent.ACTION,
        Sent.ACTION_BLOCK,
        Sent.ACTION_NEXT,
        Sent.ACCESS,
        Sent.RECEIPT,
    }
)

# States in which the client waits for the server; giving up leads back to READY or IDLE.
AWAITING_SERVER: frozenset[State] = frozenset(
    {
        State.ASSOCIATING,
        State.PROVEN,
        State.GETTING,
        State.SETTING,
        State.SET_SENDING,
        State.ACTING,
        State.ACTION_SENDING,
        State.ACCESSING,
        State.RELEASING,
    }
)

_LOSING: frozenset[State] = frozenset({State.IDLE, State.ASSOCIATING, State.PROVING, State.PROVEN, State.RELEASING})


def step(state: State, message: Sent) -> State | None:
    """The state a message leads to, or None when it is not allowed there."""
    target = _TRANSITIONS[state].get(message)
    if target is not None:
        return target
    if message in (Sent.UNSOLICITED, Sent.RECEIPT):
        # a push needs no association: the pre-established one of the receiver takes it
        return state
    return State.IDLE if message is Sent.LOST else None


def given_up(state: State) -> State:
    """The state after one side stops waiting: the association survives a lost answer, not a lost opening."""
    return State.IDLE if state in _LOSING else State.READY


def allowed(state: State) -> Iterable[Sent]:
    """What may be sent next, for error messages."""
    return _TRANSITIONS[state]


def transitions() -> Iterable[tuple[State, Sent, State]]:
    """Every row of the table, for diagrams and tests."""
    return [(state, message, target) for state, row in _TRANSITIONS.items() for message, target in row.items()]
