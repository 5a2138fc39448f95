/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From touched files to objects.
 *
 * A C file is its own object, if the configuration builds it; a C file can also be included by
 * others, as the scheduler's are; a header belongs to all objects that include it. A file that nothing
 * of this kernel is made of is a remark where the fix changes something else that is, and a refusal
 * where it does not. A file that decides how the kernel is built is refused in any case.
 *
 * A header that only gets new names belongs to the objects that have such a name, see additions.c.
 */

#include "builder/source/objects.h"

#include <fcntl.h>

#include "builder/source/additions.h"
#include "builder/source/objects-include.h"
#include "builder/source/objects-kind.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

/** struct Search - files that lead nowhere wait until it is known whether others lead somewhere */
typedef struct Search {
        const char *tree;
        const char *patched;
        const ObjectList *list;
        const Fix *fix;
        IncludeGraph *graph;
        char **unbuilt;
        Compiled *compiled;
        Findings *findings;
} Search;

static void search_done(Search *s) {
        include_graph_free(s->graph);
        strv_free(s->unbuilt);
}

static CompiledUnit *find_unit(Compiled *c, const ListedObject *o) {
        for (size_t i = 0; i < c->n_units; i++)
                if (streq(c->units[i].path, o->path) && streq(c->units[i].object, o->module))
                        return c->units + i;
        return NULL;
}

static int add_unit(Compiled *c, const ListedObject *o, const char *source, const char *header) {
        CompiledUnit *unit = find_unit(c, o), *grown;

        if (unit) {
                if (!header) { /* the source itself is the better reason */
                        free(unit->header);
                        unit->header = NULL;
                }
                return 0;
        }
        grown = reallocarray(c->units, c->n_units + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        c->units = grown;
        unit = grown + c->n_units++;
        *unit = (CompiledUnit) {
                .path = strdup(o->path),
                .target = strdup(o->target),
                .source = strdup(source),
                .object = strdup(o->module),
                .header = header ? strdup(header) : NULL,
        };
        return unit->path && unit->target && unit->source && unit->object && (!header || unit->header) ? 0 : -ENOMEM;
}

/* Adds the objects of a C file; returns their number. */
static int add_objects(Search *s, const char *source, const char *header) {
        _cleanup_free_ char *path = strdup(source);
        const ListedObject *o;
        size_t n;
        int r;

        if (!path)
                return -ENOMEM;
        path[strlen(path) - 1] = 'o';
        o = object_list_find(s->list, path, &n);
        for (size_t i = 0; i < n; i++) {
                r = add_unit(s->compiled, o + i, source, header);
                if (r < 0)
                        return r;
        }
        return (int) n;
}

static int find_users(Search *s, const char *path, char ***ret) {
        if (!s->graph) {
                int r = include_graph_new(s->tree, s->list, &s->graph);

                if (r < 0)
                        return r;
        }
        return include_graph_users(s->graph, path, ret);
}

static int add_all(Search *s, char *const *sources, const char *path) {
        int r = 0;

        for (; sources && *sources && r >= 0; sources++)
                r = add_objects(s, *sources, path);
        return r < 0 ? r : 0;
}

static int add_users(Search *s, const char *path) {
        _cleanup_strv_free_ char **users = NULL;
        int r;

        r = find_users(s, path, &users);
        if (r >= 0)
                r = add_all(s, users, path);
        return r < 0 ? r : (int) strv_length(users);
}

static int read_text(const char *folder, const char *path, char **ret) {
        _cleanup_free_ char *joined = path_join(folder, path), *text = NULL;
        void *data;
        size_t size;
        int r;

        if (!joined)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, joined, HOTPATCH_SOURCE_FILE_MAX, &data, &size);
        if (r < 0)
                return r;
        text = strndup(data, size);
        free(data);
        if (!text)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}

/* 1 and the names that are all that the fix brings into a header, or 0. */
static int added_names(const Search *s, const char *path, char ***ret) {
        _cleanup_free_ char *before = NULL, *after = NULL;
        int r;

        r = read_text(s->tree, path, &before);
        if (r >= 0)
                r = read_text(s->patched, path, &after);
        return r < 0 ? r : additions_find(before, after, ret);
}

static int tell_left_out(const Search *s, const char *path, char *const *names, size_t n, size_t left) {
        if (n == left)
                return 0;
        return findings_remark(s->findings, RULE_TOO_MANY_OBJECTS, path,
                "'%s' only gets new names, '%s'%s; of %zu files that may include it, %zu may have them and are compiled",
                path, names[0], names[1] ? " and others" : "", n, left);
}

/* Keeps of a list what the other has too; returns how many these are. */
static size_t keep_common(char **list, char *const *other) {
        size_t n = strv_length(list), left = 0;

        for (size_t i = 0; i < n; i++) {
                char *item = TAKE_PTR(list[i]);

                if (other && strv_contains((char **) other, item))
                        list[left++] = item;
                else
                        free(item);
        }
        return left;
}

/* What is neither compiled again nor replaced, and may have the header too; with @names: and one of these. */
static int tell_outside(const Search *s, const char *path, bool names, char *const *having) {
        _cleanup_strv_free_ char **outside = NULL;
        int r;

        r = include_graph_outside(s->graph, path, &outside);
        if (r < 0 || !outside || (names && keep_common(outside, having) == 0))
                return r;
        return findings_remark(s->findings, RULE_BUILD_FILES, path,
                "'%s' may also be included by '%s'%s, which stays as it is: assembly, boot code or vDSO",
                path, outside[0], outside[1] ? " and others" : "");
}

/* A header that only gets @names, or not even that. */
static int add_users_of_names(Search *s, const char *path, char *const *names) {
        _cleanup_strv_free_ char **users = NULL, **having = NULL, **outside = NULL;
        size_t n, left;
        int r;

        r = find_users(s, path, &users);
        if (r >= 0 && names)
                r = include_graph_users_of_names(s->graph, names, &having, &outside);
        if (r < 0)
                return r;
        n = strv_length(users);
        left = keep_common(users, having);
        r = add_all(s, users, path);
        if (r >= 0 && names)
                r = tell_left_out(s, path, names, n, left);
        if (r >= 0)
                r = tell_outside(s, path, true, outside);
        return r < 0 ? r : (int) n;
}

/* Returns the number of files that may include the header, be they compiled or not. */
static int add_users_of_header(Search *s, const char *path) {
        _cleanup_strv_free_ char **names = NULL;
        int r, number;

        r = added_names(s, path, &names);
        if (r < 0)
                return r;
        if (r > 0)
                return add_users_of_names(s, path, names);
        number = add_users(s, path);
        r = number <= 0 ? 0 : tell_outside(s, path, false, NULL);
        return r < 0 ? r : number;
}

static int refuse_build_file(Search *s, const char *path, const char *why) {
        return findings_refuse(s->findings, RULE_BUILD_FILES, path, "'%s' %s", path, why);
}

static bool is_program(const Search *s, const char *path) {
        _cleanup_free_ char *stem = strndup(path, strlen(path) - 2);

        return stem && strv_contains(s->list->programs, stem);
}

static int find_source(Search *s, const FixFile *file) {
        int own, users;

        own = add_objects(s, file->path, NULL);
        if (own < 0)
                return own;
        if (own > 0 && file->removed)
                return refuse_build_file(s, file->path, "is built into the kernel and removed by the fix");
        if (own == 0 && is_program(s, file->path))
                return refuse_build_file(s, file->path, "belongs to a program that runs while the kernel is built");
        users = add_users(s, file->path);
        if (users < 0)
                return users;
        return own + users > 0 ? 0 : strv_extend(&s->unbuilt, file->path);
}

static int find_included(Search *s, const FixFile *file) {
        int users;

        if (file->added) { /* who includes it is touched himself, unless he found another file of that name before */
                users = add_users(s, file->path);
                return users < 0 ? users : 0;
        }
        users = file->removed ? add_users(s, file->path) : add_users_of_header(s, file->path);
        if (users < 0)
                return users;
        return users > 0 ? 0 : strv_extend(&s->unbuilt, file->path);
}

static int find_assembly(Search *s, const FixFile *file) {
        _cleanup_free_ char *path = strdup(file->path);
        size_t n;

        if (!path)
                return -ENOMEM;
        path[strlen(path) - 1] = 'o';
        (void) object_list_find(s->list, path, &n);
        if (n > 0)
                return refuse_build_file(s, file->path, "is assembly of this kernel");
        return strv_extend(&s->unbuilt, file->path);
}

/* What is mostly not built, but may be: samples with CONFIG_SAMPLES. */
static int find_elsewhere(Search *s, const FixFile *file) {
        size_t l = strlen(file->path);

        if (l > 2 && streq(file->path + l - 2, ".c"))
                return find_source(s, file);
        return strv_extend(&s->unbuilt, file->path);
}

/* What is built is code, wherever it lies: arch/x86/entry/vdso/vma.c. */
static bool is_listed(const Search *s, const char *path) {
        _cleanup_free_ char *object = strdup(path);
        size_t l = strlen(path), n = 0;

        if (!object || l < 3 || !streq(path + l - 2, ".c"))
                return false;
        object[l - 1] = 'o';
        return object_list_find(s->list, object, &n);
}

static int find_file(Search *s, const FixFile *file) {
        if (is_listed(s, file->path))
                return find_source(s, file);
        switch (file_kind(file->path)) {
        case FILE_SOURCE:
                return find_source(s, file);
        case FILE_INCLUDED:
                return find_included(s, file);
        case FILE_ASSEMBLY:
                return find_assembly(s, file);
        case FILE_ELSEWHERE:
                return find_elsewhere(s, file);
        case FILE_BUILD:
                return refuse_build_file(s, file->path, "decides how the kernel is built, or is not code that can be replaced");
        case FILE_IGNORED:
                return findings_remark(s->findings, RULE_NOT_BUILT, file->path,
                        "'%s' has no influence on the kernel", file->path);
        }
        return -EINVAL;
}

/* One file of a fix for many architectures is no reason to refuse it; nothing at all is. */
static int tell_unbuilt(Search *s) {
        static const char text[] = "'%s' is not part of this kernel: its configuration does not build it";
        int r;

        for (char **path = s->unbuilt; path && *path; path++) {
                s->findings->file = *path;
                r = s->compiled->n_units > 0 ? findings_remark(s->findings, RULE_NOT_BUILT, *path, text, *path) :
                                               findings_refuse(s->findings, RULE_NOT_BUILT, *path, text, *path);
                s->findings->file = NULL;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compare_units(const void *a, const void *b) {
        const CompiledUnit *x = a, *y = b;
        int r = strcmp(x->path, y->path);

        return r != 0 ? r : strcmp(x->object, y->object);
}

/**
 * objects_find() - the objects that a fix may touch
 * @tree: source without the fix
 * @patched: folder with the files of the fix as they are with it
 * @list: all objects of the configuration
 * @c: gets units, sorted by path, with path, target, source, object and header; those with a header are
 *   candidates, for the compiler to decide
 * @findings: files of no influence, files that cannot be hotpatched
 *
 * Return: 0 or a negative errno.
 */
int objects_find(const char *tree, const char *patched, const ObjectList *list, const Fix *fix, Compiled *c,
                Findings *findings) {
        _cleanup_(search_done) Search s = {
                .tree = tree, .patched = patched, .list = list, .fix = fix, .compiled = c, .findings = findings,
        };
        int r;

        for (size_t i = 0; i < fix->n_files; i++) {
                if (fix->files[i].added && fix->files[i].removed)
                        continue; /* added by one diff, removed by the next */
                findings->file = fix->files[i].path;
                r = find_file(&s, fix->files + i);
                findings->file = NULL;
                if (r < 0)
                        return r;
        }
        if (c->n_units > 0)
                qsort(c->units, c->n_units, sizeof(*c->units), compare_units);
        r = tell_unbuilt(&s);
        if (r < 0 || c->n_units > 0 || findings_refusals(findings) > 0)
                return r;
        return findings_refuse(findings, RULE_NO_CHANGE, NULL, "The fix changes nothing that this kernel is built from");
}

/**
 * objects_limit() - refuse what would become too large a patch
 * @limit: number of objects that are taken
 *
 * Return: 0 or a negative errno.
 */
int objects_limit(Compiled *c, size_t limit, Findings *findings) {
        const char *header = NULL;
        size_t shown = 0;
        char *first = NULL;
        size_t size;
        FILE *f;
        int r;

        if (c->n_units <= limit)
                return 0;
        f = open_memstream(&first, &size);
        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < c->n_units; i++) {
                header = header ?: c->units[i].header;
                if (c->units[i].header && shown < 3)
                        fprintf(f, "%s'%s'", shown++ > 0 ? ", " : "", c->units[i].path);
        }
        r = fclose(f) != 0 ? -ENOMEM :
                findings_refuse(findings, RULE_TOO_MANY_OBJECTS, header,
                        "The fix touches %zu objects of this kernel, and at most %zu are taken%s%s%s%s%s",
                        c->n_units, limit, header ? "; '" : "", strempty(header),
                        header ? "' is included by " : "", strempty(first), shown > 0 ? " and others" : "");
        free(first);
        return r;
}
