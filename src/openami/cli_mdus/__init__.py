"""The commands about meter data: take files in, explain, prove and edit values, compute what bills are made from.

All of them speak HTTP with the MDUS of the data folder; where none runs, one is started for the time of the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.cli_mdus import edits, files, values, vee, virtual

if TYPE_CHECKING:
    import typer

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Put the commands into the main one."""
    for part in (files, values, edits, vee, virtual):
        part.add_to(app)
