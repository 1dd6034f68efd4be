"""What installing compiles is what the first delivery needs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from openami.mdus.unify.adapters import cim_kernel, mscons_kernel
from openami.shared.contract import scan_kernel
from openami.shared.contract.enterprise.codec import encode
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.interval_scan import scan_items

TOOL = Path(__file__).parent.parent.parent / "tools" / "compile_loops.py"


def test_reading_both_forms_compiles_both_loops() -> None:
    spec = importlib.util.spec_from_file_location("compile_loops", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main()
    loops: list[Any] = [scan_kernel.read, cim_kernel.lay_out, mscons_kernel._groups]
    assert all(loop.overloads for loop in loops)
    compiled = loops[0].signatures
    assert scan_items(encode(example("UtilitiesTimeSeriesERPItemBulkCreateRequest"))) is not None
    assert loops[0].signatures == compiled, "an upload over the wire is read by the same code as a file"


def test_installing_runs_it() -> None:
    assert 'python" tools/compile_loops.py\n' in (TOOL.parent / "install.sh").read_text("utf-8")
