"""The table of functions: it fills the floor, and the page that shows it is the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from openami.ami.headend.command_handlers import wanted_of
from openami.ami.headend.functions.catalogue import ELSEWHERE, FUNCTIONS, UnknownFunctionError, function_of, page
from openami.ami.headend.functions.house import HOUSE_RUNS
from openami.ami.headend.functions.keys import KEY_FUNCTIONS
from openami.ami.headend.functions.model import BadParametersError
from openami.shared.contract import field as contract
from openami.shared.errors import OpenAmiError

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "head-end-functions.md"
FLOOR = """
SynchronizeTime GetAllAttributeValues GetSpecificAttributeValue GetAssociationLnObjects ScanMbusChannels AddDevice
CoupleMbusDevice CoupleMbusDeviceByChannel DecoupleMbusDevice DecoupleMbusDeviceByChannel
DecoupleMbusDeviceAdministrative GetActualMeterReads GetActualMeterReadsGas GetPeriodicMeterReads
GetPeriodicMeterReadsGas GetPowerQualityProfile GetThdFingerprint ReadAlarmRegister ClearAlarmRegister
RetrievePushNotificationAlarm GetSystemEvent SetSpecialDays SetActivityCalendar SetClockConfiguration
SetAlarmNotifications SetConfigurationObject GetConfigurationObject SetAdministrativeStatus GetAdministrativeStatus
SetPushSetupAlarm SetPushSetupSms SetPushSetupUdp SetPushSetupLastGasp GetPushNotificationAlarm
ConfigureDefinableLoadProfile GetFirmwareVersion UpdateFirmware GenerateAndReplaceKeys ReplaceKeys GetKeys
SetKeyOnGMeter SetMbusUserKeyByChannel GetMbusEncryptionKeyStatus GetMbusEncryptionKeyStatusByChannel FindEvents
FindMessageLogs GetDevices EnableDebugging DisableDebugging GetGsmDiagnostic ClearMBusStatusOnAllChannels
SetDeviceCommunicationSettings SetDeviceLifecycleStatusByChannel UpdateProtocol Bundle DeleteResponseData
SendNotification GetOutages GetActualPowerQuality SetRandomisationSettings SetThdConfiguration SetKeys
""".split()  # noqa: SIM905 - sixty-two words read better as words


def test_every_operation_of_the_floor_is_filled_once() -> None:
    assert len(set(FLOOR)) == 62
    filled = [floor for each in FUNCTIONS.values() for floor in each.floor] + list(ELSEWHERE)
    assert sorted(filled) == sorted(FLOOR)


def test_every_function_can_be_carried_out() -> None:
    for each in FUNCTIONS.values():
        assert (each.run is not None) + (each.name in HOUSE_RUNS) + (each.name in KEY_FUNCTIONS) == 1, each.name
    assert set(HOUSE_RUNS) == {each.name for each in FUNCTIONS.values() if each.where == "head-end"}


def test_every_event_of_a_function_is_one_of_the_seam() -> None:
    for each in FUNCTIONS.values():
        assert contract.event_code(each.event)


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text("utf-8") == page(), "write `page()` of functions.catalogue into the page"


def test_parameters_are_checked_before_anything_is_accepted() -> None:
    function = function_of("set_limiter")
    function.check({"threshold_w": 1})
    with pytest.raises(BadParametersError, match="needs threshold_w"):
        function.check({})
    with pytest.raises(BadParametersError, match="does not take volts"):
        function.check({"threshold_w": 1, "volts": 2})
    with pytest.raises(UnknownFunctionError):
        function_of("set_fire")


def control(name: str = "function", **more: object) -> contract.EndDeviceControl:
    return contract.EndDeviceControl(mrid="m", code=contract.control_code(name), **more)  # type: ignore[arg-type]


def test_controls_of_the_seam_become_functions() -> None:
    action = contract.EndDeviceAction(command='set_limiter {"threshold_w": 5}')
    assert wanted_of(control(action=action)) == ("function", "set_limiter", {"threshold_w": 5})
    assert wanted_of(control("demand_reset")) == ("function", "reset_demand", {})
    assert wanted_of(control("clear_load_limit")) == ("function", "set_limiter", {"threshold_w": 0})
    limit = contract.EndDeviceAction(command='{"threshold_w": 7}')
    assert wanted_of(control("set_load_limit", action=limit)) == ("function", "set_limiter", {"threshold_w": 7})
    assert wanted_of(control("disconnect"))[:2] == ("control", "disconnect")


@pytest.mark.parametrize("command", ["", "set_fire {}", "set_limiter {", "set_limiter []", "set_limiter {}"])
def test_controls_that_are_none_are_refused(command: str) -> None:
    with pytest.raises(OpenAmiError):
        wanted_of(control(action=contract.EndDeviceAction(command=command)))
