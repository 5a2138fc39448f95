/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Debian's packages of one kernel: which they are, and how they come into the cache. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * struct Package - one version of a package, as apt knows it; all owned
 * @source: name of the source package
 * @source_version: of the source package; equal to @version where apt does not say it
 * @size: of the .deb, in bytes; 0: not known
 */
typedef struct Package {
        char *name;
        char *version;
        char *source;
        char *source_version;
        char *depends;
        uint64_t size;
} Package;

typedef struct PackageList {
        Package *items;
        size_t n;
} PackageList;

void package_list_done(PackageList *l);
int package_list_line(PackageList *l, const char *line) _must_check_ _nonnull_(1, 2);

/**
 * struct KernelPackages - what a build for one kernel needs
 * @version: of the kernel's source, "6.1.176-1"
 * @headers: the headers package, then the packages of the kernel that it depends on
 */
typedef struct KernelPackages {
        char *version;
        PackageList image;
        PackageList headers;
        PackageList source;
} KernelPackages;

/** enum KernelPart - which of them */
typedef enum KernelPart {
        KERNEL_IMAGE = 1 << 0,
        KERNEL_HEADERS = 1 << 1,
        KERNEL_SOURCE = 1 << 2, /* with the headers, which say its version */
} KernelPart;

int kernel_packages_find(const char *release, const char *version, KernelPart parts, KernelPackages *ret,
                sd_bus_error *error) _must_check_ _nonnull_(1, 4);
void kernel_packages_done(KernelPackages *p);

int package_source_name(const char *version, char **ret) _must_check_ _nonnull_(1, 2);
int package_file_read(const char *deb, PackageList *ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int package_installed_version(const char *name, char **ret) _must_check_ _nonnull_(1, 2);

int packages_fetch(const PackageList *l, const char *folder, bool quiet, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);
int package_unpack(const char *deb, const char *folder, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
