"""Makes the package of the model whose tool calls are known, and prints its folder."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("exporter", "e2e")] + [str(ROOT / "python")]

from packages import PackageStore  # noqa: E402
from scripted_model import HERMES  # noqa: E402
from tool_scripts import MARKERS, SCRIPTS  # noqa: E402

store = PackageStore(ROOT / "build" / "e2e-packages", [ROOT / "python" / "quire_export"])
print(store.scripted("scripted-js", scripts=SCRIPTS, template=HERMES, others=MARKERS))
