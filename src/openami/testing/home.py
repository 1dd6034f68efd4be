"""One home with a meter, as a back office writes about it: the messages of its life, each new when it is asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from openami.shared.contract import field as cim
from openami.shared.contract.enterprise.headers import header
from openami.shared.contract.enterprise.messages.common import DecimalValuePrecision, SmartMeter
from openami.shared.contract.enterprise.messages.device import UtilitiesDeviceERPSmartMeterCreateRequest as Create
from openami.shared.contract.enterprise.messages.location import DeviceLocation
from openami.shared.contract.enterprise.messages.location import (
    UtilitiesDeviceERPSmartMeterLocationNotification as Located,
)
from openami.shared.contract.enterprise.messages.measurement_task import (
    SmartMeterUtilitiesMeasurementTaskERPPointOfDeliveryAssignedNotification as PointAssigned,
)
from openami.shared.contract.enterprise.messages.register import (
    UtilitiesDeviceERPSmartMeterRegisterCreateRequest as RegisterCreate,
)
from openami.shared.contract.enterprise.messages.time_series import MeasurementTaskAssignmentRole
from openami.shared.contract.enterprise.messages.time_series import (
    UtilitiesTimeSeriesERPMeasurementTaskAssignmentChangeRequest as SeriesAssigned,
)
from openami.shared.spans import zone

if TYPE_CHECKING:
    from openami.shared.clock import Clock
    from openami.shared.contract.enterprise.messages.common import MessageHeader
    from openami.shared.contract.enterprise.model import HeadedMessage

OPEN: Final = date(9999, 12, 31)
ZONE: Final = "Europe/Amsterdam"


class Home:
    """Numbers and messages of one home: device, register task, interval task, profile, point of delivery."""

    def __init__(
        self,
        clock: Clock,
        number: int = 1,
        *,
        interval_s: int = 1800,
        since: datetime | None = None,
        first_number: int = 4710,
        ams: str = "AMS1",
    ) -> None:
        """Take the clock of the stamps, the number of the home, its interval, its installation, and its AMS."""
        self._clock = clock
        self.number = number
        self.device = f"{first_number + number:018}"
        base = first_number - 4710
        self._place = base + number
        self.serial = f"SN{self._place}"
        self.ams = ams
        self.register = f"{base + 100 + number:018}"
        self.intervals = f"{base + 200 + number:018}"
        self.profile = f"{base + 300 + number:018}"
        self.point = f"NL{self._place:016}"
        self.interval_s = interval_s
        self.recurrence = str(interval_s // 60)
        self.since = since or datetime(2026, 2, 27, 23, tzinfo=UTC)
        self.until: datetime | None = None
        self.stored_remotely = False
        self.material = "METER-E"

    @property
    def meter(self) -> SmartMeter:
        """The part of messages that names the AMS."""
        return SmartMeter(utilities_advanced_metering_system_id=self.ams)

    def head(self) -> MessageHeader:
        """A fresh header of the back office."""
        return header(self._clock.now(), sender="OFFICE")

    def create(self) -> Create:
        """The device is announced."""
        return Create(
            message_header=self.head(),
            utilities_device=Create.UtilitiesDevice(
                id=self.device,
                start_date=date(2026, 2, 1),
                end_date=OPEN,
                serial_id=self.serial,
                material_id=self.material,
                smart_meter=self.meter,
            ),
        )

    def registers(self) -> RegisterCreate:
        """Its register and its interval channel."""
        part = RegisterCreate.UtilitiesDevice.Register
        specifications = part.Specifications(
            measure_unit_code="KWH",
            decimal_value_precision=DecimalValuePrecision(total_digit_number_value=9, fraction_digit_number_value=3),
        )
        common: dict[str, Any] = {
            "start_date": self._local(self.since).date(),
            "end_date": OPEN,
            "time_zone_code": "CET",
            "utilities_division_category_code": "1",
            "specifications": specifications,
        }
        register = part(
            utilities_measurement_task_id=self.register,
            utilities_object_identification_system_code_text="1-0:1.8.0",
            utilties_measurement_task_category_code="5",
            **common,
        )
        intervals = part(
            utilities_measurement_task_id=self.intervals,
            utilities_object_identification_system_code_text="1-0:1.29.0",
            utilties_measurement_task_category_code="4",
            utilities_measurement_recurrence_code=self.recurrence,
            **common,
        )
        return RegisterCreate(
            message_header=self.head(),
            utilities_device=RegisterCreate.UtilitiesDevice(
                id=self.device, register=(register, intervals), smart_meter=self.meter
            ),
        )

    def located(self) -> Located:
        """Where it hangs, or hung."""
        began, ended = self._local(self.since), self._local(self.until) if self.until else None
        last = max(began.date(), ended.date() - timedelta(days=1)) if ended else OPEN
        location = DeviceLocation(
            start_date=began.date(),
            end_date=last,
            installation_point_id=f"DL{self._place}",
            installation_point_address_information=DeviceLocation.InstallationPointAddressInformation(
                country_code="NL"
            ),
            installation_point_hierarchy_relationship=DeviceLocation.InstallationPointHierarchyRelationship(
                parent_installation_point_id=f"CO{self._place}"
            ),
            modification_information=DeviceLocation.ModificationInformation(
                installation_date=began.date(),
                installation_time=began.time(),
                remove_date=ended.date() if ended else None,
                remove_time=ended.time() if ended else None,
                time_zone_code="CET",
            ),
        )
        return Located(
            message_header=self.head(),
            utilities_device=Located.UtilitiesDevice(
                location_list_complete_transmission_indicator=True,
                logical_location_list_complete_transmission_indicator=True,
                id=self.device,
                location=(location,),
                smart_meter=self.meter,
            ),
        )

    def pointed(self, task: str) -> PointAssigned:
        """A task counts for the point of delivery of the home."""
        content = PointAssigned.UtilitiesMeasurementTask
        began = self._local(self.since)
        end = self._local(self.until) if self.until else datetime.combine(OPEN, time(23, 59, 59))
        return PointAssigned(
            message_header=self.head(),
            utilities_measurement_task=content(
                id=task,
                utilities_point_of_delivery_assignment_list_complete_transmission_indicator=True,
                utilities_point_of_delivery_assignment=(
                    content.UtilitiesPointOfDeliveryAssignment(
                        start_date=began.date(),
                        start_time=began.time(),
                        end_date=end.date(),
                        end_time=end.time(),
                        utilities_point_of_delivery_party_id=self.point,
                    ),
                ),
                utilities_device=content.UtilitiesDevice(
                    utilities_device_id=self.device,
                    smart_meter=content.UtilitiesDevice.SmartMeter(advanced_metering_system_id=self.ams),
                ),
            ),
        )

    def series(self) -> SeriesAssigned:
        """The interval channel feeds the profile of the home."""
        began = self._local(self.since)
        end = self._local(self.until) if self.until else datetime.combine(OPEN, time(23, 59, 59))
        return SeriesAssigned(
            message_header=self.head(),
            utilities_time_series=SeriesAssigned.UtilitiesTimeSeries(
                measurement_task_assignment_role_list_complete_transmission_indicator=True,
                id=self.profile,
                utilities_measurement_recurrence_code=self.recurrence,
                measure_unit_code="KWH",
                items_remotely_stored_indicator=self.stored_remotely,
                measurement_task_assignment_role=(
                    MeasurementTaskAssignmentRole(
                        start_date=began.date(),
                        start_time=began.time(),
                        end_date=end.date(),
                        end_time=end.time(),
                        utilities_time_series_assignment_role_code="0001",
                        utilities_measurement_task_id=self.intervals,
                        utilities_device_smart_meter=self.meter,
                    ),
                ),
            ),
        )

    def initialization(self) -> list[HeadedMessage]:
        """Everything that initializes the device, in the order of the book."""
        return [
            self.create(),
            self.registers(),
            self.located(),
            self.pointed(self.register),
            self.pointed(self.intervals),
            self.series(),
        ]

    @property
    def identity(self) -> cim.Identity:
        """How the meter is named on the field seam."""
        return cim.Identity.named(self.serial, "SerialNumber")

    @staticmethod
    def _local(moment: datetime) -> datetime:
        """Date and time of a message: in whole seconds."""
        return moment.astimezone(zone(ZONE)).replace(microsecond=0, tzinfo=None)
