"""The program of a build on the packages of tests/data/contract: ctest runs it as program.paged.

Usage: paged_program_test.py QUIRE has_onnx|no_onnx [unittest arguments]
With no_onnx it is the smallest complete Quire: its own executor and no runtime beside it.
"""

import hashlib
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from program import Program  # noqa: E402

PACKAGES = ROOT / "tests" / "data" / "contract"
# PyTorch's logits for each position of a prompt of 45 tokens, which cross two blocks of the cache.
EXPECTED = json.loads((PACKAGES / "expected.json").read_text())
MARGIN = 1e-3


def best_tokens():
    """For each position the ids that may follow: one, or two that PyTorch cannot tell apart."""
    for row in EXPECTED["logits"]:
        yield {token for token, logit in enumerate(row) if logit > max(row) - MARGIN}


def requests():
    """Each beginning of the prompt, for the one token that follows it."""
    for length in range(1, len(EXPECTED["ids"]) + 1):
        ids = EXPECTED["ids"][:length]
        yield {"token_ids": ids, "max_tokens": 1, "temperature": 0, "ignore_eos": True}


def write_info(folder, change):
    path = folder / "model_info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


class PagedProgramTest(unittest.TestCase):
    """Every build of the program runs the packages that Quire itself makes."""

    quire: Program
    has_onnx: bool

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "package"

    def copy(self, graph, backends=None):
        """A copy of a package; `backends` replaces what it says of itself."""
        shutil.copytree(PACKAGES / graph, self.folder)
        if backends:
            write_info(self.folder, lambda info: info.update(backends=backends))
        return self.folder

    def refused_line(self, package, *flags):
        """What a package that cannot be opened is refused with: one line, whatever the build."""
        run = self.quire("generate", "-m", package, *flags, "--file", "-", stdin='{"token_ids":[1]}\n')
        run.assert_refused(run.code)
        self.assertNotEqual(run.code, 0)
        return run.err

    def test_each_token_is_the_one_that_pytorch_finds_best(self):
        answers = self.quire.generate(PACKAGES / "paged", list(requests()), "--backend", "graph")
        for answer, best in zip(answers, best_tokens(), strict=True):
            self.assertIn(answer["token_ids"][0], best)

    def test_the_backend_need_not_be_named(self):
        named = self.quire.generate(PACKAGES / "paged", list(requests())[-3:], "--backend", "graph")
        unnamed = self.quire.generate(PACKAGES / "paged", list(requests())[-3:])
        self.assertEqual([a["token_ids"] for a in named], [a["token_ids"] for a in unnamed])

    def test_a_prompt_given_whole_or_in_chunks_and_alone_or_in_a_crowd_ends_the_same(self):
        whole = [{**request, "max_tokens": 20} for request in requests()]
        crowd = self.quire.generate(PACKAGES / "paged", whole, "--max-batch-tokens", "64")
        alone = self.quire.generate(PACKAGES / "paged", whole[-1:], "--max-num-seqs", "1")
        self.assertEqual(crowd[-1]["token_ids"], alone[0]["token_ids"])
        self.assertEqual(len(alone[0]["token_ids"]), 20)

    def test_a_package_of_another_graph_is_refused_with_how_to_get_onnx_runtime(self):
        for graph in ("explicit", "none"):
            with self.subTest(graph):
                package = self.copy(graph, ["onnx"])
                if not self.has_onnx:
                    line = self.refused_line(package)
                    self.assertIn("ONNX Runtime", line)
                    self.assertIn("QUIRE_WITH_ONNX=ON", line)
                self.assertIn("no paged ONNX graph", self.refused_line(package, "--backend", "graph"))
                shutil.rmtree(package)

    def test_a_graph_of_others_under_a_paged_name_is_refused_and_never_run(self):
        """As one who forges a package would: the graph swapped and every hash made to fit."""
        package = self.copy("paged", ["onnx"])
        for name in ("model.onnx", "model.onnx.data"):
            shutil.copy(PACKAGES / "explicit" / name, package / name)
        described = json.loads((PACKAGES / "explicit" / "model_info.json").read_text())["files"]
        digest = hashlib.sha256((package / "model.onnx").read_bytes()).hexdigest()
        self.assertEqual(described["model.onnx"]["sha256"], digest)
        write_info(package, lambda info: info["files"].update(described))
        self.assertIn("model.onnx", self.refused_line(package, "--backend", "graph"))


if __name__ == "__main__":
    PagedProgramTest.quire = Program(pathlib.Path(sys.argv[1]).absolute())
    PagedProgramTest.has_onnx = {"has_onnx": True, "no_onnx": False}[sys.argv[2]]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
