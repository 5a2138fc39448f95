# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# A guest as a machine with UEFI Secure Boot and a TPM: OVMF with keys of our own, shim, and a TPM in software.
#
# The chain is that of an ordinary Debian machine, with our keys in the place of Microsoft's:
#
#   firmware    PK, KEK, db: made here, once for a cache, and enrolled in OVMF's variables
#   shim        Debian's, unsigned, signed here with the key in db; it has Debian's own certificate built in
#   image       systemd's stub with kernel, initrd and command line in one file, signed here with the key in db; the
#               kernel in it is Debian's, with Debian's signature
#
# and two keys for modules, which sign nothing that boots: one in db, as somebody has it who makes the firmware's keys
# himself, and one in MokList, as mokutil(1) enrols it.

firmware_code=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd
firmware_variables=/usr/share/OVMF/OVMF_VARS_4M.fd
stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub
shim=/usr/lib/shim/shimx64.efi

# make_key FOLDER NAME SUBJECT [EXTENSION]…: NAME.key, NAME.pem and NAME.der
make_key() {
        local folder=$1 name=$2 subject=$3 words=()
        shift 3

        while (($# > 0)); do
                words+=(-addext "$1")
                shift
        done
        openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 3650 -subj "/CN=$subject" \
                -keyout "$folder/$name.key" -out "$folder/$name.pem" "${words[@]}" 2>/dev/null
        openssl x509 -in "$folder/$name.pem" -outform DER -out "$folder/$name.der"
}

# build_secure_boot OUT: keys, and the firmware's variables with their certificates in them
build_secure_boot() {
        local out=$1 module=(basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature
                extendedKeyUsage=codeSigning subjectKeyIdentifier=hash)

        say "making Secure Boot keys"
        mkdir "$out"
        make_key "$out" PK 'Hotpatch test platform key'
        make_key "$out" KEK 'Hotpatch test key exchange key'
        make_key "$out" boot 'Hotpatch test boot images'
        make_key "$out" firmware-modules 'Hotpatch test modules by the firmware' "${module[@]}"
        make_key "$out" owner-modules 'Hotpatch test modules by the owner' "${module[@]}"
        make_key "$out" nobody 'Hotpatch test nobody' "${module[@]}"
        /usr/bin/python3 "$top/tools/lib/efivariables.py" "$firmware_variables" "$out/variables.fd" PK="$out/PK.der" \
                KEK="$out/KEK.der" db="$out/boot.der" db="$out/firmware-modules.der" MokList="$out/owner-modules.der"
        sbsign --key "$out/boot.key" --cert "$out/boot.pem" --output "$out/shim.efi" "$shim" 2>/dev/null
}

# secure_boot_keys: let REPLY be the folder with all that
secure_boot_keys() {
        local key

        need_packages "${packages_secure_boot[@]}"
        key=$({
                cat "$top/tools/lib/efivariables.py"
                declare -f make_key build_secure_boot
                dpkg-query -W ovmf shim-unsigned
        } | hash_of)
        cached "secure-boot-$key" build_secure_boot
        prune 'secure-boot-*' 2
}

# boot_image OUT KERNEL WORDS KEYS: one signed file of the kernel and the initrd in the folder KERNEL and a command line
boot_image() {
        local out=$1 kernel=$2 work=$1.work

        printf '%s\0' "$3" >"$work.words"
        printf 'ID=guest\n' >"$work.release"
        # Where systemd-stub(7) of this version looks, far enough apart for any kernel.
        objcopy --add-section .osrel="$work.release" --change-section-vma .osrel=0x20000 \
                --add-section .cmdline="$work.words" --change-section-vma .cmdline=0x30000 \
                --add-section .linux="$kernel/vmlinuz" --change-section-vma .linux=0x2000000 \
                --add-section .initrd="$kernel/initrd" --change-section-vma .initrd=0x4000000 \
                "$stub" "$work.efi"
        sbsign --key "$4/boot.key" --cert "$4/boot.pem" --output "$out" "$work.efi" 2>/dev/null
        rm -f "$work".*
}

# start_tpm: a TPM 2.0 on the socket $run/tpm.socket; it ends with who is connected to it
start_tpm() {
        mkdir -p "$run/tpm"
        rm -f "$run/tpm.socket"
        swtpm socket --tpm2 --tpmstate "dir=$run/tpm" --ctrl "type=unixio,path=$run/tpm.socket" \
                --terminate --daemon --pid "file=$run/tpm.pid" --log "file=$run/tpm.log" ||
                die 125 "swtpm does not start: $(tail -n 3 "$run/tpm.log")"
}

# secure_boot_machine WORDS: let machine_words be qemu's words for the machine, its firmware and its TPM, and add to
# disk_words the disk that it boots from, with these words for the kernel. The firmware's variables and the TPM live as
# long as the run.
secure_boot_machine() {
        local keys folder=$run/esp/EFI/BOOT

        secure_boot_keys
        keys=$REPLY
        [[ -e $run/variables.fd ]] || cp "$keys/variables.fd" "$run/variables.fd"
        mkdir -p "$folder"
        cp "$keys/shim.efi" "$folder/BOOTX64.EFI"
        # That is the name of what shim boots.
        boot_image "$folder/grubx64.efi" "$image_kernel" "$1" "$keys"
        start_tpm
        # The variables are behind system management mode: else the kernel could change them without the firmware.
        machine_words=(-machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on
                -global ICH9-LPC.disable_s3=1
                -drive "if=pflash,unit=0,format=raw,readonly=on,file=$firmware_code"
                -drive "if=pflash,unit=1,format=raw,file=$run/variables.fd"
                -chardev "socket,id=tpm,path=$run/tpm.socket" -tpmdev emulator,id=tpm,chardev=tpm
                -device tpm-crb,tpmdev=tpm)
        disk_words+=(-drive "if=none,id=esp,format=raw,readonly=on,file=fat:$run/esp"
                -device virtio-blk-pci,drive=esp,serial=esp,bootindex=0)
}
