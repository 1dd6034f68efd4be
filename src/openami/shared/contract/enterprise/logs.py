"""The log of a confirmation: what became of a request, written and read.

Result codes: 1 received, 2 in process, 3 successful, 4 partially successful, 5 failed. Severities: 1 information,
2 warning, 3 error, 4 abort.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from openami.shared.contract.enterprise.errors import NothingDone, PartlyDone
from openami.shared.contract.enterprise.messages.common import Log, LogItem
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NOTE_LENGTH = 200
SUCCESS_TYPE_ID = "000"


class Result(StrEnum):
    """BusinessDocumentProcessingResultCode."""

    RECEIVED = "1"
    IN_PROCESS = "2"
    SUCCESSFUL = "3"
    PARTLY = "4"
    FAILED = "5"


class Severity(StrEnum):
    """SeverityCode of a log item."""

    INFORMATION = "1"
    WARNING = "2"
    ERROR = "3"
    ABORT = "4"


Reason = OpenAmiError | LogItem | str


@dataclass(frozen=True, slots=True)
class Logs:
    """The logs of very many items: the few different ones, and the number of each item's."""

    different: Sequence[Log]
    number: NDArray[np.int32]

    def part(self, span: slice) -> Logs:
        """Those of some items."""
        used, number = np.unique(self.number[span], return_inverse=True)
        return Logs([self.different[one] for one in used.tolist()], number.astype(np.int32))


def item(
    note: str,
    *,
    severity: Severity = Severity.INFORMATION,
    type_id: str = SUCCESS_TYPE_ID,
    category: str | None = None,
    reference: str | None = None,
) -> LogItem:
    """One line of a log; a note over 200 characters is cut."""
    cut = note if len(note) <= NOTE_LENGTH else f"{note[: NOTE_LENGTH - 1]}…"
    return LogItem(
        type_id=type_id,
        category_code=category,
        severity_code=str(severity),
        reference_object_node_sender_technical_id=reference,
        note=cut or "-",
    )


def reason_item(reason: Reason) -> LogItem:
    """The log line of a reason for refusal, with the number, category and severity of its class."""
    if isinstance(reason, LogItem):
        return reason
    told = reason if isinstance(reason, OpenAmiError) else OpenAmiError(reason)
    return item(str(told), severity=Severity(told.severity), type_id=told.number, category=told.category)


def log(result: Result, items: Sequence[LogItem] = ()) -> Log:
    """A log with the highest severity of its items."""
    severities = [each.severity_code for each in items if each.severity_code is not None]
    return Log(
        business_document_processing_result_code=str(result),
        maximum_log_item_severity_code=max(severities, default=None),
        item=tuple(items),
    )


def success(note: str | None = None) -> Log:
    """Everything was done."""
    return log(Result.SUCCESSFUL, () if note is None else (item(note),))


def failed(*reasons: Reason) -> Log:
    """Nothing was done, for these reasons."""
    return log(Result.FAILED, [reason_item(reason) for reason in reasons])


def partly(*reasons: Reason) -> Log:
    """Some was done; the reasons tell what was not."""
    return log(Result.PARTLY, [reason_item(reason) for reason in reasons])


def overall(logs: Sequence[Log]) -> Log:
    """The log of a bulk confirmation over the logs of its items, or over the different ones among them."""
    results = {is_success(each) for each in logs}
    if results == {True, False}:
        return partly(PartlyDone())
    return failed(NothingDone()) if results == {False} else success()


def is_success(of: Log, *, success_prefixes: Sequence[str] = ()) -> bool:
    """True if the request was carried out whole.

    Without a result code the severities decide. Message numbers that start with one of `success_prefixes` count as
    success ("the value is already there").
    """
    result = of.business_document_processing_result_code
    if result is not None and result.lstrip("0") == Result.SUCCESSFUL:
        return True
    errors = [each for each in of.item if (each.severity_code or "1") >= Severity.ERROR]
    if success_prefixes and errors:
        return all((each.type_id or "").startswith(tuple(success_prefixes)) for each in errors)
    return result is None and not errors


def is_partly(of: Log) -> bool:
    """True if the sender must look at the items."""
    return (of.business_document_processing_result_code or "").lstrip("0") == Result.PARTLY


def notes(of: Log) -> str:
    """What the log says, in one line for a person."""
    return "; ".join(f"{each.type_id or ''} {each.note}".strip() for each in of.item)
