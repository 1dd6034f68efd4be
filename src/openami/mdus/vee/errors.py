"""Why VEE refuses."""

from __future__ import annotations

from openami.shared.errors import OpenAmiError


class RuleSetError(OpenAmiError):
    """A rule-set file that does not say what it must."""


class UnknownRuleSetError(OpenAmiError):
    """A rule set that is neither shipped nor in the configured folder."""


class RuleError(OpenAmiError):
    """A rule that contradicts the catalogue."""
