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
        local missing=() name

        for name in "$@"; do
                [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
                        missing+=("$name")
        done
        ((${#missing[@]} > 0)) || return 0

        if ((EUID != 0)); then
                die 125 "these packages are missing, and only root can install them: ${missing[*]}"
        fi
        say "installing ${missing[*]}"
        if ! apt_install "${missing[@]}" >/dev/null 2>&1; then
                # The package lists may be missing or stale, as in a fresh container.
                apt-get -q update >&2 || die 125 "apt-get update failed"
                apt_install "${missing[@]}" >&2 || die 125 "could not install: ${missing[*]}"
        fi
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

        mkdir -p "$cache"
        if [[ ! -e $path ]]; then
                exec {lock}>"$cache/.lock-$name"
                flock "$lock"
                if [[ ! -e $path ]]; then
                        work=$(mktemp -d "$cache/.work-XXXXXX")
                        cleanup_paths+=("$work")
                        "$1" "$work/out" "${@:2}"
                        mv -T "$work/out" "$path"
                        rm -rf --one-file-system "$work"
                fi
                exec {lock}>&-
        fi
        # What was used last is pruned last.
        touch -c "$path"
        REPLY=$path
}

# prune GLOB COUNT: of the cache's files that match, keep COUNT, and all that were used in the last hour.
prune() {
        local path

        while IFS= read -r path; do
                [[ -z $(find "$path" -maxdepth 0 -mmin -60) ]] || continue
                rm -rf --one-file-system "$path"
        # shellcheck disable=SC2086,SC2012 # GLOB is one; names in the cache are ours and plain
        done < <(ls -dt "$cache"/$1 2>/dev/null | tail -n +$(($2 + 1)))
}

# hash_of: the first 16 hexadecimal digits of the SHA-256 of standard input
hash_of() {
        sha256sum | cut -c -16
}
