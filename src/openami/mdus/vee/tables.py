"""What VEE keeps: findings, days with open slots, spans without supply."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from openami.mdus.series.tables import TRANSACTION
from openami.mdus.tables import metadata

finding: Final = Table(
    "vee_finding",
    metadata,
    Column("day", Date, primary_key=True),
    Column("channel", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("rule", Text, primary_key=True),
    Column("verdict", SmallInteger, nullable=False),
    Column("slots", ARRAY(SmallInteger), nullable=False),
    Column("inputs", JSONB, nullable=False),
    Column("rule_set", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("transaction", BigInteger, nullable=False, server_default=TRANSACTION),
)
# how often a channel was estimated in a year (V27)
Index("ix_vee_finding_estimates", finding.c.channel, finding.c.day, postgresql_where=finding.c.rule.like("E%"))

# channel-days that are to be reviewed once more, because something that they look at has changed
review_due: Final = Table(
    "vee_review_due",
    metadata,
    Column("channel", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
)

open_day: Final = Table(
    "vee_open_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("channel", BigInteger, primary_key=True, autoincrement=False),
    Column("slots", SmallInteger, nullable=False),
    Column("tried", Boolean, nullable=False),
)

supply: Final = Table(
    "vee_supply",
    metadata,
    Column("channel", BigInteger, primary_key=True, autoincrement=False),
    Column("off_at", DateTime(timezone=True), primary_key=True),
    Column("on_at", DateTime(timezone=True)),
    Column("cause", Text, nullable=False),
    Column("off_transaction", BigInteger, nullable=False),
    Column("on_transaction", BigInteger),
)

# what a transaction that judged could see: with it the same evaluation gives the same result again
run: Final = Table(
    "vee_run",
    metadata,
    Column("transaction", BigInteger, primary_key=True, autoincrement=False),
    Column("snapshot", Text, nullable=False),
)

rule_set: Final = Table(
    "vee_rule_set",
    metadata,
    Column("stamp", Text, primary_key=True),
    Column("content", JSONB, nullable=False),
)

# what deliveries and events said about intervals beside their values, where that is odd
note: Final = Table(
    "vee_note",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("day", Date, nullable=False),
    Column("channel", BigInteger, nullable=False),
    Column("rule", Text, nullable=False),
    Column("slots", ARRAY(SmallInteger), nullable=False),
    Column("values", ARRAY(BigInteger), nullable=False),
    Column("told", Text, nullable=False),
    Column("expected", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("transaction", BigInteger, nullable=False, server_default=TRANSACTION),
)
Index("ix_vee_note_day", note.c.day, note.c.channel)

# what a utility brings for rules and methods beside readings (`vee.reference_data`): rows are only ever added
reference: Final = Table(
    "vee_reference",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("values", ARRAY(BigInteger), nullable=False),
    Column("author", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("transaction", BigInteger, nullable=False, server_default=TRANSACTION),
)
Index("ix_vee_reference_key", reference.c.kind, reference.c.key, reference.c.day)

# what rules ask the field crew to look at: of a device and a rule one at a time
inspection: Final = Table(
    "vee_inspection",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("device", Text, nullable=False),
    Column("channel", BigInteger, nullable=False),
    Column("rule", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("said", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("assigned_to", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Column("raised_at", DateTime(timezone=True), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
)
Index(
    "uq_vee_inspection_not_done", inspection.c.device, inspection.c.rule, unique=True,
    postgresql_where=inspection.c.state != "done",
)  # fmt: skip
Index("ix_vee_inspection_state", inspection.c.state, inspection.c.raised_at)

edit: Final = Table(
    "vee_edit",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("channel", BigInteger, nullable=False),
    Column("start", DateTime(timezone=True), nullable=False),
    Column("end", DateTime(timezone=True), nullable=False),
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("values", JSONB, nullable=False),
    Column("source_channel", BigInteger),
    Column("author", Text, nullable=False),
    Column("proposed_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("approved_by", Text),
    Column("versions", JSONB),
)
