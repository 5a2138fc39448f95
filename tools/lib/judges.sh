# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Programs of others that judge what ours print, fetched at test time by the names of their packages and kept in the
# cache: nothing of them is in this tree, and nothing is installed or started on this machine. Where one cannot be had,
# the tests that ask it are not among the tests, and both tools/test and they say so.
# Needs common.sh and vm-image.sh.

# The newest of which it is known what it says.
csaf_validator=@secvisogram/csaf-validator-lib@2.0.10

build_prometheus() {
        dpkg-deb -x "$2" "$1"
}

# use_prometheus: promtool and prometheus, for who looks for them in PATH
use_prometheus() {
        fetch_deb prometheus
        cached "prometheus-$(basename "$REPLY" .deb | hash_of)" build_prometheus "$REPLY"
        PATH=$PATH:$REPLY/usr/bin
}

build_csaf_validator() {
        mkdir "$1"
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$1" "$csaf_validator"
}

# use_csaf_validator: let HOTPATCH_CSAF_VALIDATOR be the folder that tests/bus/csaf-judge.mjs wants
use_csaf_validator() {
        command -v npm >/dev/null || need_packages nodejs npm
        cached "csaf-validator-$(hash_of <<<"$csaf_validator")" build_csaf_validator
        export HOTPATCH_CSAF_VALIDATOR=$REPLY
}

# use_judges: all of them
use_judges() {
        local log
        log=$(mktemp)
        cleanup_paths+=("$log")
        # In a shell of its own first: what cannot be had ends it.
        if (use_prometheus) >"$log" 2>&1; then use_prometheus; else say "no prometheus: $(tail -n 1 "$log")"; fi
        if (use_csaf_validator) >"$log" 2>&1; then use_csaf_validator; else say "no CSAF validator: $(tail -n 1 "$log")"; fi
}
