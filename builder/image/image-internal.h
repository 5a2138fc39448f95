/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of this folder share. */

#include "builder/image/image.h"
#include "dbus/errors.h"
#include "livepatch/vmlinuz.h"

#define IMAGE_INVALID(error, ...) sd_bus_error_setf((error), HOTPATCH_ERROR("KernelImageInvalid"), __VA_ARGS__)

/** struct ImageAddresses - sorted */
typedef struct ImageAddresses {
        uint64_t *items;
        size_t n;
} ImageAddresses;

/**
 * struct ImageName - all symbols of one name
 * @first: of them, in by_name; @n: 0 for a free place of the hash table
 */
typedef struct ImageName {
        uint32_t first;
        uint32_t n;
} ImageName;

/**
 * struct ImagePrivate - what backs an Image
 * @file: the sections' bytes (kernel) or names
 * @memory: the sections' bytes (module)
 * @pool: names of symbols
 * @by_name: those of one name follow each other, in the order of their positions
 */
typedef struct ImagePrivate {
        Vmlinuz file;
        uint8_t *memory;
        char *pool;
        ImageName *names;
        size_t n_names; /* a power of two */
        const ImageSymbol **by_name;
        ImageAddresses sites;
        ImageAddresses sealed;
        ImageAddresses relocated;
        const void *btf;
        size_t btf_size;
} ImagePrivate;

int image_new(Image **ret) _must_check_ _nonnull_(1);
int image_sections_finish(Image *i) _must_check_ _nonnull_(1);
int image_index_names(Image *i, const uint32_t *order) _must_check_ _nonnull_(1);
void image_addresses_sort(ImageAddresses *a) _nonnull_(1);
int image_read_sites(Image *i, uint64_t start, uint64_t size) _must_check_ _nonnull_(1);
int image_read_sealed(Image *i) _must_check_ _nonnull_(1);
