/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A kernel or module as its package ships it, laid out at addresses, with everything that can be asked
 * of it without running it: bytes, symbols with their positions, ftrace sites, sealed functions, BTF.
 *
 * A kernel's addresses are those it was linked at. A module's are ours: each section and each undefined
 * symbol gets a place of its own and the relocations are applied, so that a kernel and a module are
 * read alike.
 */

#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * struct ImageSymbol - one name
 * @size: up to the next symbol (kernel) or as the file says (module); 0: unknown
 * @position: 1 …, among the symbols of that name in this object, in the order in which livepatch
 *   counts them (kernel/livepatch/core.c, klp_find_callback()); 0: it cannot be named, because it is
 *   undefined, or because livepatch counts otherwise while the module is loaded than afterwards
 * @n_same: how many of that name are defined; those in a module's init code count, so that a name is
 *   unique (sympos 0) only if it is so always
 * @function: it lies in code
 * @global: other objects can use it by its name
 * @init: it is gone once the kernel or module has started
 * @undefined: a module's reference to the kernel or another module; the address has no bytes
 */
typedef struct ImageSymbol {
        const char *name;
        uint64_t address;
        uint64_t size;
        uint32_t position;
        uint32_t n_same;
        bool function;
        bool global;
        bool init;
        bool undefined;
} ImageSymbol;

typedef struct ImageSection {
        const char *name;
        uint64_t address;
        uint64_t size;
        const uint8_t *data; /* NULL: no bytes in the file, they are zero */
        bool code;
        bool writable;
} ImageSection;

typedef struct Image {
        char *object;   /* `vmlinux` or the module's name */
        char *build_id; /* lower-case hexadecimal */
        char *banner;   /* vmlinux: "Linux version …"; NULL for modules */
        ImageSection *sections; /* by address */
        size_t n_sections;
        ImageSymbol *symbols; /* by address */
        size_t n_symbols;
        struct ImagePrivate *private;
} Image;

int image_open_kernel(const char *path, Image **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int image_open_module(const char *path, Image **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
Image *image_free(Image *i);
DEFINE_TRIVIAL_CLEANUP(Image *, image_free);
#define _cleanup_image_free_ _cleanup_(image_freep)

/** image_bytes() - the bytes from an address on; NULL: none. @ret_size: how many to the section's end */
const uint8_t *image_bytes(const Image *i, uint64_t address, size_t *ret_size) _nonnull_(1, 3);
/** image_find() - symbols of a name in the order of their positions, a module's undefined ones last;
 *  @ret: array of pointers in the image */
size_t image_find(const Image *i, const char *name, const ImageSymbol *const **ret) _nonnull_(1, 2, 3);
/** image_symbols_at() - symbols at exactly that address (aliases); returns how many */
size_t image_symbols_at(const Image *i, uint64_t address, const ImageSymbol **ret) _nonnull_(1, 3);
/** image_covering() - the last symbol that begins at or before an address in the same section, or NULL;
 *  how far it reaches is not looked at */
const ImageSymbol *image_covering(const Image *i, uint64_t address) _nonnull_(1);
const ImageSection *image_section(const Image *i, const char *name) _nonnull_(1, 2);
const ImageSection *image_section_at(const Image *i, uint64_t address) _nonnull_(1);
/** image_ftrace_site() - has the function at @address a place for ftrace to hook into? The rule is the
 *  kernel's: kernel/livepatch/patch.c, klp_get_ftrace_location() */
bool image_ftrace_site(const Image *i, uint64_t address) _nonnull_(1);
/** image_sealed() - was endbr taken out of that function at boot, so that it cannot be called indirectly? */
bool image_sealed(const Image *i, uint64_t address) _nonnull_(1);
/** image_btf() - the raw .BTF section; NULL: none */
const void *image_btf(const Image *i, size_t *ret_size) _nonnull_(1, 2);
/** image_relocated() - does a kernel that runs at another address (KASLR), or a module at its own, have
 *  other bytes in the field that begins here? */
bool image_relocated(const Image *i, uint64_t address) _nonnull_(1);
