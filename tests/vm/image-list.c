/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What builder/image reads out of a kernel or module file, as lines that can be compared with what the
 * running kernel says: for image.sh, and for people who wonder.
 *
 *     image-list symbols FILE   vmlinux: ADDRESS NAME; module: NAME POSITION SECTION OFFSET,
 *                             or NAME POSITION - 0 for what is in no section, or a per-cpu one
 *     image-list sites FILE     names of the functions that ftrace can hook into, as ftrace lists them
 */

#include <inttypes.h>

#include "builder/image/image.h"
#include "dbus/errors.h"

static void list_symbols(const Image *i) {
        for (size_t n = 0; n < i->n_symbols; n++) {
                const ImageSymbol *s = &i->symbols[n];
                const ImageSection *section = image_section_at(i, s->address);

                /* /sys/module/NAME/sections does not have it. */
                if (section && streq(section->name, ".data..percpu"))
                        section = NULL;
                if (i->banner)
                        printf("%016" PRIx64 " %s\n", s->address, s->name);
                else if (!s->undefined && !s->init)
                        printf("%s %" PRIu32 " %s %" PRIu64 "\n", s->name, s->position,
                                        section ? section->name : "-", section ? s->address - section->address : 0);
        }
}

/* Of several names for one place, ftrace shows the first. */
static void list_sites(const Image *i) {
        for (size_t n = 0; n < i->n_symbols; n++) {
                const ImageSymbol *s = &i->symbols[n];

                if ((n == 0 || s[-1].address != s->address) && image_ftrace_site(i, s->address))
                        printf("%s\n", s->name);
        }
}

int main(int argc, char **argv) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_image_free_ Image *i = NULL;
        int r;

        if (argc != 3 || hotpatch_errors_register() < 0)
                return 2;
        r = strstr(argv[2], ".ko") ? image_open_module(argv[2], &i, &error) :
                image_open_kernel(argv[2], &i, &error);
        if (r < 0) {
                (void) fprintf(stderr, "%s: %s\n", argv[2], error.message ?: strerror(-r));
                return 1;
        }
        if (streq(argv[1], "symbols"))
                list_symbols(i);
        else
                list_sites(i);
        return 0;
}
