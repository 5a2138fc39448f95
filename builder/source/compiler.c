/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The compiler of a kernel.
 *
 * Another compiler, or another release of the same one, inlines and orders otherwise; what is compiled
 * with it is not what runs. Kconfig keeps the first line that `CC --version` said when the kernel was
 * configured (scripts/cc-version.sh, CONFIG_CC_VERSION_TEXT). Its first word is the name that the
 * compiler was called by, which is how it is called here too; the rest, with the distribution's package
 * version in it, must be the same here.
 */

#include "builder/source/compiler.h"

#include <ctype.h>
#include <fcntl.h>

#include "builder/run.h"
#include "dbus/errors.h"
#include "util/file.h"

/* A .config of a distribution has 250 KiB. */
#define CONFIG_MAX ((size_t) 4 * 1024 * 1024)

/**
 * config_value() - the value of one option of a .config
 * @config: path of the file
 * @name: with CONFIG_
 * @ret: without quotation marks; free with free()
 *
 * Return: 0, -ENOENT when the option is not set or there is no such file, or another negative errno.
 */
int config_value(const char *config, const char *name, char **ret) {
        _cleanup_free_ void *text = NULL;
        size_t length = strlen(name);
        char *line, *rest, *copy;
        int r;

        r = file_read_at(AT_FDCWD, config, CONFIG_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (rest = text; (line = strsep(&rest, "\n"));) {
                if (strncmp(line, name, length) != 0 || line[length] != '=')
                        continue;
                line += length + 1;
                if (*line == '"') {
                        line++;
                        line[strcspn(line, "\"")] = '\0';
                }
                copy = strdup(line);
                if (!copy)
                        return -ENOMEM;
                *ret = copy;
                return 0;
        }
        return -ENOENT;
}

/* The name goes to execvp() and onto make's command line. */
static bool name_is_plain(const char *s) {
        if (!isalnum((unsigned char) *s))
                return false;
        for (; *s; s++)
                if (!isalnum((unsigned char) *s) && !strchr("._+-", *s))
                        return false;
        return true;
}

static void keep_first(const char *line, void *userdata) {
        char **first = userdata;

        if (!*first)
                *first = strdup(line);
}

static const char *after_first_word(const char *s) {
        return s + strcspn(s, " ");
}

/**
 * compiler_check() - find the compiler that a kernel was built with
 * @config: path of the kernel's .config
 * @ret_compiler: its name, for make's CC=; free with free()
 * @ret_version: what it says of itself, as the kernel's configuration has it; free with free()
 * @error: CompilerMismatch, naming both versions
 *
 * Return: 0 or a negative errno.
 */
int compiler_check(const char *config, char **ret_compiler, char **ret_version, sd_bus_error *error) {
        _cleanup_free_ char *wanted = NULL, *name = NULL, *here = NULL;
        int r;

        r = config_value(config, "CONFIG_CC_VERSION_TEXT", &wanted);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("CompilerMismatch"),
                        "'%s' does not say which compiler built the kernel: CONFIG_CC_VERSION_TEXT: %s",
                        config, strerror(-r));
        name = strndup(wanted, strcspn(wanted, " "));
        if (!name)
                return -ENOMEM;
        if (!name_is_plain(name))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("CompilerMismatch"),
                        "The kernel was built with '%s', which does not begin with the name of a compiler",
                        wanted);
        r = run_program(&(Run) {
                .arguments = (char *const[]) { name, (char *) "--version", NULL },
                .line = keep_first,
                .userdata = &here,
        });
        if (r < 0)
                return r;
        if (r == 127)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("CompilerMismatch"),
                        "The kernel was built with '%s'; there is no '%s' here", wanted, name);
        if (r > 0 || !here || !streq(after_first_word(here), after_first_word(wanted)))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("CompilerMismatch"),
                        "The kernel was built with '%s'; the '%s' here is '%s'", wanted, name, strempty(here));
        *ret_compiler = TAKE_PTR(name);
        *ret_version = TAKE_PTR(wanted);
        return 0;
}
