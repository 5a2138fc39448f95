/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which functions that the fix edits were inlined into those that changed.
 *
 * An author edits ipc_idr_alloc() and is told that ipc_addid() will be redirected; this says why. Nothing is
 * decided by it: what changed is told by content alone, and debug information that is missing or odd costs
 * an explanation.
 *
 * An edited function is one of the touched files that reaches over a touched line. Where it begins is
 * in its entry (DW_AT_decl_line); where it ends is not, so it ends at its last line that has code, before the
 * next function begins. Functions that only the new object has are edited, too.
 */

#include <dwarf.h>
#include <elfutils/libdwfl.h>

#include "builder/compare/inlined.h"
#include "builder/compare/touched.h"
#include "util/strv.h"

/* Nesting of blocks and inlined functions: 30 is seen in networking code. */
#define DEPTH_MAX 128U

/** struct Source - a function as its source has it */
typedef struct Source {
        const char *name; /* in the debug information */
        size_t file;      /* index in Fix.files */
        int begin;
        int end;
} Source;

/** struct Debug - debug information of one object */
typedef struct Debug {
        Dwfl *dwfl;
        const Fix *fix;
        Source *sources; /* of touched files, by file and begin */
        size_t n_sources;
        size_t room;
} Debug;

static void debug_done(Debug *d) {
        if (d->dwfl)
                dwfl_end(d->dwfl);
        free(d->sources);
}

static int no_other_file(_unused_ Dwfl_Module *module, _unused_ void **userdata, _unused_ const char *name,
                _unused_ Dwarf_Addr base, _unused_ const char *file, _unused_ const char *link,
                _unused_ GElf_Word crc, _unused_ char **ret) {
        return -1;
}

static int debug_open(Debug *d, const char *path) {
        static const Dwfl_Callbacks callbacks = {
                .find_debuginfo = no_other_file,
                .section_address = dwfl_offline_section_address,
        };

        d->dwfl = dwfl_begin(&callbacks);
        if (!d->dwfl)
                return -ENOMEM;
        if (!dwfl_report_offline(d->dwfl, "object", path, -1) || dwfl_report_end(d->dwfl, NULL, NULL) != 0)
                return -ENODATA;
        return 0;
}

/* Compilers write "./include/linux/fs.h", or the whole path. Return: index of the file; SIZE_MAX: not touched. */
static size_t touched_file(const Fix *fix, const char *path) {
        size_t n = path ? strlen(path) : 0;

        for (size_t i = 0; i < fix->n_files; i++) {
                size_t m = strlen(fix->files[i].path);

                if (n >= m && streq(path + n - m, fix->files[i].path) && (n == m || path[n - m - 1] == '/'))
                        return i;
        }
        return SIZE_MAX;
}

static int compare_sources(const void *a, const void *b) {
        const Source *x = a, *y = b;

        if (x->file != y->file)
                return x->file < y->file ? -1 : 1;
        if (x->begin != y->begin)
                return x->begin < y->begin ? -1 : 1;
        return strcmp(x->name, y->name);
}

static int source_add(Debug *d, Dwarf_Die *die) {
        size_t file = touched_file(d->fix, dwarf_decl_file(die));
        const char *name = dwarf_diename(die);
        int line;

        if (file == SIZE_MAX || !name || dwarf_decl_line(die, &line) != 0 ||
                        dwarf_hasattr(die, DW_AT_declaration) || dwarf_hasattr(die, DW_AT_abstract_origin))
                return 0;
        if (d->n_sources == d->room) {
                size_t room = d->room ? d->room * 2 : 256;
                Source *grown = reallocarray(d->sources, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                d->sources = grown;
                d->room = room;
        }
        d->sources[d->n_sources++] = (Source) { name, file, line, line };
        return 0;
}

static Source *source_at(const Debug *d, size_t file, int line) {
        size_t low = 0, high = d->n_sources;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const Source *s = d->sources + middle;

                if (s->file < file || (s->file == file && s->begin <= line))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low > 0 && d->sources[low - 1].file == file ? d->sources + low - 1 : NULL;
}

static void sources_extend(Debug *d, Dwarf_Die *unit) {
        const char *last = NULL;
        size_t file = SIZE_MAX, n;
        Dwarf_Lines *lines;

        if (dwarf_getsrclines(unit, &lines, &n) != 0)
                return;
        for (size_t i = 0; i < n; i++) {
                Dwarf_Line *line = dwarf_onesrcline(lines, i);
                const char *path = dwarf_linesrc(line, NULL, NULL);
                Source *s;
                int number;

                if (path != last)
                        file = touched_file(d->fix, path);
                last = path;
                if (file == SIZE_MAX || dwarf_lineno(line, &number) != 0)
                        continue;
                s = source_at(d, file, number);
                if (s && number > s->end)
                        s->end = number;
        }
}

static int sources_read(Debug *d) {
        Dwarf_Die *unit = NULL, die;
        Dwarf_Addr bias;
        int r;

        while ((unit = dwfl_nextcu(d->dwfl, unit, &bias))) {
                if (dwarf_child(unit, &die) != 0)
                        continue;
                do {
                        if (dwarf_tag(&die) != DW_TAG_subprogram)
                                continue;
                        r = source_add(d, &die);
                        if (r < 0)
                                return r;
                } while (dwarf_siblingof(&die, &die) == 0);
        }
        if (d->n_sources > 1)
                qsort(d->sources, d->n_sources, sizeof(*d->sources), compare_sources);
        while ((unit = dwfl_nextcu(d->dwfl, unit, &bias)))
                sources_extend(d, unit);
        return 0;
}

static bool has_source(const Debug *d, const char *name) {
        for (size_t i = 0; i < d->n_sources; i++)
                if (streq(d->sources[i].name, name))
                        return true;
        return false;
}

/* Names of functions that the fix edits or adds. */
static int edited_functions(const Debug *before, const Debug *after, char ***ret) {
        _cleanup_free_ TouchedLine *lines = NULL;
        _cleanup_strv_free_ char **names = NULL;
        size_t n;
        int r;

        r = touched_lines(before->fix, &lines, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                const Source *s = source_at(before, lines[i].file, (int) lines[i].line);

                /* What is put before the first line of a function is not in it. */
                if (!s || (int) lines[i].line > s->end || (lines[i].inserted && (int) lines[i].line == s->begin) ||
                                strv_contains(names, s->name))
                        continue;
                r = strv_extend(&names, s->name);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < after->n_sources; i++)
                if (!has_source(before, after->sources[i].name) && !strv_contains(names, after->sources[i].name)) {
                        r = strv_extend(&names, after->sources[i].name);
                        if (r < 0)
                                return r;
                }
        *ret = TAKE_PTR(names);
        return 0;
}

/* What was split (`.part`) has its other half, of the same name, inlined: @itself. */
static int note_inlined(SymbolChange *change, Dwarf_Die *die, char *const *edited, const char *itself) {
        const char *name = dwarf_diename(die);

        if (!name || streq_ptr(name, itself) || !strv_contains(edited, name) ||
                        strv_contains(change->inlined, name))
                return 0;
        return strv_extend(&change->inlined, name);
}

static int walk(SymbolChange *change, Dwarf_Die *parent, char *const *edited, const char *itself,
                unsigned depth) {
        Dwarf_Die die;
        int r = 0;

        if (depth > DEPTH_MAX || dwarf_child(parent, &die) != 0)
                return 0;
        do {
                int tag = dwarf_tag(&die);

                if (tag == DW_TAG_inlined_subroutine)
                        r = note_inlined(change, &die, edited, itself);
                if (r >= 0 && (tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block))
                        r = walk(change, &die, edited, itself, depth + 1);
        } while (r >= 0 && dwarf_siblingof(&die, &die) == 0);
        return r;
}

/* The symbol whose code an entry describes; 0: none of ours. Names are of libdwfl, which knows where it laid
 * out the sections. */
static uint32_t symbol_of(const Changes *c, const Debug *d, Dwarf_Die *die, Dwarf_Addr bias) {
        Dwarf_Addr address, base, end;
        Dwfl_Module *module;
        const char *name;
        uint32_t symbol;

        /* A function with a part elsewhere has ranges; the first one is where it begins. */
        if (dwarf_ranges(die, 0, &base, &address, &end) <= 0)
                return 0;
        module = dwfl_addrmodule(d->dwfl, address + bias);
        name = module ? dwfl_module_addrname(module, address + bias) : NULL;
        symbol = name ? object_find(c->after, name) : 0;
        return object_symbol_is_function(c->after, symbol) ? symbol : 0;
}

static int name_all(Changes *c, const Debug *after, char *const *edited) {
        Dwarf_Die *unit = NULL, die;
        Dwarf_Addr bias;
        int r = 0;

        while ((unit = dwfl_nextcu(after->dwfl, unit, &bias))) {
                if (dwarf_child(unit, &die) != 0)
                        continue;
                do {
                        uint32_t symbol;

                        if (dwarf_tag(&die) != DW_TAG_subprogram)
                                continue;
                        symbol = symbol_of(c, after, &die, bias);
                        if (symbol && c->symbols[symbol].kind == CHANGE_CHANGED)
                                r = walk(c->symbols + symbol, &die, edited, dwarf_diename(&die), 0);
                        if (r < 0)
                                return r;
                } while (dwarf_siblingof(&die, &die) == 0);
        }
        return 0;
}

static bool has_changed_function(const Changes *c) {
        for (uint32_t i = 1; i < c->after->n_symbols; i++)
                if (c->symbols[i].kind == CHANGE_CHANGED && object_symbol_is_function(c->after, i))
                        return true;
        return false;
}

/**
 * changes_name_inlined() - fill `inlined` of changed functions
 * @c: compared
 * @fix: what made the difference
 * @before_path, @after_path: the compiled files, with debug information; without, nothing is filled
 *
 * Return: 0 or -ENOMEM.
 */
int changes_name_inlined(Changes *c, const Fix *fix, const char *before_path, const char *after_path) {
        _cleanup_(debug_done) Debug before = { .fix = fix }, after = { .fix = fix };
        _cleanup_strv_free_ char **edited = NULL;
        int r;

        if (!has_changed_function(c))
                return 0;
        r = debug_open(&before, before_path);
        if (r >= 0)
                r = debug_open(&after, after_path);
        if (r >= 0)
                r = sources_read(&before);
        if (r >= 0)
                r = sources_read(&after);
        if (r >= 0)
                r = edited_functions(&before, &after, &edited);
        if (r >= 0)
                r = name_all(c, &after, edited);
        return r == -ENODATA ? 0 : r;
}
