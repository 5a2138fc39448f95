/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The container: what is accepted lies inside the file, and its headers could not be otherwise. */

#include <sys/mman.h>

#include "bundle/archive.h"
#include "tests/fuzz/fuzz.h"
#include "util/file.h"

static void check_member(const Archive *a, size_t i, size_t size) {
        const ArchiveMember *m = &a->members[i];

        if (!archive_name_is_valid(m->name) || m->offset > size || m->size > size - m->offset ||
            m->offset % ARCHIVE_BLOCK != 0)
                abort();
        for (size_t j = 0; j < i; j++)
                if (streq(a->members[j].name, m->name) || a->members[j].offset >= m->offset)
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_close_ int fd = memfd_create("bundle", MFD_CLOEXEC);
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Archive a;

        if (fd < 0 || file_write_all(fd, data, size) < 0)
                abort();
        if (archive_read(fd, &a, &error) < 0) {
                if (!sd_bus_error_is_set(&error))
                        abort();
                sd_bus_error_free(&error);
                return 0;
        }
        if (a.n_members == 0 || a.n_signatures >= a.n_members)
                abort();
        for (size_t i = 0; i < a.n_members; i++)
                check_member(&a, i, size);
        return 0;
}
