# Installs what is missing of the groups in tools/packages.txt. Sourced by ./dev.

# packages_of GROUP... : names, one a line
packages_of() {
  local group
  for group in "$@"; do
    sed -n "s/^$group  *//p" tools/packages.txt
  done | sort -u
}

# Names of those packages that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      echo "$package"
  done
}

# apt_get ARGUMENT... : apt-get, repeated while another program holds a lock of the package system
apt_get() {
  local log attempt status=1
  local -a as_root=()
  ((EUID == 0)) || as_root=(sudo)
  log=$(mktemp)
  for attempt in {1..60}; do
    "${as_root[@]}" env LC_ALL=C DEBIAN_FRONTEND=noninteractive \
      apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1 && status=0 || status=$?
    if ((status == 0)) || ! grep -qE 'Could not get lock|Unable to (acquire|lock)' "$log"; then
      break
    fi
    ((attempt > 1)) || say "another program is installing packages; waiting for it"
    sleep 5
  done
  ((status == 0)) || cat "$log" >&2
  rm -f "$log"
  return "$status"
}

# install_groups GROUP... : quick, and no call of apt-get, when everything is there
install_groups() {
  local -a wanted missing
  command -v dpkg-query >/dev/null ||
    fail "this is not a Debian system; please install by hand what tools/packages.txt lists ($*)"
  mapfile -t wanted < <(packages_of "$@")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  ((${#missing[@]} > 0)) || return 0

  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    fail "cannot install packages: not root, and there is no sudo. As root, run:
  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  fi
  apt_get update || say "apt-get update failed; trying with the package lists that are here"
  apt_get install --yes --no-install-recommends "${missing[@]}" ||
    fail "cannot install packages (see above): is the network there, and is this Debian 12?"
}
