"""Devices and channels of a bulk delivery as columns: one question for all names, one for all channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from psycopg.sql import SQL

from openami.mdus.registry.ids import bare
from openami.mdus.unify.bulk import NOBODY, ChannelColumns, Sort
from openami.shared.database import psycopg_connection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

# a name that may also mean a point of delivery, or several devices, is left in doubt
_NAMED: Final = SQL(
    "WITH n AS (SELECT * FROM unnest(string_to_array(%(names)s, %(between)s), string_to_array(%(keys)s, %(between)s))"
    " WITH ORDINALITY AS n (name, key, place)),"
    " m AS (SELECT n.place, d.device_key, d.reported_at IS NULL AS new FROM n JOIN device d ON d.mrid = n.name"
    " UNION SELECT n.place, d.device_key, d.reported_at IS NULL FROM n JOIN device d ON d.serial_id = n.name"
    " UNION SELECT n.place, d.device_key, d.reported_at IS NULL FROM n JOIN device d ON d.device_key = n.key"
    " UNION SELECT n.place, NULL, false FROM n JOIN point_assignment p ON p.point = n.name)"
    " SELECT place - 1, min(device_key), bool_or(new) FROM m GROUP BY place"
    " HAVING count(*) = 1 AND min(device_key) IS NOT NULL"
)
_CHANNELS: Final = SQL(
    "SELECT c.obis, c.unit, c.scale, c.interval_s, c.zone, c.day_start_s,"
    " string_agg(int8send(k.place - 1) || int8send(c.channel)"
    " || int8send(ceil(date_part('epoch', c.start_at))::bigint)"
    " || int8send(floor(date_part('epoch', c.end_at))::bigint), '')"
    " FROM unnest(string_to_array(%(keys)s, %(between)s)) WITH ORDINALITY AS k (key, place)"
    " JOIN channel c ON c.device_key = k.key"
    " GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6"
)
_ROW: Final = np.dtype([("device", ">i8"), ("channel", ">i8"), ("begin_s", ">i8"), ("end_s", ">i8")])


_BETWEEN: Final = "\x1f"  # one text is far cheaper than an array of many; XML has no such character
_ODD: Final = str.maketrans({_BETWEEN: "?", "\0": "?"})


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The devices behind names: for each identity the number of its device, and what the devices have."""

    device: NDArray[np.int64]
    channels: ChannelColumns
    new: tuple[str, ...]
    """Bare ids of devices that no AMS has delivered for yet."""


async def find(tx: AsyncConnection, identities: Sequence[tuple[str, ...]]) -> Found:
    """The devices that identities mean beyond doubt, with all their channels."""
    texts = [_plain(text) for texts in identities for text in texts]
    owner = np.repeat(np.arange(len(identities)), [len(texts) for texts in identities])
    connection = await psycopg_connection(tx)
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(
            _NAMED, {"names": _BETWEEN.join(texts), "keys": _BETWEEN.join(map(_bare, texts)), "between": _BETWEEN}
        )
        rows = await cursor.fetchall()
        keys = {key: number for number, key in enumerate(dict.fromkeys(row[1] for row in rows))}
        await cursor.execute(_CHANNELS, {"keys": _BETWEEN.join(keys), "between": _BETWEEN})
        parts = await cursor.fetchall()
    of_text = np.full(len(texts), NOBODY, np.int64)
    of_text[[row[0] for row in rows]] = [keys[row[1]] for row in rows]
    new = tuple(dict.fromkeys(row[1] for row in rows if row[2]))
    return Found(_of_identities(of_text, owner, len(identities)), _columns(parts), new)


def _of_identities(of_text: NDArray[np.int64], owner: NDArray[np.intp], count: int) -> NDArray[np.int64]:
    """The device on which all texts of an identity agree."""
    lowest, highest = np.full(count, np.iinfo(np.int64).max), np.full(count, NOBODY)
    np.minimum.at(lowest, owner, of_text)
    np.maximum.at(highest, owner, of_text)
    return np.where(lowest == highest, highest, NOBODY)


def _columns(parts: Sequence[tuple[str, str, int, int, str, int, bytes]]) -> ChannelColumns:
    tables = [np.frombuffer(part[6], _ROW) for part in parts]
    whole = np.concatenate(tables) if tables else np.zeros(0, _ROW)
    sort = np.repeat(np.arange(len(tables)), [len(table) for table in tables]).astype(np.int64)
    device, channel, begin_s, end_s = (whole[name].astype(np.int64) for name in _ROW.names or ())
    return ChannelColumns(device, channel, sort, begin_s, end_s, [Sort(*part[:6]) for part in parts])


def _plain(text: str) -> str:
    """A name as it can be asked for; nobody has a name with characters that separate or end texts."""
    return text.translate(_ODD) if _BETWEEN in text or "\0" in text else text


def _bare(text: str) -> str:
    return bare(text) if text else ""
