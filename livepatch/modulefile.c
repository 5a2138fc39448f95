/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The file that modprobe(8) would load for a name, and the build-id in it. modules.dep(5) knows which
 * of several files of one name counts; depmod(8) has decided that by depmod.d(5).
 *
 * The files are root's, but they are parsed like a stranger's: module_inspect() is safe on any bytes.
 * Unpacking a large driver takes a second or so: call it in a child.
 */

#include <fcntl.h>
#include <sys/mman.h>

#include "livepatch/inspect.h"
#include "livepatch/modulefile.h"
#include "livepatch/vmlinuz.h"
#include "util/file.h"
#include "util/str.h"

#define MODULES_DEP_MAX ((size_t) 16 * 1024 * 1024)

/**
 * module_file_is() - whether a path is that of a file of a module
 * @path: "kernel/net/core/pktgen.ko.xz" for example; @n bytes
 * @module: in names of modules, dashes and underscores are the same
 */
bool module_file_is(const char *path, size_t n, const char *module) {
        const char *base = memrchr(path, '/', n), *end = path + n;

        base = base ? base + 1 : path;
        for (; *module && base < end; module++, base++)
                if (*module != (*base == '-' ? '_' : *base))
                        return false;
        return !*module && end - base >= (ptrdiff_t) strlen(".ko") && startswith(base, ".ko");
}

/**
 * module_file_find() - the file of a module, by modules.dep
 * @folder: /lib/modules/RELEASE
 * @ret: path of the file; to be freed
 *
 * Return: 0, -ENOENT when there is none, or another negative errno.
 */
int module_file_find(const char *folder, const char *module, char **ret) {
        _cleanup_free_ char *deps = NULL;
        _cleanup_free_ void *text = NULL;
        int r;

        if (str_printf(&deps, "%s/modules.dep", folder) < 0)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, deps, MODULES_DEP_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                size_t n = strcspn(line, ":\n");

                if (line[n] == ':' && module_file_is(line, n, module))
                        return str_printf(ret, "%s/%.*s", folder, (int) n, line);
        }
        return -ENOENT;
}

static int bytes_build_id(const void *data, size_t size, char **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error ignored = SD_BUS_ERROR_NULL;
        _cleanup_module_info_free_ ModuleInfo *info = NULL;
        _cleanup_close_ int fd = memfd_create("module", MFD_CLOEXEC);
        int r = fd < 0 ? -errno : file_write_all(fd, data, size);

        if (r >= 0)
                r = module_inspect(fd, &info, &ignored);
        if (r < 0)
                return r;
        if (!info->build_id)
                return -ENODATA;
        *ret = TAKE_PTR(info->build_id);
        return 0;
}

/**
 * module_file_build_id() - build-id of a module file, packed or not
 * @ret: lower-case hexadecimal; to be freed
 *
 * Return: 0, -ENODATA when it has none, -EBADMSG when it is no module, or another negative errno.
 */
int module_file_build_id(const char *path, char **ret) {
        _cleanup_vmlinuz_done_ Vmlinuz v = { 0 };
        int r = vmlinuz_open(path, &v);

        return r < 0 ? r : bytes_build_id(v.data, v.size, ret);
}
