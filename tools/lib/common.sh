# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What tools/vm, tools/test and tools/demo share: messages, missing packages, and a cache that several
# runs may use at once. Sourced, never run.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${HOTPATCH_CACHE:-$top/build/cache}
program=${0##*/}

# A ^C, or a failing command under set -e, must not leave half-built files behind: what is named here
# goes when the program ends.
cleanup_paths=()
cleanup() {
        ((${#cleanup_paths[@]} == 0)) || rm -rf --one-file-system -- "${cleanup_paths[@]}"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() {
        printf '%s: %s\n' "$program" "$*" >&2
}

# die STATUS MESSAGE…
die() {
        local status=$1
        shift
        say "$@"
        exit "$status"
}

# need_packages PACKAGE…: install those Debian packages that are missing.
need_packages() {
        local missing=() name log

        for name in $(printf '%s\n' "$@" | sort -u); do
                [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
                        missing+=("$name")
        done
        ((${#missing[@]} > 0)) || return 0

        if ((EUID != 0)); then
                die 125 "these packages are missing, and only root can install them: ${missing[*]}"
        fi
        say "installing ${missing[*]}"
        log=$(mktemp)
        cleanup_paths+=("$log")
        # The package lists may be missing or stale, as in a fresh container.
        apt_install "${missing[@]}" >"$log" 2>&1 ||
                { apt-get -q update >>"$log" 2>&1 && apt_install "${missing[@]}" >>"$log" 2>&1; } ||
                { tail -n 15 "$log" >&2; die 125 "apt-get could not install: ${missing[*]}"; }
        rm -f "$log"
}

apt_install() {
        DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
                install --no-install-recommends "$@"
}

# cached NAME FUNCTION [ARG]…: let REPLY be the path of NAME in the cache. If it is not there, FUNCTION
# is called as FUNCTION OUTPUT ARG… to make it. Only one run makes it, others wait; a name stands for
# one content for ever (it has a hash in it), and appears by rename only when it is complete.
cached() {
        local name=$1 path=$cache/$1 work lock
        shift

        if [[ ! -e $path ]]; then
                ((EUID == 0)) || die 125 "$name must be made first, and only root can: run once as root"
                mkdir -p "$cache"
                exec {lock}>"$cache/.lock-$name"
                if ! flock --nonblock "$lock"; then
                        say "another run is making $name, waiting for it"
                        flock "$lock"
                fi
                if [[ ! -e $path ]]; then
                        work=$(mktemp -d "$cache/.work-XXXXXX")
                        cleanup_paths+=("$work")
                        "$1" "$work/out" "${@:2}"
                        mv -T "$work/out" "$path"
                        rm -rf --one-file-system "$work"
                fi
                exec {lock}>&-
        fi
        # What was used last is pruned last. (Who may only read the cache can use it too.)
        touch -c "$path" 2>/dev/null || true
        REPLY=$path
}

# prune GLOB COUNT: of the cache's files that match, keep COUNT, and all that were used in the last hour.
# A guest that still runs on one keeps its file open, so nothing breaks.
prune() {
        local path

        [[ -w $cache ]] || return 0
        # Names in the cache are ours and plain.
        while IFS= read -r path; do
                [[ -z $(find "$path" -maxdepth 0 -mmin -60) ]] || continue
                rm -rf --one-file-system "$path"
        done < <(compgen -G "$cache/$1" | xargs -r ls -dt | tail -n "+$(($2 + 1))")
}

# hash_of: the first 16 hexadecimal digits of the SHA-256 of standard input
hash_of() {
        sha256sum | cut -c -16
}
