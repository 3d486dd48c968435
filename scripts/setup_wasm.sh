#!/usr/bin/env bash
# What a build for the browser needs besides scripts/setup.sh: Debian's libc++ and libc for WebAssembly, and
# the sources of two libraries that it has no such packages of, in .deps/wasm.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

install_packages clang-19 lld-19 llvm-19 libc++-19-dev-wasm32 libc++abi-19-dev-wasm32 libclang-rt-19-dev-wasm32 wasi-libc

target=.deps/wasm
wanted=$(digest scripts/setup_wasm.sh)
[ "$(cat "$target/.quire-sources" 2>/dev/null)" = "$wanted" ] && exit 0
step "Sources of PCRE2 and utf8proc in $target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$target/pcre2" "$target/utf8proc"
# An apt of its own that reads the list of sources too: this machine's stays as it is.
archive=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(CODENAME)' 'Created-By: Packages' |
  awk '$2 == "Debian" && $3 !~ /-/ { print $1; exit }')
[ -n "$archive" ] || die "apt knows no Debian archive" "run: apt-get update"
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive bookworm main" > "$work/sources.list"
options=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=)
apt-get "${options[@]}" update
(cd "$work" && apt-get "${options[@]}" source --download-only pcre2 utf8proc) ||
  die "the sources cannot be downloaded" "check the network and the Debian archive in apt's sources"
tar -xzf "$work"/pcre2_*.orig.tar.gz -C "$target/pcre2" --strip-components=1
tar -xzf "$work"/utf8proc_*.orig.tar.gz -C "$target/utf8proc" --strip-components=1
# What its configure script would write for any machine.
for file in config.h pcre2.h; do cp "$target/pcre2/src/$file.generic" "$target/pcre2/src/$file"; done
cp "$target/pcre2/src/pcre2_chartables.c.dist" "$target/pcre2/src/pcre2_chartables.c"
echo "$wanted" > "$target/.quire-sources"
