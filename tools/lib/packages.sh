# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Which Debian packages each job needs on this machine and in the guest, by name only: where they come
# from is the business of the machine's own apt configuration. What the packages are built from stands
# in debian/control and is read from there.
# shellcheck disable=SC2034

# to boot a guest
packages_vm=(qemu-system-x86 mmdebstrap e2fsprogs busybox-static cpio kmod xz-utils zstd fakeroot
        dpkg-dev git)

# to boot a guest by signed firmware, with a TPM
packages_secure_boot=(ovmf swtpm sbsigntool shim-unsigned systemd-boot-efi binutils openssl python3)

# to build and test on this machine, beside the build dependencies in debian/control
packages_test=(check python3-jsonschema zsh systemd-journal-remote
        dbus python3 python3-dbus python3-dbusmock python3-gi openssl jq libxml2-utils
        lintian shellcheck bash-completion man-db strace spin gpg gpgv dpkg-dev qemu-system-common e2fsprogs
        dnf createrepo-c rpm ansible-core ansible-lint yamllint python3-pytest desktop-file-utils dunst
        fonts-dejavu-core imagemagick xvfb python3-jsonschema python3-prometheus-client openscap-scanner openscap-common)

# to make the file systems on which the power is cut
packages_faults=(xfsprogs btrfs-progs)

# to build patch modules
packages_module=(gcc-12 make kmod xz-utils bc flex bison dwarves)

# to make fixes into patch modules: what preparing and compiling the kernel's own source takes
packages_builder=(diffutils patch bc flex bison libelf-dev libssl-dev jq)

# in the guest: an ordinary small Debian server, the libraries of debian/control, and what scenarios use
packages_guest=(systemd systemd-sysv libpam-systemd dbus polkitd kmod procps util-linux openssl jq
        libkmod2 libelf1 libssl3 libjansson4 libeconf0 libsmartcols1 libsystemd0 libbpf1 libdw1 libzydis4.0
        bash-completion)

# in a guest with a network card (tools/vm --forward, --network)
packages_guest_network=(iproute2)

# in a guest that has its kernel installed, as a machine has (tools/vm --own-kernel): what linux-image needs. Fetched one by
# one and installed from their files, so each is named.
packages_guest_kernel=(udev linux-base initramfs-tools initramfs-tools-core klibc-utils libklibc cpio logsave zstd)

# in a guest that has needrestart(1) (tests/faults/needrestart.sh): fetched and installed in the same way
packages_needrestart=(needrestart gettext-base libintl-perl libmodule-find-perl libproc-processtable-perl libsort-naturally-perl
        libterm-readkey-perl xz-utils binutils binutils-common binutils-x86-64-linux-gnu libbinutils libctf-nobfd0 libctf0
        libgprofng0)

# build_dependencies: the names in Build-Depends of debian/control
build_dependencies() {
        sed -n '/^Build-Depends:/,/^[^ ]/{/^Build-Depends:/s///p;/^ /p}' "$top/debian/control" |
                tr ',' '\n' | sed 's/(.*//; s/<.*//; s/|.*//; s/[[:space:]]//g; s/=.*//' |
                sed '/^debhelper-compat$/s/.*/debhelper/; /^$/d'
}
