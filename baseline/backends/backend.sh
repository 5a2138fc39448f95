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

# The size in KiB of what a new kernel will put into /boot, judged by the largest that is there.
kernel_kib() {
	for kind in vmlinuz initrd.img initramfs System.map config; do
		for file in /boot/"$kind"-*; do
			[ -f "$file" ] && du -k "$file"
		done | sort -rn | head -n 1
	done | awk '{ n += $1 } END { print n + 0 }'
}

# check_boot KIB: a new kernel must fit beside those that are there. A tenth is added for what grows, and
# tools that write the initramfs under another name first need its size no second time: it is renamed.
check_boot() {
	left=$(free_kib /boot) || fail backend "/boot cannot be looked at"
	[ "$left" -ge $(($1 + $1 / 10)) ] ||
		fail boot-full "/boot has $left KiB left, and the new kernel needs $(($1 + $1 / 10)) KiB"
}

# newest: of kernel releases, one in each line
newest() {
	sort -V | tail -n 1
}

# has_initramfs: do this machine's kernels boot with one?
has_initramfs() {
	for file in /boot/initrd.img-* /boot/initramfs-*; do
		[ -s "$file" ] && return 0
	done
	return 1
}

# check_kernel RELEASE HAD_INITRAMFS: can it be booted?
check_kernel() {
	[ -s "/boot/vmlinuz-$1" ] || fail kernel-missing "After the installation there is no kernel '/boot/vmlinuz-$1'"
	[ "$2" = no ] || [ -s "/boot/initrd.img-$1" ] || [ -s "/boot/initramfs-$1.img" ] ||
		fail initramfs-missing "The kernel $1 has no initramfs in /boot, and the others here have one"
}
