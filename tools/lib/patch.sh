# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Build patch modules and bundles on this machine for the kernels of guests: with the tools out of the
# packages of this tree (what an author would have), and with kernel headers that are unpacked in the
# cache and not installed.

# unpack_debs OUT DEBS
unpack_debs() {
        mkdir "$1"
        for deb in "$2"/*.deb; do
                [[ $deb == *-dbgsym_* ]] || dpkg-deb -x "$deb" "$1"
        done
}

# use_author_tools: put hotpatchctl, hotpatch-module and hotpatch-build of this tree first in PATH; author_root is where
# their packages lie unpacked, author_debs where they are, author_hash what they were made of
use_author_tools() {
        # shellcheck disable=SC2046 # names of packages
        need_packages build-essential $(build_dependencies) "${packages_module[@]}" "${packages_builder[@]}"
        author_hash=$(tree_hash)
        cached "debs-$author_hash" build_debs
        author_debs=$REPLY
        cached "unpacked-$author_hash" unpack_debs "$author_debs"
        author_root=$REPLY
        PATH=$author_root/usr/bin:$PATH
        prune 'unpacked-*' 8
}

# build_headers OUT RELEASE: the headers package and what it depends on of the kernel's own packages
build_headers() {
        local out=$1 release=$2 package

        say "unpacking the headers of $release"
        mkdir "$out"
        fetch_deb "linux-headers-$release"
        dpkg-deb -x "$REPLY" "$out"
        while IFS= read -r package; do
                fetch_deb "$package"
                dpkg-deb -x "$REPLY" "$out"
        done < <(dpkg-deb -f "$REPLY" Depends | tr ',' '\n' |
                sed -n 's/^ *\(linux-headers-[^ ]*\|linux-kbuild-[^ ]*\).*/\1/p')
}

# kernel_headers RELEASE: let REPLY be the folder that make wants
kernel_headers() {
        cached "headers-$1-1" build_headers "$1"
        REPLY=$REPLY/usr/src/linux-headers-$1
}

make_module() {
        mkdir "$1"
        kernel_headers "$3"
        hotpatch-module --headers "$REPLY" --runtime "$author_root/usr/share/hotpatch/module" --output "$1" "$2" >&2
}

# build_module PATCHFOLDER RELEASE OUTFOLDER: let REPLY be the module; it is kept, for many scenarios want the same
build_module() {
        local hash

        hash=$({
                echo "$author_hash $2"
                cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        } | hash_of)
        cached "module-$hash" make_module "$1" "$2"
        prune 'module-*' 64
        cp "$REPLY"/*.ko "$3/"
        REPLY=$3/$(basename "$REPLY"/*.ko)
}

# sign_module MODULE KEY RELEASE: for the kernel, by its own tool; the certificate lies beside the key
sign_module() {
        kernel_headers "$3"
        "$REPLY/scripts/sign-file" sha256 "$2" "${2%.key}.pem" "$1"
}

# build_bundle OUTFILE KEYS PATCHFOLDER RELEASE…: modules for all those kernels in one signed bundle; bundle_options are
# more words for 'bundle create', and if module_key is set the modules are signed with that for the kernel
bundle_options=()
build_bundle() {
        local out=$1 keys=$2 patch=$3 release work modules=() roots=()
        shift 3

        work=$(mktemp -d)
        cleanup_paths+=("$work")
        for release in "$@"; do
                build_module "$patch" "$release" "$work"
                modules+=("$REPLY")
                [[ -z ${module_key:-} ]] || sign_module "$REPLY" "$module_key" "$release"
                kernel_root "$release"
                roots+=("$REPLY")
        done
        # One folder that looks like a machine on which all those kernels are installed.
        mkdir -p "$work/root/boot" "$work/root/lib/modules"
        for release in "${roots[@]}"; do
                ln -s "$release"/boot/* "$work/root/boot/"
                ln -s "$release"/lib/modules/* "$work/root/lib/modules/"
        done
        hotpatchctl --quiet bundle create --patch "$patch/patch.json" --root "$work/root" --output "$work/bundle.hpb" \
                ${bundle_options[@]+"${bundle_options[@]}"} "${modules[@]}"
        hotpatchctl --quiet bundle sign --key "$keys/signer.key" "$work/bundle.hpb"
        mv "$work/bundle.hpb" "$out"
        rm -rf "$work"
}

# build_kbuild FOLDER RELEASE OUTFOLDER: every module of a plain Kbuild folder, as other tools make them
build_kbuild() {
        local work

        kernel_headers "$2"
        work=$(mktemp -d)
        cp "$1"/* "$work/"
        # Debian's own Makefile includes the common one by a path that only installed packages have.
        make -s -C "$REPLY" -f "${REPLY%-*-*}-common/Makefile" M="$work" \
                CONFIG_DEBUG_INFO= CONFIG_DEBUG_INFO_BTF_MODULES= modules >&2
        cp "$work"/*.ko "$3/"
        rm -rf "$work"
}

# Functions that nobody needs, of one form, for as many patches as one likes.
# shellcheck disable=SC2034 # for who sources this
show_functions=(execdomains_proc_show frag_show pagetypeinfo_show zoneinfo_show vmstat_show slab_show swap_show
        timer_list_show devinfo_show show_softirqs)

# build_show_bundle OUTFILE KEYS FUNCTION RELEASE…: a patch that replaces one of them, hp-show-FUNCTION
build_show_bundle() {
        local folder

        folder=$(mktemp -d)
        cleanup_paths+=("$folder")
        cp "$top"/tests/data/patches/show/* "$folder"
        sed -i "s/FUNCTION/$3/g; s/MODULE/$3/" "$folder/patch.json"
        sed -i -E '/"id": "hp|"stream"/s/_/-/g' "$folder/patch.json"
        build_bundle "$1" "$2" "$folder" "${@:4}"
        rm -rf "$folder"
}

# build_fix OUTFILE KEYS NAME: the bundle of a fix in tests/fixes, out of the distribution's source; returns
# what hotpatch-build does, whose words go to standard error and its JSON to standard output
build_fix() {
        local out=$1 keys=$2 folder=$top/tests/fixes/$3 work status=0 with=()

        [[ ! -e $folder/author.c ]] || with=(--with "$folder/author.c")
        work=$(mktemp -d)
        cleanup_paths+=("$work")
        "$top/tools/source-diff" --fix "$folder" >"$work/$3.patch"
        # What it fetches is kept with all else that is.
        hotpatch-build --json --cache "$cache/hotpatch-build" \
                --runtime "$author_root/usr/share/hotpatch/module" --kernel "$(jq -r .kernel "$folder/fix.json")" \
                --id "$(jq -r .id "$folder/fix.json")" --sign "$keys/signer.key" --cert "$keys/signer.pem" \
                "${with[@]}" -o "$out" "$work/$3.patch" || status=$?
        rm -rf "$work"
        return $status
}

# fixes_of RELEASE: names of the fixes in tests/fixes for that kernel
fixes_of() {
        local file

        for file in "$top"/tests/fixes/*/fix.json; do
                [[ $(jq -r .kernel "$file") != "$1" ]] || basename "$(dirname "$file")"
        done
}
