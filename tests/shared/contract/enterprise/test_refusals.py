"""Every reason for which a message of the enterprise seam is refused is a class with a number and a category."""

from __future__ import annotations

import pytest
from tools.refusals import PAGE, page, reasons

from openami.mdus.registry.errors import RegistryError
from openami.mdus.services.desk import NothingTakenError, not_yet
from openami.mdus.services.order_model import OrderError
from openami.shared.contract.enterprise import logs
from openami.shared.contract.enterprise.codes import code_tables
from openami.shared.contract.enterprise.errors import NotReadable, Refusal
from openami.shared.errors import OpenAmiError


def kinds(of: type[OpenAmiError]) -> list[type[OpenAmiError]]:
    return [of, *(leaf for sub in of.__subclasses__() for leaf in kinds(sub))]


NUMBERED = reasons()


def test_no_two_reasons_share_a_number() -> None:
    numbers = [kind.number for kind in NUMBERED]
    assert sorted(numbers) == sorted(set(numbers))
    assert len(numbers) > 60


@pytest.mark.parametrize("root", [Refusal, RegistryError, OrderError])
def test_every_reason_of_the_seam_has_a_number_of_its_own(root: type[OpenAmiError]) -> None:
    abstract = {Refusal, NotReadable}
    lacking = [kind.__name__ for kind in kinds(root) if kind not in abstract and "number" not in vars(kind)]
    assert lacking == []


@pytest.mark.parametrize("kind", NUMBERED, ids=lambda kind: kind.__name__)
def test_numbers_categories_and_severities_are_those_of_the_contract(kind: type[OpenAmiError]) -> None:
    assert 1 <= len(kind.number) <= 40
    assert kind.category in {code.code for code in code_tables()["log_categories"].codes}
    assert kind.severity in set(logs.Severity)


@pytest.mark.parametrize("kind", [kind for kind in NUMBERED if kind.__init__ is OpenAmiError.__init__])
def test_the_log_carries_number_category_and_severity_of_the_class(kind: type[OpenAmiError]) -> None:
    log = logs.failed(kind("Found.", hint="Do."))
    (item,) = log.item
    assert (item.type_id, item.category_code, item.severity_code) == (kind.number, kind.category, kind.severity)
    assert item.note == "Found. Do."
    assert log.maximum_log_item_severity_code == kind.severity
    assert log.business_document_processing_result_code == "5"


def test_what_is_waited_for_in_vain_keeps_the_number_of_its_reason() -> None:
    reason = RegistryError("Device 1 is not known.")
    reason.number, reason.category = "1001", "PRE.IDE"
    waiting = not_yet(reason)
    assert (waiting.number, waiting.category) == ("1001", "PRE.IDE")
    whole = NothingTakenError([waiting, reason])
    assert (whole.number, whole.category, str(whole)) == ("1001", "PRE.IDE", "Device 1 is not known.")


def test_a_bulk_over_its_items_tells_a_warning_or_an_error() -> None:
    good, bad = logs.success(), logs.failed("no")
    (partly,) = logs.overall([good, bad]).item
    (nothing,) = logs.overall([bad, bad]).item
    assert [(one.type_id, one.category_code, one.severity_code) for one in (partly, nothing)] == [
        ("OAMI018", "PRE", "2"),
        ("OAMI019", "PRE", "3"),
    ]


def test_the_page_of_all_refusals_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python tools/refusals.py"
