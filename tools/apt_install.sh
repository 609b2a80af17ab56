#!/usr/bin/env bash
# apt_install.sh PACKAGE...: install Debian packages where this user may.
#
# A package may be given as `name|name`: the first that this release has is taken.
# Ends with 1 and the line to run by hand where the user is neither root nor has
# sudo without a password, and with 2 where there is no apt at all.
set -euo pipefail

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
fi

may_install() {
    [ "$(id -u)" -eq 0 ] || { command -v sudo && sudo -n true; } >/dev/null 2>&1
}

# Other programs (unattended upgrades on a fresh cloud machine) may hold apt's lock.
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -y -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=600 \
        -o Dpkg::Use-Pty=0 "$@" </dev/null
}

known() {
    apt-cache show --no-all-versions "$1" >/dev/null 2>&1
}

choose() {
    local name names
    IFS='|' read -r -a names <<<"$1"
    for name in "${names[@]}"; do
        if known "$name"; then
            echo "$name"
            return
        fi
    done
    echo "${names[0]}"
}

chosen() {
    local package
    for package in "$@"; do
        choose "$package"
    done
}

if ! command -v apt-get >/dev/null 2>&1; then
    echo "These Debian packages, or what they are called here, are missing: $*" >&2
    echo "This system has no apt-get: please install them with its own tool." >&2
    exit 2
fi

if ! may_install; then
    mapfile -t packages < <(chosen "$@")
    echo "System packages are missing, and only root may install them. Please run" >&2
    echo "    sudo apt-get update && sudo apt-get install -y ${packages[*]}" >&2
    echo "and then the same command again." >&2
    exit 1
fi

# A fresh image has no package lists, an old one has stale ones: both end in a failed
# install, and only then is the (slow) update worth it.
mapfile -t packages < <(chosen "$@")
echo "Installing system packages: ${packages[*]}"
if ! apt install --no-install-recommends "${packages[@]}" >/dev/null 2>&1; then
    apt update
    mapfile -t packages < <(chosen "$@")
    apt install --no-install-recommends "${packages[@]}"
fi
