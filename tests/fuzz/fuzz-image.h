/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What image.h promises about an image that was opened, and an input as a file. */

#include <sys/mman.h>

#include "builder/image/image.h"
#include "dbus/errors.h"
#include "tests/fuzz/fuzz.h"
#include "util/file.h"

static inline void check_symbol(const Image *i, const ImageSymbol *s) {
        const ImageSymbol *const *named, *at;
        size_t n = image_find(i, s->name, &named), same = image_symbols_at(i, s->address, &at), room;
        const uint8_t *bytes = image_bytes(i, s->address, &room);
        bool found = false;

        for (size_t k = 0; k < n; k++) {
                found |= named[k] == s;
                if (!streq(named[k]->name, s->name))
                        abort();
        }
        if (!found || same == 0 || s < at || s >= at + same || s->n_same > n || s->position > s->n_same)
                abort();
        if (bytes && room > 0) {
                volatile uint8_t first = bytes[0], last = bytes[room - 1]; /* they can be read */
                (void) first;
                (void) last;
        }
        if (s->undefined && (bytes || s->position != 0))
                abort();
        (void) image_ftrace_site(i, s->address);
        (void) image_sealed(i, s->address);
        (void) image_relocated(i, s->address);
        (void) image_covering(i, s->address);
}

static inline void check_image(const Image *i) {
        const ImageSymbol *const *none;
        size_t size;

        if (!i->object || !*i->object || !i->build_id || i->n_sections == 0)
                abort();
        for (size_t n = 0; n < i->n_sections; n++)
                if (image_section_at(i, i->sections[n].address) != &i->sections[n] ||
                    !image_section(i, i->sections[n].name))
                        abort();
        for (size_t n = 0; n < i->n_symbols; n++)
                check_symbol(i, &i->symbols[n]);
        (void) image_find(i, "a name that nobody has", &none);
        (void) image_btf(i, &size);
}

/** fuzz_image() - open the input with @open; what is refused has its name */
static inline int fuzz_image(const uint8_t *data, size_t size,
                int (*open_image)(const char *, Image **, sd_bus_error *)) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = memfd_create("image", MFD_CLOEXEC);
        _cleanup_image_free_ Image *i = NULL;
        char path[64];

        if (fd < 0 || file_write_all(fd, data, size) < 0 || hotpatch_errors_register() < 0)
                abort();
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (open_image(path, &i, &error) >= 0)
                check_image(i);
        else if (i || !sd_bus_error_has_name(&error, HOTPATCH_ERROR("KernelImageInvalid")))
                abort();
        return 0;
}
