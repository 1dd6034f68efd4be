"""What one may set, told from the settings themselves: the page of the docs and the command `openami settings`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, SecretStr

from openami.shared.settings import WITH_SECRETS, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

HIDDEN: Final = "(set, not shown)"
_HEAD: Final = """# Settings

Made from the settings themselves. Each is a variable `OPENAMI_NAME` (tables as JSON), or a line of `openami.toml` in
the folder where `openami` is started; a variable wins. `openami settings` shows those of an installation.

| setting | default | what it is |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Told:
    """One setting: `name` is dotted inside tables, `*` stands for a key of yours."""

    name: str
    default: str
    description: str


def told(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[Told]:
    """Every setting, those of a table behind the table."""
    for name, field in model.model_fields.items():
        yield Told(prefix + name, _default(field), field.description or _words(name))
        table = _table_of(field)
        if table is not None:
            key = ".*." if field.annotation is not None and "dict" in str(field.annotation) else "."
            yield from told(table, f"{prefix}{name}{key}")


def values(settings: Settings) -> Iterator[tuple[str, str, bool]]:
    """Name, value as text, and whether it differs from the default; secrets are hidden."""
    for name in Settings.model_fields:
        value = getattr(settings, name)
        changed = name in settings.model_fields_set
        yield name, HIDDEN if name in WITH_SECRETS and value and changed else _text(value), changed


def page() -> str:
    """The page `docs/reference/settings.md`."""
    rows = (f"| `{one.name}` | {one.default} | {one.description} |\n" for one in told())
    return _HEAD + "".join(rows)


def _table_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a table that is a setting, or of a table of tables."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value: Any = field.get_default(call_default_factory=True)
    text = "" if isinstance(value, BaseModel) else _text(value)
    return f"`{text}`" if text else ""


def _text(value: object) -> str:
    if value is None or isinstance(value, SecretStr) or value in ([], {}):
        return ""
    if isinstance(value, BaseModel):
        return value.model_dump_json(exclude_unset=True).replace("{}", "")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(name: str) -> str:
    return f"The {name.replace('_', ' ')}."
