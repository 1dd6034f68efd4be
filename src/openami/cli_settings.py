"""The settings of a command, read when it runs: `--help` and `decode` answer without what reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openami.shared.settings import Settings


def load_settings(**given: Any) -> Settings:  # noqa: ANN401 - as the settings are
    """The settings with what was given on the command line (see `openami.shared.settings.load_settings`)."""
    from openami.shared import settings  # noqa: PLC0415 - see above

    return settings.load_settings(**given)
