#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine with Secure Boot and a TPM: its posture is read for real, and only modules get in whose key the kernel has.
# That they come back at the next start is in tests/faults/secure-boot-restore.sh.
# kernels: 6.1.0-50-cloud-amd64
# more kernels: 6.12.117+deb12-cloud-amd64
# seconds: 70
# options: --secure-boot
# shellcheck disable=SC2154,SC2034 # variables from and for lib.sh, lib-guest.sh and tools/lib/patch.sh

# serial_of CERTIFICATE: its number, as a refusal tells it
serial_of() {
        openssl x509 -in "$1" -noout -serial | sed 's/.*=//' | tr A-F a-f
}

# version_bundle NAME [KEY]: the example as NAME.hpb, its module signed for the kernel with that key
version_bundle() {
        local module=$work/$1/hp_version_line.ko

        mkdir "$work/$1"
        cp "$built" "$module"
        (($# == 1)) || sign_module "$module" "$2" "$kernel"
        hotpatchctl --quiet bundle create --patch "$example/patch.json" --root "$root" --output "$folder/$1.hpb" "$module"
        hotpatchctl --quiet bundle sign --key "$folder/keys/signer.key" "$folder/$1.hpb"
}

prepare() {
        local built root example=$top/module/examples/version-line keys

        folder=$1
        work=$(mktemp -d)
        hotpatchctl --quiet key generate "$folder/keys"
        secure_boot_keys
        keys=$REPLY
        kernel_root "$2"
        root=$REPLY
        build_module "$example" "$2" "$work"
        built=$REPLY
        version_bundle unsigned
        version_bundle nobody "$keys/nobody.key"
        version_bundle owner "$keys/owner-modules.key"
        module_key=$keys/firmware-modules.key
        build_show_bundle "$folder/firmware.hpb" "$folder/keys" swap_show "$2"
        serial_of "$keys/nobody.pem" >"$folder/nobody.serial"
        rm -rf "$work" "$folder"/keys/*.key
}

patch=hp-example-version-line
new='hotpatch: the second line is new'

# kernel_began REGEX: a line of this boot's kernel
kernel_began() {
        grep -Eq -- "$1" <<<"$(dmesg)" || fail "the kernel has not said /$1/"
}

# row CHECK VERDICT FOUND: what `hotpatchctl check` says
row() {
        hotpatchctl --json=short check >answer || true
        jq -e --arg check "$1" --arg verdict "$2" --arg found "$3" \
                '.checks[] | select(.check == $check) | .verdict == $verdict and .found == $found' answer ||
                fail "$1 is not $2, $3: $(jq -c --arg check "$1" '.checks[] | select(.check == $check)' answer)"
}

# nothing_happened: of what a refused module could leave
nothing_happened() {
        local left

        no_livepatch
        refuse_file /proc/modules '^hp_'
        refuse_file /proc/version "$new"
        left=$(find /run/hotpatch /var/lib/hotpatch -path '*/load/*' -o -path '*/spool/*' -o -path '*/admitted/*' \
                -o -name intent -o -name '.*' -o -name '*.tmp')
        [[ -z $left ]] || fail "left behind: $left"
}

# both_refuse REGEX BUNDLE: plan and apply refuse it for its signature, in the same words
both_refuse() {
        local planned applied

        run hotpatchctl --json=short plan "$2"
        expect_status 7
        planned=$(grep '^{' <<<"$output" | tail -n 1 | jq -r '.refusal.name + ": " + .refusal.message')
        [[ $planned == org.hotpatch.Error.ModuleSignatureRequired:* ]] || fail "plan says $planned"
        grep -Eq -- "$1" <<<"$planned" || fail "plan says $planned, not $1"
        run hotpatchctl --json=short apply "$2"
        expect_status 7
        applied=$(grep '^{' <<<"$output" | tail -n 1 | jq -r '.error.name + ": " + .error.message')
        [[ $applied == "$planned" ]] || fail "apply says $applied, plan says $planned"
        run hotpatchctl apply "$2"
        expect_output "Remedy: .*mokutil --import"
        echo "note: ${planned#*: }"
        nothing_happened
}

# the_kernel_refuses BUNDLE: its module, of root with insmod
the_kernel_refuses() {
        rm -rf modules
        hotpatchctl bundle extract "$1" modules
        run insmod modules/*.ko
        ((status != 0))
        expect_output 'Key was rejected by service|Required key not available'
}

testcase_the_machine_is_what_it_says() {
        mkdir -p /etc/hotpatch/trust.d
        cp keys/root.pem keys/revocation.crl /etc/hotpatch/trust.d/
        # As firmware and kernel say without us …
        [[ $(od -An -tu1 -j4 /sys/firmware/efi/efivars/SecureBoot-*) -eq 1 ]]
        kernel_began 'secureboot: Secure boot enabled'
        kernel_began 'Kernel is locked down from EFI Secure Boot'
        expect_file /sys/kernel/security/lockdown '\[integrity\]'
        expect_file /sys/class/tpm/tpm0/tpm_version_major '^2$'
        # … and as we do
        row secure-boot ok on
        row lockdown ok integrity
        row module-signatures ok required
        row tpm2 ok 2.0
        run hotpatchctl status
        expect_output 'Gates: livepatch supported, lockdown integrity, module signatures required, hotpatching on'
}

testcase_a_site_may_require_all_that() {
        mkdir -p /etc/hotpatch/hotpatchd.conf.d
        printf '[Policy]\nRequire=secure-boot lockdown module-signatures tpm2\n' >/etc/hotpatch/hotpatchd.conf.d/posture.conf
        hotpatchctl policy reload
        run hotpatchctl check
        expect_status 0
        for check in secure-boot lockdown module-signatures tpm2; do
                expect_output "^$check +ok .* yes$"
        done
        expect_output 'Result: eligible'
}

testcase_a_module_without_a_signature_is_refused() {
        both_refuse "'hp_version_line' of the bundle '$patch' is not signed, .*\(lockdown is 'integrity'\); it trusts .*'Hotpatch test modules by the owner' in .machine, .*'Hotpatch test modules by the firmware' in .platform" unsigned.hpb
        the_kernel_refuses unsigned.hpb
}

testcase_a_key_that_nobody_knows_is_named() {
        both_refuse "'hp_version_line' .* is signed by 'Hotpatch test nobody' with the serial number (00)?$(<nobody.serial), which is in none of the kernel's keyrings" nobody.hpb
        the_kernel_refuses nobody.hpb
}

# applies BUNDLE ID MODULE RING
applies() {
        run hotpatchctl plan "$1"
        expect_status 0
        expect_output "ok +signature $3 +by 'Hotpatch test modules by the [a-z]+', in $4 "
        run hotpatchctl apply "$1"
        expect_status 0
        expect_file "/sys/kernel/livepatch/$3/transition" '^0$'
        expect_file "/sys/kernel/livepatch/$3/enabled" '^1$'
        # O: not of the kernel's tree; K: a livepatch; but not E: without a signature
        [[ $(cat "/sys/module/$3/taint") == OK ]] || fail "taint $(cat "/sys/module/$3/taint")"
        run hotpatchctl show "$2"
        expect_output 'active'
}

testcase_a_key_out_of_the_firmwares_db_is_good() {
        applies firmware.hpb hp-show-swap-show hp_show_swap_show .platform
        hotpatchctl remove hp-show-swap-show
        rm -f /var/lib/hotpatch/spool/*
        nothing_happened
}

testcase_a_key_that_the_owner_has_enrolled_is_good() {
        applies owner.hpb $patch hp_version_line .machine
        expect_file /proc/version "$new"
        hotpatchctl remove $patch
        rm -f /var/lib/hotpatch/spool/*
        nothing_happened
}

. "$(dirname "$0")/lib.sh"
