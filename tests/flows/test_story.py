"""The story of a modern street, step by step, as the areas tell it afterwards: one run, many questions."""

from __future__ import annotations

import asyncio

import pytest
from tests.flows.landscape import HOMES, Told, settings_for, tell_story

pytestmark = [
    pytest.mark.landscape,
    pytest.mark.enable_socket,
    pytest.mark.timeout(600),
]

PAGES = (
    ("office", "/api/devices"),
    ("office", "/api/bills"),
    ("office", "/api/events"),
    ("office", "/api/connections"),
    ("office", "/api/orders"),
    ("office", "/api/status"),
    ("mdus", "/api/status"),
    ("mdus", "/api/commands"),
    ("mdus", "/api/events?limit=500"),
    ("headend", "/api/status"),
    ("headend", "/api/messages/counts"),
    ("mdus", "/api/messages/counts"),
    ("office", "/api/messages/counts"),
)
_TOLD: list[Told] = []


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    if not _TOLD:
        folder = tmp_path_factory.mktemp("story")
        _TOLD.append(asyncio.run(tell_story(settings_for(folder / "data", 21000, street="modern"), pages=PAGES)))
    return _TOLD[0]


def test_every_home_reconciles_to_the_watt_hour(told: Told) -> None:
    assert {line.home for line in told.lines} == {f"H{number + 1:04}" for number in range(HOMES)}
    assert [line.why for line in told.lines if not line.agrees] == []


def test_gas_water_and_heat_are_billed_too(told: Told) -> None:
    assert sorted({line.kind for line in told.lines}) == ["electricity", "fed in", "gas", "heat", "water"]
    (heat,) = [line for line in told.lines if line.kind == "heat"]
    assert heat.billed == heat.measured > 100_000, "watt-hours of a winter's month"
    assert heat.amount.endswith("EUR")


def test_only_what_was_lost_for_good_is_estimated(told: Told) -> None:
    estimated = {line.home for line in told.lines if line.estimated}
    assert estimated == {"H0009"}, "the home whose meter forgot a day, and no other"


def test_every_installed_device_was_confirmed_and_registered(told: Told) -> None:
    stages = {device["serial"]: device["stage"] for device in told.pages["office/api/devices"]}
    hanging = [serial for home in told.street["homes"] for serial in home["meters"]]
    assert {stages[serial] for serial in hanging} == {"registered"}


def test_the_unpaid_home_was_cut_off_and_has_its_light_back_with_proof(told: Told) -> None:
    documents = told.pages["office/api/connections"]
    assert [(document["category"], document["state"]) for document in documents[::-1]] in (
        [("1", "executed"), ("2", "executed")],
        [("2", "executed"), ("1", "executed")],
    )
    commands = told.pages["mdus/api/commands"]["commands"]
    assert {command["state"] for command in commands} == {"proven"}


def test_the_tampering_reached_the_office_and_opened_a_case(told: Told) -> None:
    events = told.pages["office/api/events"]
    assert any(event.get("case_state") == "open" and "cover" in str(event).lower() for event in events)


def test_one_meter_was_swapped_and_billed_as_one_contract(told: Told) -> None:
    swapped = [line for line in told.lines if len(line.meters) == 2]
    assert [line.home for line in swapped] == ["H0006"]
    bills = [bill for bill in told.pages["office/api/bills"] if len(bill["meters"]) == 2]
    assert len(bills) == 1


def test_every_contract_has_one_posted_bill(told: Told) -> None:
    bills = told.pages["office/api/bills"]
    assert {bill["state"] for bill in bills} == {"posted"}
    points = [bill["point_of_delivery"] for bill in bills]
    assert len(points) == len(set(points)) == len([line for line in told.lines if line.kind != "fed in"])


def test_what_roofs_give_is_paid_for_by_the_export_register(told: Told) -> None:
    fed_in = {line.home: line for line in told.lines if line.kind == "fed in"}
    assert sorted(fed_in) == ["H0005", "H0007", "H0009"], "the homes with a roof"
    assert min(line.billed or 0 for line in fed_in.values()) > 10_000, "watt-hours of a March"
    credited = {bill["id"]: bill for bill in told.pages["office/api/bills"] if bill["fed_in_milli"]}
    assert {bill["fed_in_milli"] for bill in credited.values()} == {line.billed for line in fed_in.values()}


@pytest.mark.parametrize("area", ["headend", "mdus", "office"])
def test_no_message_is_left_over(told: Told, area: str) -> None:
    rows = told.pages[f"{area}/api/messages/counts"]
    assert {row["state"] for row in rows} <= {"delivered", "processed"}, rows
