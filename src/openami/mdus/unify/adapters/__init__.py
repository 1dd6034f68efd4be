"""Adapters: one module a file format, all behind one streaming interface.

In: a binary stream, as large as it likes. Out: `Batch`es of series in the words of the field seam (reading types,
quality codes), so that one path unifies them all; and every part that was refused, with its position and reason.

    adapter = adapters.sniff(head)                  # by the first bytes of the file
    for batch in adapter.read(stream):              # bounded memory: a batch is a few thousand readings
        found = unify.unify(batch.payload, directory, received_at=now)

`read_file` does both for a path, packed and zipped files included, and `read_columns` without making an object of each
block, where the format allows; `dry_run` tells what a file holds without storing
anything. Upstream: the drop folder, uploads, `openami ingest`.
"""

from openami.mdus.unify.adapters.files import Place, dry_run, read_columns, read_file
from openami.mdus.unify.adapters.formats import ADAPTERS, UnknownFormatError, adapter_named, sniff
from openami.mdus.unify.adapters.model import Adapter, Batch, SourceSeries
from openami.mdus.unify.adapters.summary import summarise

__all__ = [
    "ADAPTERS",
    "Adapter",
    "Batch",
    "Place",
    "SourceSeries",
    "UnknownFormatError",
    "adapter_named",
    "dry_run",
    "read_columns",
    "read_file",
    "sniff",
    "summarise",
]
