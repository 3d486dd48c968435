"""Programs outside the tree, in C and C++, linked against the installed folder after it was moved."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("QUIRE_BUILD", ROOT / "build" / "release"))
QUESTION = "What is the capital of France?"
CMAKE = """cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C CXX)
find_package(Quire REQUIRED)
add_executable(in_cxx hello.cc)
target_link_libraries(in_cxx PRIVATE Quire::quire)
add_executable(in_cxx_static hello.cc)
target_link_libraries(in_cxx_static PRIVATE Quire::quire_static)
add_executable(in_c hello.c)
target_link_libraries(in_c PRIVATE Quire::quire)
set_target_properties(in_c PROPERTIES LINKER_LANGUAGE C)
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(["cmake", "--install", BUILD, "--prefix", folder / "here"], check=True,
                   capture_output=True)
    return pathlib.Path(shutil.move(folder / "here", folder / "some_where_else"))


def run(*command: object, **options: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=240, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_sources(folder: pathlib.Path) -> None:
    for name in ("hello.cc", "hello.c"):
        shutil.copy(ROOT / "examples" / name, folder)


def test_find_package_links_c_and_cxx_shared_and_static(
    prefix: pathlib.Path, default_package: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    copy_sources(tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(CMAKE)
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", tmp_path / "build")
    for program in ("in_cxx", "in_cxx_static", "in_c"):
        assert "Paris" in run(tmp_path / "build" / program, default_package, QUESTION)
    linked = run("ldd", tmp_path / "build" / "in_cxx_static")
    assert "libquire" not in linked


def test_pkg_config_links_c_and_cxx(
    prefix: pathlib.Path, default_package: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    copy_sources(tmp_path)
    found = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "quire", env=found).split()
    library = {**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib")}
    for compiler, source in ((["g++", "-std=c++20"], "hello.cc"), (["gcc"], "hello.c")):
        program = tmp_path / source.replace(".", "_")
        run(*compiler, tmp_path / source, "-o", program, *flags)
        assert "Paris" in run(program, default_package, QUESTION, env=library)


def test_pkg_config_names_what_the_static_library_needs(
    prefix: pathlib.Path, default_package: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    copy_sources(tmp_path)
    found = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    flags = run("pkg-config", "--static", "--cflags", "--libs", "quire", env=found).split()
    flags = ["-l:libquire.a" if flag == "-lquire" else flag for flag in flags]
    run("gcc", tmp_path / "hello.c", "-o", tmp_path / "hello", *flags)
    assert "libquire" not in run("ldd", tmp_path / "hello")
    assert "Paris" in run(tmp_path / "hello", default_package, QUESTION)


def test_the_shared_library_shows_its_own_symbols_only(prefix: pathlib.Path) -> None:
    symbols = run("nm", "-D", "--defined-only", "-C", prefix / "lib" / "libquire.so").splitlines()
    names = [line.split(maxsplit=2)[2] for line in symbols]
    own = re.compile(r"^(quire_\w+$|(vtable for |typeinfo for |typeinfo name for )?quire::)")
    assert [name for name in names if not own.match(name)] == []
    assert [name for name in names if re.search(r"nlohmann|quire::(kernels|ops|graph|onnx|Engine|Scheduler)::", name)] == []
    assert {"quire_open", "quire_step", "quire_free"} <= set(names)
    assert any(name.startswith("quire::Llm::open(") for name in names)
