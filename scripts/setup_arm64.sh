#!/usr/bin/env bash
# What a build for 64-bit ARM needs besides scripts/setup.sh: Debian's cross compiler, the emulator its
# tests run under, and that machine's libraries, unpacked into .deps/arm64 (nothing of them is installed).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

packages=(g++-aarch64-linux-gnu qemu-user)
libraries=(libbsd-dev libedit-dev libgtest-dev libmd-dev libncurses-dev libpcre2-dev libssl-dev libutf8proc-dev libxxhash-dev)

install_packages "${packages[@]}"

target=.deps/arm64
wanted=$(digest scripts/setup_arm64.sh)
[ "$(cat "$target/.quire-libraries" 2>/dev/null)" = "$wanted" ] && exit 0
step "ARM64 libraries in $target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$target"
# An apt of its own that takes this machine for an ARM one: dpkg's list of architectures stays as it is.
options=(-qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o "Dir::State::lists=$work/lists"
  -o "Dir::Cache=$work/cache" -o Dir::State::status=/dev/null -o APT::Sandbox::User=)
apt-get "${options[@]}" update
(cd "$work" && apt-get "${options[@]}" download "${libraries[@]}") ||
  die "the ARM64 libraries cannot be downloaded" "check the network and the Debian archive in apt's sources"
for package in "$work"/*.deb; do dpkg -x "$package" "$target"; done
echo "$wanted" > "$target/.quire-libraries"
