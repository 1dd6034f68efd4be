"""IEC 62056-21 read-outs (modes A to D): the text that a meter sends through its optical head; sans-IO.

In: bytes. Out: identification and data sets (address, values, units), exact. Upstream are meters with an optical or a
serial port; DSMR P1 borrows the grammar of the data sets.
"""

from __future__ import annotations

from openami.ami.iec62056_21.datasets import DataSet, DataValue, parse_data_sets
from openami.ami.iec62056_21.errors import BlockCheckError, DataSetError, ReadoutError, ReadoutTooLongError
from openami.ami.iec62056_21.readout import Readout, decode_readout

__all__ = [
    "BlockCheckError",
    "DataSet",
    "DataSetError",
    "DataValue",
    "Readout",
    "ReadoutError",
    "ReadoutTooLongError",
    "decode_readout",
    "parse_data_sets",
]
