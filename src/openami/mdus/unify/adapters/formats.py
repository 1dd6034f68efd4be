"""All formats, and which of them a file is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.mdus.unify.adapters.cim import Cim
from openami.mdus.unify.adapters.cmep import Cmep
from openami.mdus.unify.adapters.delimited import Delimited
from openami.mdus.unify.adapters.green_button import GreenButton
from openami.mdus.unify.adapters.mapping import shipped_mappings
from openami.mdus.unify.adapters.mscons import Mscons
from openami.mdus.unify.adapters.nem12 import Nem12
from openami.mdus.unify.adapters.packed import Packed
from openami.mdus.unify.errors import UnifyError

if TYPE_CHECKING:
    from openami.mdus.unify.adapters.model import Adapter


class UnknownFormatError(UnifyError):
    """No adapter recognises a file, or none has the name that was asked for."""


ADAPTERS: Final[tuple[Adapter, ...]] = (
    Packed(),
    Cim(),
    GreenButton(),
    Nem12(),
    Mscons(),
    Cmep(),
    *(Delimited(mapping) for mapping in shipped_mappings()),
)


def sniff(head: bytes) -> Adapter:
    """The adapter for a file that begins like this.

    Raises:
        UnknownFormatError: none recognises it.
    """
    found = next((adapter for adapter in ADAPTERS if adapter.sniffs(head)), None)
    if found is None:
        raise UnknownFormatError(
            f"A file that begins with {head[:40]!r} is in no format that is known here.",
            hint=f"Known are {', '.join(adapter.name for adapter in ADAPTERS)}; delimited files need a mapping.",
        )
    return found


def adapter_named(name: str) -> Adapter:
    """The adapter of a name.

    Raises:
        UnknownFormatError: none has it.
    """
    for adapter in ADAPTERS:
        if adapter.name == name:
            return adapter
    raise UnknownFormatError(f"There is no format {name!r}.", hint=f"Known: {', '.join(a.name for a in ADAPTERS)}.")
