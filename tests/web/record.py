"""Records what the areas of a running landscape answer, for the tests of the console. Run by hand, never by pytest.

    python tests/web/record.py DATA_DIR BASE_PORT DEVICE

DEVICE is the serial of the meter whose page is tested with all its data (one with estimated intervals). Lists are cut,
series are packed: the recording is a fixture, not an archive.
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx

from openami.shared.secrets import load_secrets
from openami.shared.settings import load_settings

VECTORS = Path(__file__).parents[1] / "vectors" / "web"
PLAIN = {
    "field": ["work", "status"],
    "headend": ["work", "status", "meters", "messages/counts"],
    "mdus": [
        "work",
        "status",
        "devices",
        "events",
        "orders",
        "commands",
        "messages/counts",
        "messages/quarantine",
        "inspections",
    ],
    "office": [
        *("work", "status", "devices", "customers", "orders", "connections"),
        *("events", "bills", "tariffs", "messages/counts"),
    ],
}
KEPT = {"sessions": 8, "telegrams": 8, "uploads": 6, "requests": 12, "faults": 4}
MONTH = {"from": "2026-02-28T23:00:00Z", "to": "2026-03-31T22:00:00Z"}


class Recorder:
    """Asks the areas and keeps the answers by area and path."""

    def __init__(self, data_dir: Path, base_port: int) -> None:
        self._settings = load_settings(data_dir=data_dir, base_port=base_port)
        token = load_secrets(data_dir / "secrets.json").service_token
        self._client = httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=60, trust_env=False)
        self.kept: dict[str, dict[str, Any]] = {area: {} for area in PLAIN}

    def ask(self, area: str, path: str, **query: str) -> Any:
        return self._client.get(f"{self._settings.url_of(area)}/api/{path}", params=query).raise_for_status().json()

    def keep(self, area: str, path: str) -> Any:
        self.kept[area][path] = _cut(self.ask(area, path))
        return self.kept[area][path]

    def device(self, name: str) -> None:
        device = self.keep("office", f"devices/{name}")
        number = device["id"]
        self.kept["office"][f"devices/{number}"] = device
        self.keep("headend", f"meters/{device['serial']}")
        for channel in self.keep("mdus", f"devices/{number}")["channels"]:
            kind = "series" if channel["interval_s"] else "registers"
            path = f"{kind}/{channel['channel']}"
            self.kept["mdus"][path] = _packed(self.ask("mdus", path, **MONTH))

    def messages(self, area: str) -> None:
        rows = self.ask(area, "messages", limit="500")["messages"]
        rows = sorted(rows, key=lambda one: one["size_bytes"])[:40]
        self.kept[area]["messages"] = sorted(rows, key=lambda one: one["at"], reverse=True)
        smallest = next(one for one in rows if one["reference_id"])
        self.keep(area, f"messages/{smallest['direction']}/{smallest['sequence']}")


def _cut(answer: Any) -> Any:
    if not isinstance(answer, dict):
        return answer
    return {
        key: value[: KEPT[key]] if key in KEPT and isinstance(value, list) else value for key, value in answer.items()
    }


def _packed(answer: dict[str, Any]) -> dict[str, Any]:
    runs = [[quality, len(list(group))] for quality, group in groupby(answer["qualities"])]
    first = answer["times"][:1] if answer["interval_s"] else answer["times"]
    return {key: value for key, value in answer.items() if key != "flags"} | {"times": first, "qualities": runs}


def main(data_dir: str, base_port: str, *devices: str) -> None:
    recorder = Recorder(Path(data_dir), int(base_port))
    for area, paths in PLAIN.items():
        for path in paths:
            recorder.keep(area, path)
    for name in devices:
        recorder.device(name)
    for area in ("headend", "mdus", "office"):
        recorder.messages(area)
    bills = recorder.kept["office"]["bills"]
    bill = next((one for one in bills if one["estimated_milli"]), bills[0])
    recorder.keep("office", f"bills/{bill['id']}")
    for area, answers in recorder.kept.items():
        text = json.dumps(answers, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        (VECTORS / f"{area}.json").write_text(text.replace('},{"', '},\n{"') + "\n", "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
