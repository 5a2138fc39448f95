#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What hotpatch-build reads out of packaged kernels and modules is what the running kernel says about
# itself: every symbol, in the order in which livepatch counts, and every function that can be traced.
# kernels: 6.1.0-50-cloud-amd64 6.12.117+deb12-cloud-amd64
# seconds: 60
# options: --append nokaslr
# shellcheck disable=SC2154 # variables of lib.sh

# On the host: lists of the packaged files, as tests/vm/image-list.c makes them.
prepare() {
        local tree file name

        tree=$(cd "$(dirname "$scenario_file")/../.." && pwd)
        # Sources of this tree; what is not called would need more libraries.
        gcc -O2 -Wall -D_GNU_SOURCE -ffunction-sections -fdata-sections -Wl,--gc-sections -I "$tree" \
                -o "$1/list" "$tree/tests/vm/image-list.c" "$tree"/builder/image/*.c \
                "$tree"/livepatch/{kernel,load,note,unpack,vmlinuz}.c "$tree"/util/*.c "$tree/dbus/errors.c" \
                -lsystemd -lbpf -lkmod -llz4 -llzma -lzstd -lz
        kernel_root "$2"
        "$1/list" symbols "$REPLY/boot/vmlinuz-$2" >"$1/vmlinux.symbols"
        "$1/list" sites "$REPLY/boot/vmlinuz-$2" | LC_ALL=C sort >"$1/vmlinux.sites"
        for name in vsock pktgen binfmt_misc nf_tables; do
                file=$(find "$REPLY/lib/modules" -name "$name.ko*")
                "$1/list" symbols "$file" >"$1/$name.symbols"
                "$1/list" sites "$file" | LC_ALL=C sort >"$1/$name.sites"
        done
        rm "$1/list"
}

# traceable [MODULE]: what ftrace lists for it; names of functions that were replaced at link time are gone
traceable() {
        awk -v module="${1:+[$1]}" '$2 == module && !/__ftrace_invalid_address__/ { print $1 }' \
                /sys/kernel/tracing/available_filter_functions | LC_ALL=C sort
}

testcase_every_symbol_of_the_kernel_is_where_its_image_says() {
        awk 'NF == 3 { print $1, $3 }' /proc/kallsyms >running
        (($(wc -l <running) > 50000))
        cmp running vmlinux.symbols
}

testcase_functions_can_be_traced_that_the_image_says() {
        traceable >running
        (($(wc -l <running) > 20000))
        cmp running vmlinux.sites
}

# symbols_of MODULE: "NAME POSITION ADDRESS" of its symbols, counted in the order in which livepatch counts,
# but for those that lie in no section
symbols_of() {
        awk -v module="[$1]" 'NR == FNR { if ($3 == "-") nowhere[$1 " " $2]; next }
                $4 == module { key = $3 " " ++n[$3]; if (!(key in nowhere)) print key, $1 }' \
                "$1.symbols" /proc/kallsyms | LC_ALL=C sort
}

# symbols_expected MODULE: the same out of the file, with the addresses of the sections of now
symbols_expected() {
        local name position section offset

        while read -r name position section offset; do
                [[ $section == - ]] ||
                        printf '%s %s %016x\n' "$name" "$position" $(($(<"/sys/module/$1/sections/$section") + offset))
        done <"$1.symbols" | LC_ALL=C sort
}

testcase_modules_have_the_symbols_and_positions_of_their_files() {
        local name lines=0

        for name in vsock pktgen binfmt_misc nf_tables; do
                modprobe "$name"
                symbols_of "$name" >running
                symbols_expected "$name" >expected
                diff expected running
                lines=$((lines + $(wc -l <running)))
        done
        ((lines > 1000))
}

testcase_functions_of_modules_can_be_traced_that_their_files_say() {
        local name

        for name in vsock pktgen binfmt_misc nf_tables; do
                traceable "$name" >running
                [[ -s running ]]
                cmp running "$name.sites"
        done
}

. "$(dirname "$0")/lib.sh"
