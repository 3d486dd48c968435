# Shared by the scripts of this folder; source it after `cd` to the repository's root.

if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi

# step TEXT: says what happens next, with the time since the script began.
step() { printf '%s==> [%3ds] %s%s\n' "$bold" "$SECONDS" "$*" "$plain"; }

# die CAUSE NEXT: one line on stderr, and the end.
die() {
  printf 'error: %s; %s\n' "$1" "$2" >&2
  exit 1
}

# as_root COMMAND…: runs it as root, with sudo where needed.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "installing packages needs root, and there is no sudo" "run once as root: $*"
  fi
}

# install_packages NAME…: Debian packages, those that are missing.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "this is not a Debian system" "install by hand: ${missing[*]}"
  step "Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install the packages" "see its message above"
}

# digest FILE…: one SHA-256 over names and contents of files, and of folders' files.
digest() { find "$@" -type f -not -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1; }
