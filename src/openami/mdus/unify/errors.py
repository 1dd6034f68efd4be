"""What can go wrong with a delivery as a whole, one class per reason."""

from __future__ import annotations

from openami.shared.errors import OpenAmiError


class UnifyError(OpenAmiError):
    """Any refusal of this folder."""


class UnknownUnitError(UnifyError):
    """A unit that has no exact relation to one of the books."""


class DamagedDeliveryError(UnifyError):
    """A kept delivery whose bytes no longer have the hash under which they were kept."""


class UnknownDeliveryError(UnifyError):
    """No delivery is kept under this hash."""
