"""A part of a meter's object model: its objects, what can be written to them, and their methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.data import Data

if TYPE_CHECKING:
    from openami.ami.dlms.obis import Obis
    from openami.ami.meter.buffers import ProfileTable

Getter = Callable[[], Data | Encoded]
Setter = Callable[[Data], None]
Method = Callable[[Data | None], Data | None]


@dataclass(slots=True)
class Part:
    """Objects by logical name with their class and readable attributes; writers by attribute, methods by number."""

    objects: dict[Obis, tuple[int, dict[int, Getter]]] = field(default_factory=dict)
    profiles: dict[Obis, ProfileTable] = field(default_factory=dict)
    writers: dict[tuple[Obis, int], Setter] = field(default_factory=dict)
    methods: dict[tuple[Obis, int], Method] = field(default_factory=dict)

    def join(self, other: Part) -> None:
        """Take over another part."""
        self.objects |= other.objects
        self.profiles |= other.profiles
        self.writers |= other.writers
        self.methods |= other.methods
