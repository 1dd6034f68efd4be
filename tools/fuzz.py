"""Feeds every decoder of the field with the bytes of a coverage-guided fuzzer: `python tools/fuzz.py [--seconds N]`.

Each target runs in a process of its own, from the captured telegrams of `tests/vectors` on. Whatever the bytes are,
a target gives a value or an error of ours, within five seconds and a gigabyte; anything else is written to a file and
ends the campaign with an error. Without `--seconds` each target has a minute.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["openami.ami"]):
    from openami.ami.dlms import ServerConnection, WrapperFrame, WrapperFraming, axdr, decode_profile
    from openami.ami.dlms.acse import decode_aare, decode_aarq
    from openami.ami.dlms.apdu import decode_apdu
    from openami.ami.dlms.device import serve
    from openami.ami.dlms.enums import DataAccessResult
    from openami.ami.dlms.hdlc import HdlcAddress, HdlcFraming, PushReader
    from openami.ami.dlms.push import Listener
    from openami.ami.dlms.security import Keys
    from openami.ami.telegrams.decode import decode
    from openami.ami.telegrams.languages import LANGUAGES

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(16)
VECTORS = Path(__file__).parents[1] / "tests" / "vectors"
SEED_OCTETS_MAX = 4096
LIMITS = ("-timeout=5", "-rss_limit_mb=1024", f"-max_len={SEED_OCTETS_MAX}", "-print_final_stats=0", "-verbosity=0")


class Anything:
    """A meter that has every object and refuses to tell what is in it."""

    def admit(self, *_: object) -> bool:
        """Everybody."""
        return True

    def get(self, *_: object) -> DataAccessResult:
        """Nothing."""
        return DataAccessResult.OBJECT_UNDEFINED

    def set(self, *_: object) -> DataAccessResult:
        """Nothing."""
        return DataAccessResult.READ_WRITE_DENIED

    def act(self, *_: object) -> DataAccessResult:
        """Nothing."""
        return DataAccessResult.READ_WRITE_DENIED


def telegrams(data: bytes) -> None:
    """Any language, told and not told, with a key and without."""
    languages = [None, *LANGUAGES]
    told = languages[data[0] % len(languages)] if data else None
    decode(data[1:], language=told, key=KEY if data[:1] and data[0] & 0x80 else None)


def apdus(data: bytes) -> None:
    """Messages of the application layer, and of the association."""
    for read in (decode_apdu, decode_aarq, decode_aare, axdr.decode):
        guarded(read, data)


def profiles(data: bytes) -> None:
    """Load profiles by the vectorised path."""
    decode_profile(data)


def pushes(data: bytes) -> None:
    """Pushes, bare and over HDLC, ciphered with a key that we have."""
    listener = Listener(lambda _title: Keys(KEY))
    guarded(listener.take, data)
    reader = PushReader()
    reader.receive(data)
    while (apdu := reader.next_apdu()) is not None:
        guarded(listener.take, apdu)


def servers(data: bytes) -> None:
    """A meter's whole stack: wrapper, association, requests; then HDLC."""
    server = ServerConnection(WrapperFraming.server(1))
    for apdu in data.split(b"\xff\xfe\xfd"):
        serve(server, Anything(), WrapperFrame(1, 1, apdu).encode())  # type: ignore[arg-type]
    guarded(lambda octets: serve(ServerConnection(WrapperFraming.server(1)), Anything(), octets), data)  # type: ignore[arg-type]
    serve(ServerConnection(HdlcFraming.server(HdlcAddress(1))), Anything(), data)  # type: ignore[arg-type]


def everything(data: bytes) -> None:
    """All of them in one process, chosen by the first byte: the short form."""
    if data:
        targets = [telegrams, apdus, profiles, pushes, servers]
        targets[data[0] % len(targets)](data[1:])


def guarded(read: Callable[[bytes], object], data: bytes) -> None:
    """A value or an error of ours; every other exception is a finding."""
    try:
        read(data)
    except OpenAmiError:
        return


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (telegrams, apdus, profiles, pushes, servers)
}


def corpus(folder: Path) -> None:
    """The captured telegrams, as the fuzzer's first inputs."""
    for number, path in enumerate(sorted(VECTORS.rglob("*"))):
        if (
            path.is_file()
            and path.stat().st_size <= SEED_OCTETS_MAX
            and path.suffix in {".hex", ".log", ".txt", ".dump"}
        ):
            text = path.read_bytes()
            (folder / f"{number}").write_bytes(text)
            digits = "".join(chr(octet) for octet in text if chr(octet) in "0123456789abcdefABCDEF")
            if path.suffix in {".hex", ".log"} and len(digits) % 2 == 0:
                (folder / f"{number}-octets").write_bytes(b"\x00" + bytes.fromhex(digits))


def run_one(name: str, seconds: int) -> None:
    """Fuzz one target in this process until its time is up."""
    with tempfile.TemporaryDirectory() as folder:
        corpus(Path(folder))
        target = TARGETS.get(name, everything)
        arguments = [sys.argv[0], f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", *LIMITS, folder]
        atheris.Setup(arguments, lambda data: guarded(target, data))
        atheris.Fuzz()


def main() -> None:
    """All targets, or the one named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", choices=[*sorted(TARGETS), everything.__name__])
    parser.add_argument("--here", action="store_true", help="in this process")
    given = parser.parse_args()
    if given.here:
        run_one(given.target or "telegrams", given.seconds)
        return
    for name in [given.target] if given.target else TARGETS:
        command = [sys.executable, __file__, "--here", "--target", name, "--seconds", str(given.seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own file
        if done.returncode:
            raise SystemExit(f"{name}: the fuzzer found something.\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}")
        print(f"{name}: {given.seconds} s, nothing found")


if __name__ == "__main__":
    main()
