/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Kbuild's .cmd files (scripts/basic/fixdep.c): the first line is the command, "deps_…" lists what the
 * compiler read, one file or $(wildcard) a line. They are read as text, never executed.
 */

#include "builder/source/compile-deps.h"

#include <fcntl.h>

#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

/**
 * object_command_parse() - take a .cmd file apart
 * @text: is written to
 * @ret: end it with object_command_done()
 *
 * Return: 0, -EBADMSG when it lists no files, or -ENOMEM.
 */
int object_command_parse(char *text, ObjectCommand *ret) {
        _cleanup_free_ char **deps = NULL;
        size_t n = 0, lines = 1;
        ObjectCommand c = {};
        bool in_deps = false;

        for (const char *p = text; *p; p++)
                lines += *p == '\n';
        deps = calloc(lines + 1, sizeof(*deps));
        if (!deps)
                return -ENOMEM;
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
                size_t l;

                if (line == text) {
                        c.module = strstr(line, " -DMODULE ");
                        continue;
                }
                if (startswith(line, "deps_")) {
                        in_deps = true;
                        continue;
                }
                line += strspn(line, " \t");
                l = strcspn(line, " \t\\");
                if (in_deps && l == 0)
                        break;
                if ((!in_deps && !startswith(line, "source_")) || *line == '$')
                        continue;
                if (!in_deps) {
                        line = strstr(line, ":= ");
                        if (!line)
                                continue;
                        line += 3;
                        l = strlen(line);
                }
                line[l] = '\0';
                deps[n++] = line;
        }
        if (!in_deps || n == 0)
                return -EBADMSG;
        deps[n] = NULL;
        ret->module = c.module;
        return strv_copy(deps, &ret->deps);
}

/**
 * object_command_read() - read the .cmd file of an object
 * @tree: in which make ran
 * @target: the object, below it
 * @ret: end it with object_command_done()
 *
 * Return: 0 or a negative errno.
 */
int object_command_read(const char *tree, const char *target, ObjectCommand *ret) {
        const char *slash = strrchr(target, '/'), *name = slash ? slash + 1 : target;
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ void *text = NULL;
        int r;

        if (str_printf(&path, "%s/%.*s.%s.cmd", tree, (int) (name - target), target, name) < 0)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, path, HOTPATCH_COMMAND_FILE_MAX, &text, NULL);
        if (r < 0)
                return r;
        return object_command_parse(text, ret);
}

void object_command_done(ObjectCommand *c) {
        strv_free(c->deps);
        *c = (ObjectCommand) {};
}
