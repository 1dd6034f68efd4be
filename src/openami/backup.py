"""A landscape as it is at one instant, copied while it runs; and the landscape again from the copy.

A backup is a folder: `postgres/` holds all databases at one instant (pg_basebackup, with its own checksums), `files/`
what else lies in the data folder, `openami.json` what it is and the SHA-256 of every file. It holds the installation's
secrets: whoever reads it reads everything.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter
from sqlalchemy import create_engine, inspect, update

from openami.ami.headend.store import meter_table
from openami.shared.clock import RealClock
from openami.shared.errors import OpenAmiError
from openami.shared.postgres import EmbeddedPostgres
from openami.shared.secrets import load_secrets
from openami.shared.supervisor import DATABASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from openami.shared.settings import Settings

    Told = Callable[[str], None]

MANIFEST: Final = "openami.json"
COUNTER_LEAP: Final = 1_000_000
"""More than a meter is sent between two backups: a reading takes about ten."""
_LEFT_OUT: Final = frozenset({"postgres", "logs", "lock"})
"""The databases are copied by their own means; logs and the lock are of the machine, not of the landscape."""


class BackupError(OpenAmiError):
    """A backup that cannot be made, or cannot be trusted."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup says of itself."""

    made_at: str
    openami: str
    files: dict[str, str]  # path below `files/` -> SHA-256


def back_up(settings: Settings, target: Path, told: Told) -> Backup:
    """Copy the landscape into a new folder; it may run meanwhile.

    Files are never altered once written, and sealed files that compaction replaced stay for a time. So files are copied
    before the databases and once more after them: whatever the databases name at their instant is there.

    Args:
        settings: whose data folder is copied.
        target: the folder to make.
        told: is told what is being done.

    Raises:
        BackupError: there is no landscape, its databases are not ours to copy, or the target exists.
    """
    folder = settings.data_dir
    _assert_ours(settings)
    if not _free(target):
        raise BackupError(f"{target} is not empty, or no folder.", hint="Name a folder that is not there yet.")
    if target.resolve().is_relative_to(folder.resolve()):
        raise BackupError(f"{target} lies in the data folder.", hint="Name one elsewhere, best on another disk.")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    made_at = RealClock().now().isoformat(timespec="seconds")
    copied = _copy_new(folder, target / "files", {}, told)
    told("databases")
    with EmbeddedPostgres(folder / "postgres", load_secrets(folder / "secrets.json").token("postgres")) as server:
        server.copy_to(target / "postgres")
    copied = _copy_new(folder, target / "files", copied, told)
    backup = Backup(made_at, version("openami"), copied)
    _write_durably(target / MANIFEST, json.dumps(asdict(backup), indent=1))
    return backup


def restore(source: Path, data_dir: Path, told: Told) -> Backup:
    """Make a landscape again from a backup, after every byte of it was checked.

    Raises:
        BackupError: the folder holds no whole backup, a file was altered, or there is data in the way.
    """
    backup = _read(source)
    if not _free(data_dir):
        raise BackupError(
            f"There is data in {data_dir.resolve()}.", hint="Name an empty --data-dir, or `openami reset` this one."
        )
    told("checksums")
    for name, digest in backup.files.items():
        path = source / "files" / name
        if not path.is_file() or _digest(path) != digest:
            raise BackupError(f"{path} is not what was backed up.", hint="Use another backup: this one was altered.")
    data_dir.mkdir(parents=True, exist_ok=True)
    for name in backup.files:
        told(name)
        _copy(source / "files" / name, data_dir / name)
    told("databases")
    server = EmbeddedPostgres(data_dir / "postgres", load_secrets(data_dir / "secrets.json").token("postgres"))
    server.restore_from(source / "postgres")
    with server:  # the proof that it starts; it also takes in the changes that came while it was copied
        _leap_counters(server)
    return backup


def _free(folder: Path) -> bool:
    """Whether a folder can be made here without touching anything."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _leap_counters(server: EmbeddedPostgres) -> None:
    """Set every meter's invocation counter well ahead: what was sent since the backup must not be sent again.

    A counter that is used twice with one key gives the key away (NIST SP 800-38D, 8).
    """
    engine = create_engine(server.ensure_database(DATABASES["headend"]))
    with engine.begin() as transaction:
        if inspect(transaction).has_table(meter_table.name, schema=meter_table.schema):
            column = meter_table.c.counter_reserved
            transaction.execute(update(meter_table).values({column: column + COUNTER_LEAP}))
    engine.dispose()


def _assert_ours(settings: Settings) -> None:
    if settings.postgres_url or settings.object_store:
        raise BackupError(
            "The databases or files of this landscape are on servers of yours.",
            hint="Back them up by their own means, and keep secrets.json of the data folder: it opens the sealed keys.",
        )
    if not (settings.data_dir / "secrets.json").exists():
        raise BackupError(f"There is no landscape in {settings.data_dir.resolve()}.", hint="Name it with --data-dir.")


def _copy_new(folder: Path, target: Path, copied: dict[str, str], told: Told) -> dict[str, str]:
    """Copy what was not copied yet; a file that went meanwhile is not missed."""
    found = dict(copied)
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        if name in found:
            continue
        told(name)
        try:
            _copy(path, target / name)
        except FileNotFoundError:
            continue
        found[name] = _digest(target / name)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name in _LEFT_OUT or entry.is_symlink():
            continue
        if entry.is_file():
            yield entry
        else:
            yield from sorted(path for path in entry.rglob("*") if path.is_file() and not path.is_symlink())


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_durably(path: Path, text: str) -> None:
    """Written last and whole: a backup without it is not one."""
    draft = path.with_suffix(".draft")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def _read(source: Path) -> Backup:
    try:
        kept = TypeAdapter(Backup).validate_json((source / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise BackupError(
            f"{source} is no whole backup: its {MANIFEST} cannot be read.",
            hint="Name a folder that `openami backup` made; one that was interrupted is none.",
        ) from error
    inside = (source / "files").resolve()
    if not all((inside / name).resolve().is_relative_to(inside) for name in kept.files):
        raise BackupError(f"The {MANIFEST} of {source} names files outside it.", hint="Do not trust this folder.")
    if "secrets.json" not in kept.files:
        raise BackupError(f"{source} holds no secrets.json.", hint="Use another backup: nothing sealed opens.")
    return kept
