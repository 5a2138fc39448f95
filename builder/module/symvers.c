/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Module.symvers in memory: lines "CRC TAB SYMBOL TAB MODULE TAB TYPE TAB NAMESPACE"
 * (Documentation/kbuild/modules.rst), some 15000 of them, sorted once for searching.
 *
 * Only whether, by whom and in which namespace a symbol is exported is kept; CRCs are modpost's work.
 */

#include "builder/module/symvers.h"

#include <fcntl.h>

#include "dbus/errors.h"
#include "util/file.h"

#define SYMVERS_MAX (64U * 1024 * 1024)

typedef struct Export {
        const char *symbol; /* all point into the text */
        const char *module;
        const char *name_space; /* "": none */
} Export;

struct Symvers {
        char *text;
        Export *exports;
        size_t n;
};

static int compare_exports(const void *a, const void *b) {
        return strcmp(((const Export *) a)->symbol, ((const Export *) b)->symbol);
}

static int symvers_parse_line(char *line, Export *ret) {
        char *symbol, *module, *name_space;

        (void) strsep(&line, "\t"); /* CRC */
        symbol = strsep(&line, "\t");
        module = strsep(&line, "\t");
        (void) strsep(&line, "\t"); /* EXPORT_SYMBOL or EXPORT_SYMBOL_GPL */
        name_space = strsep(&line, "\t");
        if (!symbol || !*symbol || !module || !*module)
                return -EBADMSG;
        *ret = (Export) { symbol, module, name_space ?: "" };
        return 0;
}

static int symvers_parse(Symvers *s) {
        size_t lines = 0;
        int r;

        for (const char *c = s->text; *c; c++)
                lines += *c == '\n';
        s->exports = calloc(lines + 1, sizeof(*s->exports));
        if (!s->exports)
                return -ENOMEM;
        for (char *rest = s->text, *line; (line = strsep(&rest, "\n"));) {
                if (!*line)
                        continue;
                r = symvers_parse_line(line, s->exports + s->n);
                if (r < 0)
                        return r;
                s->n++;
        }
        qsort(s->exports, s->n, sizeof(*s->exports), compare_exports);
        return 0;
}

/**
 * symvers_load() - read a Module.symvers
 * @path: the file
 * @ret: free with symvers_free()
 * @error: KernelHeadersMissing when there is no such file or it is not one
 *
 * Return: 0 or a negative errno.
 */
int symvers_load(const char *path, Symvers **ret, sd_bus_error *error) {
        _cleanup_symvers_free_ Symvers *s = NULL;
        size_t size;
        void *text;
        int r;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, path, SYMVERS_MAX, &text, &size);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelHeadersMissing"),
                        "The kernel headers have no readable '%s': %s", path, strerror(-r));
        s->text = text;
        r = symvers_parse(s);
        if (r == -EBADMSG)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelHeadersMissing"),
                        "'%s' is not a list of exported symbols", path);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

/** symvers_free() - free the list; NULL is fine. Returns NULL. */
Symvers *symvers_free(Symvers *s) {
        if (!s)
                return NULL;
        free(s->exports);
        free(s->text);
        free(s);
        return NULL;
}

static const Export *find_export(const Symvers *s, const char *symbol) {
        Export key = { .symbol = symbol };

        return bsearch(&key, s->exports, s->n, sizeof(key), compare_exports);
}

/**
 * symvers_find() - who exports a symbol
 * @s: the list
 * @symbol: its name
 *
 * Return: `vmlinux` or the path of the module, owned by @s; NULL when nobody does.
 */
const char *symvers_find(const Symvers *s, const char *symbol) {
        const Export *e = find_export(s, symbol);

        return e ? e->module : NULL;
}

/** symvers_namespace() - the namespace that a module must import to use the symbol; NULL: none */
const char *symvers_namespace(const Symvers *s, const char *symbol) {
        const Export *e = find_export(s, symbol);

        return e && *e->name_space ? e->name_space : NULL;
}
