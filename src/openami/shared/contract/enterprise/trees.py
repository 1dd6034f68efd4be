"""Builds small XML trees: faults and WSDL documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Mapping


class Builder:
    """Makes elements of one namespace (None for none), declared with these prefixes."""

    def __init__(self, namespace: str | None, prefixes: Mapping[str, str] | None = None) -> None:
        self._start = "" if namespace is None else f"{{{namespace}}}"
        self._prefixes = prefixes

    def __call__(self, tag: str, /, *content: etree._Element | str, **attributes: str) -> etree._Element:
        """An element with text, children and attributes."""
        made = etree.Element(f"{self._start}{tag}", attributes, self._prefixes)
        for part in content:
            if isinstance(part, str):
                made.text = part
            else:
                made.append(part)
        return made
