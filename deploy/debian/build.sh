#!/usr/bin/env bash
# Makes a Debian package of a built program: deploy/debian/build.sh [QUIRE [FOLDER]]
# QUIRE is build/static/quire unless given, which needs no other package; FOLDER is the current one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
quire=$(realpath "${1:-$root/build/static/quire}")
folder=$(realpath "${2:-.}")
[ -x "$quire" ] || { echo "error: $quire is not there; run scripts/build.sh static quire" >&2; exit 1; }

version=$("$quire" --version | cut -d' ' -f2)
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
install -D -m 755 "$quire" "$tree/usr/bin/quire"
strip --strip-unneeded "$tree/usr/bin/quire"
install -D -m 644 "$root/deploy/systemd/quire.service" "$tree/lib/systemd/system/quire.service"
for pair in bash:usr/share/bash-completion/completions/quire zsh:usr/share/zsh/vendor-completions/_quire \
  fish:usr/share/fish/vendor_completions.d/quire.fish; do
  mkdir -p "$(dirname "$tree/${pair#*:}")"
  "$quire" completion "${pair%%:*}" > "$tree/${pair#*:}"
done
python3 "$root/deploy/make_man.py" "$quire" "$tree/usr/share/man/man1"
gzip -9n "$tree"/usr/share/man/man1/*
mkdir -p "$tree/usr/share/doc/quire"
{
  printf 'Quire is under the Apache License 2.0, /usr/share/common-licenses/Apache-2.0.\n\n'
  cat "$root/THIRD_PARTY_LICENSES.md"
} > "$tree/usr/share/doc/quire/copyright"

# A program that is not static needs libraries, which dpkg-shlibdeps finds the packages of.
depends=
if ldd "$quire" >/dev/null 2>&1; then
  mkdir -p "$work/debian"
  printf 'Source: quire\nPackage: quire\nArchitecture: any\n' > "$work/debian/control"
  depends=$(cd "$work" && dpkg-shlibdeps -O --ignore-missing-info "$tree/usr/bin/quire" 2>/dev/null | sed "s|^shlibs:Depends=|Depends: |")
fi
mkdir "$tree/DEBIAN"
{
  printf 'Package: quire\nVersion: %s\nArchitecture: %s\nSection: science\nPriority: optional\n' "$version" "$architecture"
  printf 'Maintainer: The Quire developers <quire@localhost>\nInstalled-Size: %s\n' "$(du -sk "$tree" | cut -f1)"
  [ -z "$depends" ] || printf '%s\n' "$depends"
  printf 'Description: Serves language models you exported yourself\n'
  printf ' A nano-vLLM in C++: continuous batching, a paged cache with prefix sharing, OpenAI and\n'
  printf ' Anthropic APIs and a web chat, in one program.\n'
} > "$tree/DEBIAN/control"
chmod -R u=rwX,go=rX "$tree"
dpkg-deb --build --root-owner-group -Zxz -z3 "$tree" "$folder/quire_${version}_${architecture}.deb"
