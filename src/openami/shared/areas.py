"""The areas of a landscape: each is a process of its own."""

from __future__ import annotations

from typing import Final

AREAS: Final = ("field", "headend", "mdus", "office", "web")
