/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatchd.conf: whatever the bytes, there is a configuration, each of its settings can be shown, and a file
 * with all that is shown means the same.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "config/config.h"
#include "tests/fuzz/fuzz.h"
#include "util/file.h"
#include "util/strv.h"

static char root[] = "/tmp/hotpatch-fuzz-config-XXXXXX";

static void clean_up(void) {
        static const char *const paths[] = { "etc/hotpatch/hotpatchd.conf", "etc/hotpatch", "etc", "" };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_free_ char *path = path_join(root, paths[i]);

                if (path && remove(path) < 0 && errno != ENOENT)
                        perror(path);
        }
}

static int open_folder(void) {
        static int dir_fd = -EBADF;
        _cleanup_free_ char *etc = NULL, *own = NULL;

        if (dir_fd >= 0)
                return dir_fd;
        if (!mkdtemp(root) || !(etc = path_join(root, "etc")) || !(own = path_join(root, "etc/hotpatch")) ||
            mkdir(etc, 0700) < 0 || mkdir(own, 0700) < 0 || atexit(clean_up) != 0)
                abort();
        dir_fd = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                abort();
        return dir_fd;
}

static Config *load(const void *data, size_t size) {
        int dir_fd = open_folder(), fd = openat(dir_fd, "hotpatchd.conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        _cleanup_strv_free_ char **warnings = NULL;
        Config *c;

        if (fd < 0 || file_write_all(fd, data, size) < 0 || close(fd) < 0 || config_load(root, &c, &warnings) < 0)
                abort();
        return c;
}

/* What counts as unreadable is not shown as a value that could be read again. */
static bool is_doubted(const Config *c) {
        for (size_t i = 0; i < config_n_settings(); i++) {
                ConfigSetting s;
                bool strictest;

                if (config_setting(c, i, &s) < 0)
                        abort();
                strictest = s.origin->strictest;
                config_setting_done(&s);
                if (strictest)
                        return true;
        }
        return false;
}

static char *show(const Config *c, size_t *ret_size) {
        char *text;
        FILE *f = open_memstream(&text, ret_size);

        for (size_t i = 0; f && i < config_n_settings(); i++) {
                ConfigSetting s;

                if (config_setting(c, i, &s) < 0)
                        abort();
                fprintf(f, "[%s]\n%s=%s\n", s.section, s.name, s.value);
                config_setting_done(&s);
        }
        if (!f || fclose(f) != 0)
                abort();
        return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_config_ Config *c = load(data, size), *again = NULL;
        _cleanup_free_ char *one = NULL, *two = NULL;
        size_t n_one, n_two;

        if (is_doubted(c))
                return 0;
        one = show(c, &n_one);
        again = load(one, n_one);
        two = show(again, &n_two);
        if (is_doubted(again) || n_one != n_two || memcmp(one, two, n_one) != 0)
                abort();
        return 0;
}
