/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Module files. */

#include <sys/mman.h>

#include "dbus/errors.h"
#include "livepatch/inspect.h"
#include "tests/fuzz/fuzz.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

/* Every promise of inspect.h about a module that was accepted. */
static void check(const ModuleInfo *i) {
        if (!i->arch || (i->has_note && !i->note.bundle_id) ||
                        (i->has_structures && i->n_objects == 0))
                abort();
        if (i->n_objects > HOTPATCH_OBJECTS_MAX)
                abort();
        for (size_t n = 0; n < i->n_objects; n++)
                if (!*i->objects[n].name || strv_length(i->objects[n].functions) == 0)
                        abort();
        for (char **s = i->klp_symbols; s && *s; s++)
                if (!strchr(*s, ':') || !strchr(*s, ','))
                        abort();
        for (char **s = i->needed; s && *s; s++)
                if (!**s)
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_module_info_free_ ModuleInfo *i = NULL;
        _cleanup_close_ int fd = memfd_create("module", MFD_CLOEXEC);
        int r;

        if (fd < 0 || file_write_all(fd, data, size) < 0 || hotpatch_errors_register() < 0)
                abort();
        r = module_inspect(fd, &i, &error);
        if (r >= 0)
                check(i);
        else if (i || !sd_bus_error_has_name(&error, HOTPATCH_ERROR("ModuleInvalid")))
                abort();
        return 0;
}
