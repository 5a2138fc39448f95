/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Is this machine a real one, a virtual one, or a container on somebody else's kernel? The words are those
 * of systemd-detect-virt(1); a container wins over the machine it runs in.
 *
 * A container is told by what its manager leaves for it: systemd as PID 1 writes /run/systemd/container,
 * podman and docker a file of their own. A virtual machine is told by what its firmware says of itself
 * (DMI), by the hypervisor's entry in sysfs (Xen), and, when the name is not known, by the processor's
 * flag that there is a hypervisor.
 */

#include "eligibility/probe-internal.h"
#include "util/file.h"
#include "util/limits.h"

/* The beginning of what firmware says, and who says so. Seen on machines, or in the vendors' documents. */
static const struct {
        const char *begins;
        const char *word;
} firmware[] = {
        { "KVM", "kvm" },
        { "QEMU", "qemu" },
        { "OpenStack", "kvm" },
        { "KubeVirt", "kvm" },
        { "Google Compute Engine", "google" },
        { "Amazon EC2", "amazon" },
        { "VMware", "vmware" },
        { "VMW", "vmware" },
        { "VirtualBox", "oracle" },
        { "innotek GmbH", "oracle" },
        { "Oracle Corporation VirtualBox", "oracle" },
        { "Xen", "xen" },
        { "Bochs", "bochs" },
        { "Parallels", "parallels" },
        { "BHYVE", "bhyve" },
        { "Hyper-V", "microsoft" },
        { "Virtual Machine", "microsoft" },
        { "Apple Virtualization", "apple" },
};

static const char *const dmi_files[] = {
        "sys/class/dmi/id/product_name", "sys/class/dmi/id/sys_vendor",
        "sys/class/dmi/id/board_vendor", "sys/class/dmi/id/bios_vendor",
};

static int copy(const char *word, char **ret) {
        *ret = strdup(word);
        return *ret ? 0 : -ENOMEM;
}

/* Return: 1 when it is a container, 0, or -ENOMEM. */
static int probe_container(int root_fd, char **ret) {
        static const struct {
                const char *path;
                const char *word;
        } marks[] = {
                { "run/.containerenv", "podman" },
                { ".dockerenv", "docker" },
                { "proc/vz", "openvz" }, /* on the host there is /proc/bc as well */
        };
        _cleanup_free_ char *line = NULL;
        int r = file_read_line_at(root_fd, "run/systemd/container", &line);

        if (r == -ENOMEM)
                return r;
        if (r >= 0 && *line) {
                *ret = TAKE_PTR(line);
                return 1;
        }
        for (size_t i = 0; i < ELEMENTSOF(marks); i++) {
                if (faccessat(root_fd, marks[i].path, F_OK, 0) < 0)
                        continue;
                if (streq(marks[i].word, "openvz") && faccessat(root_fd, "proc/bc", F_OK, 0) >= 0)
                        continue;
                r = copy(marks[i].word, ret);
                return r < 0 ? r : 1;
        }
        return 0;
}

static const char *find_firmware(const char *text) {
        for (size_t i = 0; i < ELEMENTSOF(firmware); i++)
                if (startswith(text, firmware[i].begins))
                        return firmware[i].word;
        return NULL;
}

/* Return: 1 and a word, 0 when the firmware names no hypervisor, or -ENOMEM. */
static int probe_firmware(int root_fd, char **ret) {
        for (size_t i = 0; i < ELEMENTSOF(dmi_files); i++) {
                _cleanup_free_ char *line = NULL;
                const char *word;
                int r = file_read_line_at(root_fd, dmi_files[i], &line);

                if (r == -ENOMEM)
                        return r;
                word = r < 0 ? NULL : find_firmware(line);
                if (!word)
                        continue;
                r = copy(word, ret);
                return r < 0 ? r : 1;
        }
        return 0;
}

/* Return: 1 when a processor says that it has a hypervisor (x86: CPUID leaf 1, ECX bit 31), 0 or -ENOMEM. */
static int has_hypervisor_flag(int root_fd) {
        _cleanup_free_ char *text = NULL;
        void *content = NULL;
        int r = file_read_at(root_fd, "proc/cpuinfo", HOTPATCH_CPUINFO_MAX, &content, NULL);

        if (r < 0)
                return r == -ENOMEM ? r : 0;
        text = content;
        for (const char *p = text; (p = strstr(p, "hypervisor")); p += strlen("hypervisor"))
                if (p > text && p[-1] == ' ' && strchr(" \n", p[strlen("hypervisor")]))
                        return 1;
        return 0;
}

/* The first guest of Xen owns the machine (drivers/xen/xenfs/super.c). */
static bool is_dom0(int root_fd) {
        _cleanup_free_ char *line = NULL;

        return file_read_line_at(root_fd, "proc/xen/capabilities", &line) >= 0 && strstr(line, "control_d");
}

/**
 * probe_virtualization() - what this machine runs on
 * @ret: a word of systemd-detect-virt(1); owned by the caller
 * @ret_container: the kernel is somebody else's
 *
 * Return: 0 or -ENOMEM.
 */
int probe_virtualization(int root_fd, char **ret, bool *ret_container) {
        _cleanup_free_ char *word = NULL, *type = NULL;
        int r;

        r = probe_container(root_fd, &word);
        if (r < 0)
                return r;
        *ret_container = r > 0;
        if (r == 0)
                r = probe_firmware(root_fd, &word);
        /* A Xen guest of the old kind has no DMI. */
        if (r == 0 && file_read_line_at(root_fd, "sys/hypervisor/type", &type) >= 0 && *type && !is_dom0(root_fd)) {
                word = TAKE_PTR(type);
                r = 1;
        }
        if (r == 0) {
                r = has_hypervisor_flag(root_fd);
                if (r >= 0)
                        r = copy(r > 0 ? "vm-other" : "none", &word);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(word);
        return 0;
}
