"""Makes the package of a model whose answers are known, for tests of the page, and prints its folder.

It thinks and greets; with tools it calls the calculator, and says what came of it.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("exporter", "e2e")] + [str(ROOT / "python")]

from packages import PackageStore  # noqa: E402
from scripted_model import HERMES  # noqa: E402

SCRIPTS = {
    "<|talk|>": ["<think>", "A greeting, ", "then.", "</think>", "Hello ", "**there**."],
    "<|call|>": ["I compute.\n", '<tool_call>\n{"name": "calculator", ', '"arguments": {"expression": ',
                 '"(17 + 4) * 2"', "}}\n</tool_call>"],
    "<|done|>": ["It is ", "forty-two."],
}
MARKERS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")

store = PackageStore(ROOT / "build" / "e2e-packages", [ROOT / "python" / "quire_export"])
print(store.scripted("scripted-page", scripts=SCRIPTS, template=HERMES, others=MARKERS))
