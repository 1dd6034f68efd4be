"""The middle as an area: what it serves, what it does in the background, what it has in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.mdus.feed_views import FeedViews
from openami.mdus.intake.views import PATH as INTAKE
from openami.mdus.intake.views import IntakeViews
from openami.mdus.loading import store as _loads  # noqa: F401 - its table belongs to the area
from openami.mdus.middle import MdusSettings, Middle
from openami.mdus.vee.inspection_views import InspectionViews
from openami.mdus.vee.reference_views import ReferenceViews
from openami.mdus.vee.views import ValueViews
from openami.mdus.views import Views
from openami.mdus.virtual.views import VirtualViews
from openami.shared.service import Area

if TYPE_CHECKING:
    from pathlib import Path

    from openami.mdus.series.lake import Lake
    from openami.shared.clock import Clock
    from openami.shared.database import Database
    from openami.shared.seam.enterprise import EnterpriseDoor
    from openami.shared.seam.field import FieldDoor

__all__ = ["MdusSettings", "build"]


def build(
    *,
    database: Database,
    clock: Clock,
    settings: MdusSettings,
    enterprise_door: EnterpriseDoor,
    field_door: FieldDoor,
    folder: Path | str,
    lake: Lake | None = None,
) -> Area:
    """Wire the middle; `folder` keeps the raw deliveries, `lake` the sealed days. The doors get their handlers here."""
    middle = Middle(
        database=database,
        clock=clock,
        settings=settings,
        enterprise_door=enterprise_door,
        field_door=field_door,
        folder=folder,
        lake=lake,
    )
    drop = middle.drop_folder()
    return Area(
        name="mdus",
        clock=clock,
        database=database,
        routes=[
            *Views(middle).routes(),
            *IntakeViews(middle).routes(),
            *ValueViews(middle).routes(),
            *FeedViews(middle).routes(),
            *VirtualViews(middle).routes(),
            *ReferenceViews(middle).routes(),
            *InspectionViews(middle).routes(),
        ],
        loops=[*(duty.run for duty in middle.duties), *([drop.run] if drop else [])],
        work=[duty.work for duty in middle.duties],
        on_start=[middle.start],
        activity=lambda: sum(duty.acted for duty in middle.duties) + middle.flow.deliveries,
        takes_files_at=frozenset({INTAKE}),
    )
