"""The checkers of tools/ find what they are for, and nothing else. ctest runs it as tidy.checkers."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import check_docs  # noqa: E402
import check_style  # noqa: E402
from cc_functions import Unreadable, functions  # noqa: E402


def names(text):
    return [function.name for function in functions(text) if function.has_body]


def body(num_lines):
    """Statements that fill a body; one of them is a lambda with braces of its own."""
    return "  const auto twice = [](int x) { return 2 * x; };\n" + "  use(twice(1));\n" * (num_lines - 1)


def style_problems(text, name="src/x/y.h"):
    return list(check_style.check_cc_functions(name, text))


WRAPPED = """#pragma once
namespace quire {{
class Reader {{
 public:
  Result<std::vector<int>> read(const std::filesystem::path& path,
                                const std::map<std::string, std::function<void(int, int)>>& of)
      const noexcept override {{
{}  }}
}};
}}  // namespace quire
"""


class LengthTest(unittest.TestCase):
    def test_a_function_of_61_lines_with_a_wrapped_signature_in_a_class_of_a_header_is_found(self):
        found = style_problems(WRAPPED.format(body(57)))
        self.assertEqual(found, ["src/x/y.h:5: read has 61 lines"])

    def test_the_same_of_60_lines_is_not(self):
        self.assertEqual(style_problems(WRAPPED.format(body(56))), [])

    def test_each_form_of_a_function_is_seen_when_it_is_too_long(self):
        forms = {
            "free": "int free() {\n%s}\n",
            "Maker::Maker": "Maker::Maker(int a)\n    : a_{a}, b_(a), c_{f(a), {1, 2}} {\n%s}\n",
            "Maker::~Maker": "Maker::~Maker() {\n%s}\n",
            "operator()": "struct F {\n  int operator()(int x) const {\n%s  }\n};\n",
            "operator==": "bool operator==(const A& a, const A& b) {\n%s}\n",
            "generic": "template <typename T, int N = (3 > 2)>\nrequires Fits<T>\nauto generic(T t) -> Vec<T, N> {\n%s}\n",
            "spread": "namespace a { namespace b {\nauto spread(int (&x)[3]) -> decltype(x) {\n%s}\n}}\n",
            "TEST": "TEST(Suite, ASentence) {\n%s}\n",
            "in_c": 'extern "C" {\nint in_c(void) {\n%s}\n}\n',
            "nested": "class A {\n  struct B {\n    static int nested(int x) {\n%s    }\n  };\n};\n",
            "after_data": 'const char* kText[] = {"}{", "("};\nint x = f({1, 2});\nint after_data() {\n%s}\n',
            "after_raw": 'auto kRaw = R"x(}} )" { )x";\nint after_raw() {\n%s}\n',
            "after_less": "constexpr int kA = 1U << kB;\nconstexpr bool kC = kA < kB;\nint after_less() {\n%s}\n",
            "after_enum": "enum class E : int { kA = 1, kB };\nint after_enum() {\n%s}\n",
        }
        for name, form in forms.items():
            with self.subTest(name):
                found = style_problems(form % body(61))
                self.assertEqual(len(found), 1, found)
                self.assertIn(f": {name} has ", found[0])

    def test_what_is_no_function_is_not_taken_for_one(self):
        for text in (
            "namespace a {\nint x{3};\n}\n",
            "struct P {\n  alignas(64) std::atomic<int> count{0};\n  std::function<void(int)> f{nullptr};\n};\n",
            "const auto kTable = make({{1, 2}, {3, 4}});\n",
            "enum E { kA, kB };\nusing F = int (*)(int);\nstatic_assert(sizeof(int) == 4);\n",
            "#define M(x) \\\n  { x }\n",
            "// int f() {\n/* int g() { */\n",
        ):
            with self.subTest(text):
                self.assertEqual(names(text), [])

    def test_a_lambda_is_no_function_of_its_own(self):
        text = "int f() {\n  return g([](int a, int b, int c, int d, int e, int f, int h) { return a; });\n}\n"
        self.assertEqual(names(text), ["f"])
        self.assertEqual(style_problems(text), [])

    def test_a_file_whose_brackets_do_not_match_is_a_finding_and_not_an_empty_list(self):
        for text in ("int f() {\n", "int f() { return (1; }\n", "}\n", "namespace a {\n"):
            with self.subTest(text), self.assertRaises(Unreadable):
                functions(text)
        self.assertEqual(len(style_problems("int f() {\n")), 1)

    def test_python_functions_are_measured_too(self):
        text = "def f():\n" + "    x = 1\n" * 60
        self.assertEqual(list(check_style.check_py_functions("a.py", text)), ["a.py:1: f has 61 lines"])


class ParameterTest(unittest.TestCase):
    def test_seven_are_found_in_definitions_and_in_declarations_without_a_body(self):
        seven = "int a, std::map<int, int> b, int c = f(1, 2), int (*d)(int, int), E e, F f, G g"
        for text in (
            f"void f({seven}) {{}}\n",
            f"class A {{\n  virtual void f({seven}) = 0;\n}};\n",
            f"template <int A, int B>\nvoid f({seven});\n",
        ):
            with self.subTest(text):
                self.assertEqual(len(style_problems(text)), 1)
                self.assertIn("f has 7 parameters", style_problems(text)[0])

    def test_six_are_fine_whatever_commas_they_hold(self):
        text = "void f(std::map<int, int> a, int b = g(1, 2), int (*c)(int, int), D d, E e = {1, 2}, F f);\n"
        self.assertEqual(style_problems(text), [])


class FlagTest(unittest.TestCase):
    def problems(self, line, name="src/llm/llm.cc"):
        return list(check_style.check_lines(name, line))

    def test_a_flag_in_a_message_of_the_library_is_found(self):
        for line in ('fail("pass --kv-blocks");', 'fail("--threads");', 'fail("no --format; use quire-export");'):
            with self.subTest(line):
                self.assertEqual(len(self.problems(line)), 1)
                self.assertEqual(self.problems(line, "src/cli/flags.cc"), [])

    def test_flags_of_the_exporter_and_code_are_fine(self):
        for line in ('fail("run quire-export --format onnx");', "--count;", "f(--a, b);  // --threads", 'f("a--b", --c);'):
            with self.subTest(line):
                self.assertEqual(self.problems(line), [])


class RoomTest(unittest.TestCase):
    def problems(self, line, name="tests/unit/cli/CMakeLists.txt"):
        return list(check_style.check_rooms(name, line))

    def test_a_source_out_of_another_room_is_found_however_it_is_named(self):
        for path in (
            "${PROJECT_SOURCE_DIR}/src/cli/config_file.cc", '"${CMAKE_SOURCE_DIR}/src/a.cc"', "../x.cc",
            "/root/x.cc", "${CMAKE_CURRENT_SOURCE_DIR}/../x.cc", "${CMAKE_CURRENT_SOURCE_DIR}/a/../../x.cc",
            "${anything}/x.cc", "sub/x.cc",
        ):  # fmt: skip
            for room in ("src/a", "tests/unit/a", "fuzz", "benchmarks/micro", "examples"):
                with self.subTest(path=path, room=room):
                    line = f"add_executable(x main.cc {path})"
                    self.assertEqual(len(self.problems(line, f"{room}/CMakeLists.txt")), 1)

    def test_own_and_made_sources_are_fine(self):
        for path in ("x.cc", "hello.c", "${CMAKE_CURRENT_SOURCE_DIR}/x.cc", "${PROJECT_BINARY_DIR}/made.cc",
                     "${CMAKE_CURRENT_BINARY_DIR}/x.cc", "# ../x.cc"):  # fmt: skip
            with self.subTest(path):
                self.assertEqual(self.problems(f"add_executable(x {path})"), [])


PAGE = """# Page
`src/engine/engine.cc: Engine::submit` and `src/engine/engine.cc: Engine::submit, helper` in
`src/engine/`; `engine.h`, `Engine::step()`, `quire::Engine::step`, `std::vector`, [link](other.md).
"""


class DocsTest(unittest.TestCase):
    def problems(self, page, **more):
        files = {
            "docs/page.md": page,
            "docs/other.md": "",
            "src/engine/engine.cc": "int helper() {}\nStatus Engine::submit() {}\n",
            "src/engine/engine.h": "class Engine {\n  void step();\n};\n",
        } | {name.replace("__", "/"): text for name, text in more.items()}
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            subprocess.run(["git", "init", "-q"], cwd=root, check=True)
            return list(check_docs.find_problems(root))

    def test_a_page_whose_every_statement_is_true_has_no_finding(self):
        self.assertEqual(self.problems(PAGE), [])

    def test_each_false_statement_is_found_by_its_line(self):
        for wrong, words in {
            "`src/engine/engine.cc: Engine::run`": "has no Engine::run",
            "`src/engine/engine.cc: submit, gone`": "has no gone",
            "`src/engine/engine.cc: help`": "has no help",  # part of a word is no symbol
            "`src/engine/gone.cc: submit`": "there is no src/engine/gone.cc",
            "`src/engine/engine.cc: two words`": "is no symbol",
            "`gone.cc`": "there is no gone.cc",
            "`src/gone/`": "there is no src/gone/",
            "`src/engine/gone.h --flag`": "there is no src/engine/gone.h",
            "`Engine::gone()`": "no source has Engine::gone()",
            "`Motor::step`": "no source has Motor::step",
            "[page](gone.md)": "leads nowhere",
        }.items():
            with self.subTest(wrong):
                found = self.problems(PAGE + wrong + "\n")
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith("docs/page.md:4: "), found)
                self.assertIn(words, found[0])

    def test_fenced_blocks_and_things_of_others_are_left_alone(self):
        for fine in ("```\nsrc/gone.cc `src/gone.cc`\n```", "`Ort::Session`", "`model.onnx`",
                     "`build/release/quire`", "`src/<name>/x.cc`", "[site](https://a.b/c.md)"):  # fmt: skip
            with self.subTest(fine):
                self.assertEqual(self.problems(PAGE + fine + "\n"), [])

    def test_a_table_of_layers_has_all_folders_of_the_order_and_no_other(self):
        order = "# order\nquire:\nengine: quire\nrunner: quire\nrunner/x: runner\n"
        rows = "## Layers\n\n| folder | what |\n|---|---|\n| `src/engine` | a |\n| `src/runner` | b |\n"
        page = {"docs__ARCHITECTURE.md": rows, "src__layers.txt": order, "src__runner__a.h": ""}
        self.assertEqual(self.problems(PAGE, **page), [])
        page["docs__ARCHITECTURE.md"] = rows.replace("`src/engine`", "`src/motor`")
        found = self.problems(PAGE, **page)
        self.assertEqual(len(found), 3, found)
        self.assertIn("there is no src/motor", found[0])
        self.assertIn("src/motor is no folder", found[1])
        self.assertIn("leaves out src/engine", found[2])

    def test_a_page_that_a_comment_mentions_exists(self):
        found = self.problems(PAGE, **{"src__a__x.h": "// docs/other.md, docs/gone.md\n"})
        self.assertEqual(found, ["src/a/x.h:1: there is no docs/gone.md"])


if __name__ == "__main__":
    unittest.main()
