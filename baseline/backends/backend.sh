# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2034
#
# The protocol of baseline backends for shell scripts: one JSON object in each line of the standard output.
# doc/baseline-backend.md describes it; a backend may as well be written without this file.
#
# A backend that changes packages outlives whoever listens: SIGPIPE would end it with half-installed
# packages, so a line that nobody reads is lost, and nothing else.
trap '' PIPE

umask 022
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# json TEXT: the inside of a JSON string. Repositories and packages wrote parts of it: what is not
# printable ASCII becomes '?', and the length has an end.
json() {
	printf '%s' "$1" | LC_ALL=C tr '\000-\037\177-\377' '?' | cut -c1-900 | sed 's/["\\]/\\&/g'
}

line() {
	printf '%s\n' "$1" 2>/dev/null || :
}

hello() { line "{\"type\":\"hello\",\"protocol\":1,\"backend\":\"$1\"}"; }
status() { line "{\"type\":\"status\",\"text\":\"$(json "$1")\"}"; }
progress() { line "{\"type\":\"progress\",\"percent\":$1}"; }
needs() { line "{\"type\":\"needs\",\"download_bytes\":$1,\"disk_bytes\":$2,\"boot_bytes\":$3}"; }

warning() {
	printf 'Warning: %s\n' "$1" >&2
	line "{\"type\":\"warning\",\"text\":\"$(json "$1")\"}"
}

# packages: lines "ACTION NAME FROM TO" with '-' for nothing, to lines of the protocol, in one go
packages() {
	awk '{
		printf "{\"type\":\"package\",\"action\":\"%s\",\"name\":\"%s\"", $1, $2
		if ($3 != "-") printf ",\"from\":\"%s\"", $3
		if ($4 != "-") printf ",\"to\":\"%s\"", $4
		print "}"
	}' 2>/dev/null || :
}

# finish KERNEL RESTART: the last line when all went well; KERNEL may be empty
finish() {
	line "{\"type\":\"done\"${1:+,\"kernel\":\"$1\"},\"restart\":$2}"
	exit 0
}

# fail CAUSE TEXT [RETRY]: the last line otherwise; RETRY is true when the cause may pass by itself
fail() {
	printf '%s\n' "$2" >&2
	line "{\"type\":\"failed\",\"cause\":\"$1\",\"text\":\"$(json "$2")\",\"retry\":${3:-false}}"
	exit 1
}

# free_kib FOLDER: space for root that is left
free_kib() {
	df -Pk "$1" | awk 'NR == 2 { print $4 }'
}

# largest_kib KIND: of the files /boot/KIND-*
largest_kib() {
	for file in /boot/"$1"-*; do
		[ -f "$file" ] && du -k "$file"
	done | awk '$1 > n { n = $1 } END { print n + 0 }'
}

# The size in KiB of what a new kernel will put into /boot, judged by the largest that is there.
kernel_kib() {
	for kind in vmlinuz initrd.img initramfs System.map config; do
		largest_kib "$kind"
	done | awk '{ n += $1 } END { print n + 0 }'
}

# check_boot KIB: new kernels must fit beside those that are there; a tenth is added for what grows. And in any case one
# initramfs: any package may have one made again, under another name first.
check_boot() {
	left=$(free_kib /boot)
	[ -n "$left" ] || fail backend "The room in /boot cannot be found out"
	need=$(($1 + $1 / 10 + $(largest_kib initrd.img) + $(largest_kib initramfs)))
	[ "$left" -ge "$need" ] ||
		fail boot-full "/boot has $left KiB left, and what comes needs $need KiB"
}

# check_disk FOLDER BYTES: before anything is begun
check_disk() {
	left=$(free_kib "$1")
	[ -n "$left" ] || fail backend "The room in $1 cannot be found out"
	[ "$left" -ge $(($2 / 1024)) ] || fail no-space "$1 has $left KiB left, and what comes needs $(($2 / 1024)) KiB"
}

# newest: of kernel releases, one in each line
newest() {
	sort -V | tail -n 1
}

# version_of RELEASE: without the flavour ("6.1.0-56-cloud-amd64"), which is no older or newer one
version_of() {
	printf '%s\n' "$1" | sed 's/-[a-z].*$//'
}

# is_newer RELEASE: than the running one?
is_newer() {
	new=$(version_of "$1") old=$(version_of "$(uname -r)")
	[ "$new" != "$old" ] && [ "$(printf '%s\n' "$new" "$old" | newest)" = "$new" ]
}

# of_flavour: of the releases, one in each line, those of the running kernel's flavour; all, if none is
of_flavour() {
	flavour=$(uname -r)
	flavour=${flavour#"$(version_of "$flavour")"}
	awk -v flavour="$flavour" '
		{ all = all $0 "\n"; version = $0; sub(/-[a-z].*$/, "", version) }
		substr($0, length(version) + 1) == flavour { own = own $0 "\n" }
		END { printf "%s", own ? own : all }'
}

# way_back: the releases that a machine falls back to: the running one, and the newest that is older
way_back() {
	for file in /boot/vmlinuz-*; do
		release=${file#/boot/vmlinuz-}
		[ -s "$file" ] && [ "$(version_of "$release")" != "$(version_of "$(uname -r)")" ] &&
			! is_newer "$release" && printf '%s\n' "$release"
	done | of_flavour | newest
	[ ! -s "/boot/vmlinuz-$(uname -r)" ] || uname -r
}

# kernel_to_run RELEASE: what must run afterwards and does not run now; empty: the running kernel may stay. It may have
# been installed long ago, by somebody else, or by a run that failed: what counts is what is there, beside
# RELEASE, which comes or came with this run. The backend's owns_kernel RELEASE says whether a package brought it; a
# kernel that somebody built and tries is no baseline.
kernel_to_run() {
	{
		[ -z "$1" ] || printf '%s\n' "$1"
		if [ -n "${HOTPATCH_KERNEL-}" ]; then
			printf '%s\n' "$HOTPATCH_KERNEL"
		else
			for file in /boot/vmlinuz-*; do
				release=${file#/boot/vmlinuz-}
				[ -s "$file" ] && is_newer "$release" && owns_kernel "$release" && printf '%s\n' "$release"
			done
		fi
	} >"$work/candidates"
	release=$(of_flavour <"$work/candidates" | newest)
	release=${HOTPATCH_KERNEL:-$release}
	[ "$release" = "$(uname -r)" ] || printf '%s\n' "$release"
}

# finish_with RELEASE: as finish, with what must run and the restart that others asked for
finish_with() {
	kernel=$(kernel_to_run "$1")
	restart=false
	{ [ -z "$kernel" ] && [ ! -e /run/reboot-required ]; } || restart=true
	finish "$kernel" "$restart"
}

# has_initramfs: do this machine's kernels boot with one?
has_initramfs() {
	for file in /boot/initrd.img-* /boot/initramfs-*; do
		[ -s "$file" ] && return 0
	done
	return 1
}

# look_before: what must be there after an installation as well
look_before() {
	had_initramfs=no
	! has_initramfs || had_initramfs=yes
	way_back >"$work/way-back"
}

# check_kernel RELEASE: can it be booted?
check_kernel() {
	[ -s "/boot/vmlinuz-$1" ] || fail kernel-missing "After the installation there is no kernel '/boot/vmlinuz-$1'"
	[ "$had_initramfs" = no ] || [ -s "/boot/initrd.img-$1" ] || [ -s "/boot/initramfs-$1.img" ] ||
		fail initramfs-missing "The kernel $1 has no initramfs in /boot, and the others here have one"
}

# check_kernels: those that came, the promised one, and those that were the way back
check_kernels() {
	while read -r release; do
		check_kernel "$release"
	done <"$work/kernels"
	[ -z "${HOTPATCH_KERNEL-}" ] || check_kernel "$HOTPATCH_KERNEL"
	while read -r release; do
		[ -s "/boot/vmlinuz-$release" ] ||
			fail kernel-missing "The kernel '/boot/vmlinuz-$release' is gone; it was there to fall back to"
	done <"$work/way-back"
}
