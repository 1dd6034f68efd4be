"""One end of the enterprise seam without a database: sends, hears, waits, answers; the core of fake SAP and fake MDUS.

How bytes reach the other side is a function, so that a party works over HTTP as well as inside one process.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from openami.shared.clock import SharedClock
from openami.shared.contract.enterprise import codec, confirm, headers, logs
from openami.shared.contract.enterprise.catalogue import Side, catalogue
from openami.shared.contract.enterprise.model import Bulk, BulkConfirmation, Confirmation, HeadedMessage, Response
from openami.shared.errors import OpenAmiError
from openami.testing.faults import Faults, broken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import Log, MessageHeader
    from openami.shared.contract.enterprise.model import Message

    Post = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
    """Operation and body to HTTP status and body."""
    Settle = Callable[[], Awaitable[None]]

PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.05
GRACE_S: Final = 5.0
"""Longer than what comes of itself takes; then a shared clock has to go on, for what is done every few hours."""
WAITING_STEP: Final = timedelta(minutes=1)
ACCEPTED: Final = (200, 202)
AnyT = TypeVar("AnyT")


class NothingCameError(OpenAmiError):
    """What a process waits for has not come in time."""


class WrongAnswerError(OpenAmiError):
    """The other side answered something else than the contract, or the process, wants."""


class Party:
    """One end of the seam; `settle` lets an in-process partner work, over a network waiting does."""

    def __init__(
        self,
        side: Side,
        clock: Clock,
        post: Post,
        *,
        settle: Settle | None = None,
        faults: Faults | None = None,
        encode: Callable[[Message], bytes] = codec.encode,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Take which side we are, the clock of our stamps, how bytes get to the other side, and who makes them."""
        self.side = side
        self.clock = clock
        self.faults = faults or Faults()
        self.heard: list[Message] = []
        self.sent: list[HeadedMessage] = []
        """What the other side has taken of us, in this order."""
        self.crossed: Counter[str] = Counter()
        """Technical names of the operations that crossed the seam, in both directions."""
        self.refuse: Callable[[HeadedMessage], str | None] = lambda _message: None
        """Says why an item is refused when it is confirmed; None takes it."""
        self.driven = False
        """Somebody else calls `flush` all the time, so that waiting is only looking."""
        self._post = post
        self._settle = settle
        self._encode = encode
        self._patience_s = patience_s
        self._held: list[HeadedMessage] = []
        self._to_answer: list[HeadedMessage] = []
        self._known: dict[str, bytes] = {}
        self._confirmations: dict[str, HeadedMessage] = {}

    def head(self, *, reply_to: MessageHeader | None = None) -> MessageHeader:
        """A fresh header of ours."""
        return headers.header(self.clock.now(), reply_to=reply_to, sender=self.side.value.upper())

    async def send(self, *messages: HeadedMessage) -> None:
        """Post messages in this order, except where faults want otherwise."""
        for message in messages:
            if isinstance(message, Confirmation | BulkConfirmation) and (key := _refers(message)) is not None:
                self._confirmations[key] = message
            if self.faults.strikes("reordered"):
                self._held.append(message)
                continue
            await self._deliver(message)
            await self._deliver_held()

    async def flush(self) -> None:
        """Post what was held back, answer what was heard, and let the other side work until nothing moves."""
        while True:
            await self._deliver_held()
            if self._settle is not None:
                await self._settle()
            if not self._to_answer and not self._held:
                return
            while self._to_answer:
                await self.answer(self._to_answer.pop(0))

    async def ask(self, query: Message) -> Any:  # noqa: ANN401 - the response class varies
        """Put a synchronous question; raises WrongAnswerError unless its response comes back."""
        name = codec.operation_of(query).name
        self.crossed[name] += 1
        status, body = await self._post(name, self._encode(query))
        answer = codec.decode(body) if status in ACCEPTED and body else None
        if not isinstance(answer, Response):
            raise WrongAnswerError(f"{name} was answered by HTTP {status}: {body[:200]!r}.")
        return answer

    def hear(self, body: bytes) -> tuple[int, bytes]:
        """Take a posted body; what HTTP answers. A repeat is not heard twice: its confirmation is posted once more."""
        try:
            message = codec.decode(body)
        except OpenAmiError as error:
            return 500, str(error).encode()
        if not isinstance(message, HeadedMessage):
            self.crossed[codec.operation_of(message).name] += 1
            self.heard.append(message)
            answer = self.respond(message)
            return (200, codec.encode(answer)) if answer is not None else (500, b"not offered")
        key = headers.message_key(message.message_header)
        self.crossed[codec.operation_of(message).name] += 1
        if self._known.get(key) != body:
            self._known[key] = body
            self.heard.append(message)
            if not isinstance(message, Confirmation | BulkConfirmation):
                self._to_answer.append(message)
        elif key in self._confirmations:
            self._held.append(self._confirmations[key])
        return 202, b""

    def respond(self, query: Message) -> Response | None:
        """The answer to a synchronous question; None when it is not offered."""
        del query
        return None

    async def answer(self, message: HeadedMessage) -> None:
        """Confirm a message of the other side, if the contract confirms it."""
        if catalogue().confirmation_of(codec.operation_of(message)) is None:
            return
        items: Sequence[HeadedMessage] = message.items if isinstance(message, Bulk) else (message,)
        each = [self._log_of(item) for item in items]
        log = each if isinstance(message, Bulk) else each[0]
        await self.send(
            confirm.confirmation_for(message, log, created=self.clock.now(), sender=self.side.value.upper())
        )

    async def confirmed(self, request: HeadedMessage, *, ok: bool = True) -> Log:
        """Wait for the confirmation of a request (of an item of a bulk, too); its log.

        Raises:
            NothingCameError: none came.
            WrongAnswerError: it says the opposite of `ok`.
        """
        key = headers.message_key(request.message_header)
        log = (await self.until(lambda: self._confirmation_of(key), f"a confirmation of {type(request).__name__}")).log
        if logs.is_success(log) is not ok:
            said = logs.notes(log) or "success"
            raise WrongAnswerError(f"{type(request).__name__} was {'refused' if ok else 'taken'}: {said.rstrip('.')}.")
        found: Log = log
        return found

    async def confirmation(self, request: HeadedMessage) -> Any:  # noqa: ANN401 - the class varies
        """Wait for the confirmation of a request, and return it whole."""
        key = headers.message_key(request.message_header)
        return await self.until(lambda: self._confirmation_of(key), f"a confirmation of {type(request).__name__}")

    async def hears(self, kind: type[AnyT], where: Callable[[Any], bool] = lambda _one: True) -> AnyT:
        """Wait for a message (or an item of a bulk) of a kind that meets a condition."""
        await self.until(lambda: any(where(one) for one in self.items(kind)), kind.__name__)
        return next(one for one in self.items(kind) if where(one))

    def items(self, kind: type[AnyT]) -> list[AnyT]:
        """What was heard of a kind; the items of bulk messages too."""
        return [one for message in self.heard for one in _parts(message) if isinstance(one, kind)]

    def sent_items(self, kind: type[AnyT]) -> list[AnyT]:
        """What was sent of a kind; the items of bulk messages too."""
        return [one for message in self.sent for one in _parts(message) if isinstance(one, kind)]

    async def until(self, found: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 - what is waited for varies
        """Wait until something is there; `found` looks for it, at once or by asking.

        Raises:
            NothingCameError: it is not, in time.
        """
        began = time.monotonic()
        while True:
            if not self.driven:
                await self.flush()
            there = found()
            if isinstance(there, Awaitable):
                there = await there
            if there:
                return there
            waited_s = time.monotonic() - began
            if self._settle is not None or waited_s > self._patience_s:
                raise NothingCameError(f"{what} has not come.", hint="Look at the messages of the other side.")
            if waited_s > GRACE_S and isinstance(self.clock, SharedClock):
                self.clock.advance_to(self.clock.now() + WAITING_STEP)
            await asyncio.sleep(LOOK_S)

    async def _deliver(self, message: HeadedMessage) -> None:
        name, body = codec.operation_of(message).name, self._encode(message)
        if self.faults.strikes("malformed"):
            status, answer = await self._post(name, broken(body))
            if status in ACCEPTED:
                raise WrongAnswerError(f"A broken {name} was taken: HTTP {status} {answer[:100]!r}.")
        if self.faults.strikes("late"):
            await asyncio.sleep(self.faults.late_s)
        for _ in range(2 if self.faults.strikes("duplicate") else 1):
            status, answer = await self._post(name, body)
            if status not in ACCEPTED:
                raise WrongAnswerError(f"{name} was answered by HTTP {status}: {answer[:300]!r}.")
            self.crossed[name] += 1
        self.sent.append(message)

    async def _deliver_held(self) -> None:
        """Post what was held back; what nobody took is not tried again."""
        while self._held:
            await self._deliver(self._held.pop(0))

    def _log_of(self, item: HeadedMessage) -> Log:
        reason = self.refuse(item)
        if reason is None and self.faults.strikes("refused"):
            reason = "Refused by the test."
        return logs.success() if reason is None else logs.failed(reason)

    def _confirmation_of(self, key: str) -> Any:  # noqa: ANN401 - the class varies
        for message in reversed(self.heard):
            for one in _parts(message):
                if isinstance(one, Confirmation | BulkConfirmation) and _refers(one) == key:
                    return one
        return None


def _refers(one: HeadedMessage) -> str | None:
    return headers.reference_key(one.message_header)


def _parts(message: Message) -> tuple[Message, ...]:
    return (*message.items, message) if isinstance(message, Bulk) else (message,)
