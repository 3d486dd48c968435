"""The static program in a root that holds it, a package and nothing else. scripts/test.sh static runs it.

Usage: empty_root_test.py QUIRE MODEL [unittest arguments]
MODEL is the default model's package. As root it enters the folder with chroot, as anyone else with
unshare in front, which needs a kernel that lets users do that.
"""

import json
import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "data" / "contract"
TIME_LIMIT_S = 60


def readelf(binary, *flags):
    done = subprocess.run(["readelf", "-W", *flags, binary], check=True, capture_output=True, text=True)
    return done.stdout


class EmptyRootTest(unittest.TestCase):
    """No library, no /etc, no /proc, no /dev, no locale, no terminal's description."""

    binary: pathlib.Path
    model: pathlib.Path

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name)
        shutil.copy(cls.binary, cls.root / "quire")
        shutil.copytree(cls.model, cls.root / "model")
        for graph in ("paged", "explicit"):
            shutil.copytree(TINY / graph, cls.root / graph)
        info = cls.root / "explicit" / "model_info.json"
        info.write_text(json.dumps({**json.loads(info.read_text()), "backends": ["onnx"]}))

    def command(self, *arguments):
        enter = ["chroot"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "chroot"]
        return [*enter, self.root, "/quire", *arguments]

    def run_inside(self, *arguments, stdin=""):
        path = os.environ["PATH"] + os.pathsep + "/usr/sbin"
        return subprocess.run(self.command(*arguments), input=stdin, capture_output=True, text=True,
                              env={"PATH": path}, timeout=TIME_LIMIT_S, check=False)

    def assert_refused(self, run, *words):
        self.assertNotEqual(run.returncode, 0)
        self.assertRegex(run.stderr, r"\Aquire: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, run.stderr)

    def test_the_file_names_no_library_and_no_loader(self):
        self.assertNotIn("(NEEDED)", readelf(self.binary, "-d"))
        self.assertNotIn("INTERP", readelf(self.binary, "-l"))
        ldd = subprocess.run(["ldd", self.binary], capture_output=True, text=True, check=False)
        self.assertRegex(ldd.stdout + ldd.stderr, "statically linked|not a dynamic executable")

    def test_it_answers_a_question_with_the_default_model(self):
        run = self.run_inside("generate", "-m", "/model", "What is the capital of France?")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("Paris", run.stdout)

    def test_it_finds_the_tokens_that_pytorch_finds_best(self):
        expected = json.loads((TINY / "expected.json").read_text())
        request = {"token_ids": expected["ids"], "max_tokens": 1, "temperature": 0, "ignore_eos": True}
        run = self.run_inside("generate", "-m", "/paged", "--file", "-", "--json",
                              stdin=json.dumps(request) + "\n")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        last = expected["logits"][-1]
        self.assertEqual(json.loads(run.stdout)["token_ids"], [last.index(max(last))])

    def test_a_package_that_needs_a_runtime_is_refused_in_one_line(self):
        self.assert_refused(self.run_inside("generate", "-m", "/explicit", "a"), "ONNX Runtime")
        torch = self.run_inside("generate", "-m", "/paged", "--backend", "torch", "a")
        self.assert_refused(torch, "TorchScript", "not in this build")

    def test_what_is_not_there_is_refused_in_one_line(self):
        self.assert_refused(self.run_inside("generate", "-m", "/nowhere", "a"), "/nowhere")

    def test_a_person_can_chat_on_a_terminal(self):
        ours, theirs = pty.openpty()
        path = os.environ["PATH"] + os.pathsep + "/usr/sbin"
        chat = subprocess.Popen(self.command("chat", "-m", "/model"), stdin=theirs, stdout=theirs,
                                stderr=theirs, env={"PATH": path, "HOME": "/", "TERM": "xterm"})
        os.close(theirs)
        shown = b""
        try:
            os.write(ours, "What is the capital of France, *s'il vous pla\u00eet*?\n/quit\n".encode())
            while select.select([ours], [], [], TIME_LIMIT_S)[0]:
                piece = os.read(ours, 4096)
                shown += piece
                if not piece:
                    break
        except OSError:  # the other end is closed: the program has ended
            pass
        finally:
            os.close(ours)
        self.assertEqual(chat.wait(timeout=TIME_LIMIT_S), 0, shown)
        # What was typed arrived whole and was answered; what a model says to it is its own affair.
        question, _, answer = shown.decode().partition("/help.")
        self.assertIn("pla\u00eet", question)
        self.assertGreater(len(answer.replace(">", "").split()), 3, shown)


if __name__ == "__main__":
    EmptyRootTest.binary = pathlib.Path(sys.argv[1]).absolute()
    EmptyRootTest.model = pathlib.Path(sys.argv[2]).absolute()
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
