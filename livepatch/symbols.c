/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Functions of the running kernel: are they there, how often, can they be redirected.
 *
 * Three lists of the kernel answer:
 *   /proc/kallsyms                      "ADDRESS TYPE NAME\t[MODULE]", some 200 000 lines
 *   tracefs available_filter_functions  "NAME [MODULE]", some 60 000 lines
 *   tracefs enabled_functions           "NAME [MODULE] (N) FLAGS\ttramp: … (HANDLER…)…"
 * The first two are long and hardly ever change; symbolindex.c keeps what they say. The third is
 * short, changes at any moment, and is read for every question. Names are compared whole:
 * `foo.isra.0` is another function than `foo`, to the kernel as well (klp_find_callback(),
 * kernel/livepatch/core.c).
 *
 * `matches` is what the kernel will count when it resolves the name, so symbols of every type count
 * (a variable of the same name makes it ambiguous too) as soon as one of them is a function.
 *
 * tracefs prints no addresses, so with several functions of one name in an object nobody can say
 * which of them is traceable; the flags then speak for any of them.
 */

#include <fcntl.h>

#include "livepatch/functions.h"
#include "livepatch/identity.h"
#include "livepatch/lines.h"
#include "livepatch/state.h"
#include "livepatch/symbolindex.h"
#include "livepatch/symbols.h"
#include "util/strv.h"

typedef struct Questions {
        SymbolFacts **items; /* sorted by name */
        size_t n;
} Questions;

static int compare_questions(const void *a, const void *b) {
        return strcmp((*(SymbolFacts *const *) a)->name, (*(SymbolFacts *const *) b)->name);
}

/* The first question about that name; there may be several, about different objects. */
static size_t questions_find(const Questions *q, Word name) {
        size_t from = 0, to = q->n;

        while (from < to) {
                size_t middle = from + (to - from) / 2;
                const char *s = q->items[middle]->name;
                int c = strncmp(s, name.s, name.l);

                if (c < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

/* "(NAME+0x0/0x10 [MODULE])" behind "tramp: …" or "ops: …": the handler, without its offset. */
static void owner_read(SymbolFacts *f, const char *rest) {
        const char *from = strstr(rest, "tramp: ") ?: strstr(rest, "ops: "), *module;
        size_t name, l;

        from = from ? strchr(from, '(') : NULL;
        if (!from++)
                return;
        l = strcspn(from, ")");
        name = strcspn(from, "+ )");
        module = memchr(from, '[', l);
        (void) snprintf(f->owner, sizeof(f->owner), "%.*s%s%.*s", (int) name, from, module ? " " : "",
                        module ? (int) (from + l - module) : 0, module ?: "");
        /* It becomes part of a line and of a sentence. */
        for (char *p = f->owner; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
}

/*
 * kernel/trace/ftrace.c, t_show(): the count, then "R" (saved registers), "I" (IPMODIFY), "D", "O",
 * "M" as far as set, then "tramp: …" or "ops: …" with the handler. The kernel allows one IPMODIFY
 * user, so an "I" is livepatch's if its handler is named. With several users of a function no
 * single handler need be shown; then livepatch's own directory tells, see question_ask_livepatch().
 */
static void enabled_match(SymbolFacts *f, const char *rest) {
        const char *flags = rest;
        bool ipmodify = false;

        if (strstr(rest, "klp_ftrace_handler")) {
                f->livepatched = true;
                return;
        }
        for (Word w = word_next(&flags); w.l > 0; w = word_next(&flags)) {
                if (word_is(w, "I"))
                        ipmodify = true;
                if (w.s[w.l - 1] == ':')
                        break;
        }
        if (!ipmodify)
                return;
        f->busy = true;
        owner_read(f, rest);
}

static void enabled_line(void *userdata, const char *line) {
        const Questions *q = userdata;
        Word name = word_next(&line);
        const char *after = line;
        Word object = word_object(word_next(&after));

        for (size_t i = questions_find(q, name); i < q->n && word_is(name, q->items[i]->name); i++)
                if (word_is(object, q->items[i]->object))
                        enabled_match(q->items[i], line);
}

/* Where tracefs lies: on its own since 4.1, below debugfs before and on some machines still. */
static int tracefs_open(const Kernel *k) {
        static const char *const places[] = { "sys/kernel/tracing", "sys/kernel/debug/tracing" };

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                _cleanup_close_ int fd = openat(kernel_root_fd(k), places[i],
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (fd < 0 && errno != ENOENT)
                        return -errno;
                if (fd >= 0 && faccessat(fd, "available_filter_functions", F_OK, 0) >= 0)
                        return TAKE_FD(fd);
        }
        return -ENOENT;
}

/* "NAME", or "NAME,SYMPOS" */
static bool object_has(const InspectedObject *o, const SymbolFacts *f) {
        if (!streq(o->name, f->object))
                return false;
        for (char **s = o->functions; s && *s; s++) {
                const char *rest = startswith(*s, f->name);

                if (rest && (*rest == 0 || *rest == ','))
                        return true;
        }
        return false;
}

static int patch_has(const Kernel *k, const char *patch, const SymbolFacts *f) {
        InspectedObject *objects;
        size_t n;
        bool found = false;
        int r = livepatch_functions(k, patch, &objects, &n);

        /* Gone, or too odd to read: then the function stays busy. */
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        for (size_t i = 0; i < n; i++)
                found |= object_has(&objects[i], f);
        inspected_objects_free(objects, n);
        return found;
}

/* Is the IPMODIFY user that nobody named livepatch itself? */
static int question_ask_livepatch(const Kernel *k, SymbolFacts *f) {
        _cleanup_strv_free_ char **patches = NULL;
        int r = livepatch_list(k, &patches);

        for (char **p = patches; r >= 0 && p && *p; p++) {
                r = patch_has(k, *p, f);
                if (r > 0) {
                        f->busy = false;
                        f->livepatched = true;
                        *f->owner = 0;
                }
        }
        return r < 0 ? r : 0;
}

/* The kept index if it knows all objects as they are now, else a new one, which is kept. */
static int index_get(const Kernel *k, const Questions *q, int tracefs_fd, SymbolIndex **ret) {
        _cleanup_symbol_index_free_ SymbolIndex *kept = NULL;
        int r = symbol_index_load(k, &kept);
        bool covered = r >= 0;

        for (size_t i = 0; i < q->n && covered; i++)
                covered = !q->items[i]->object_loaded ||
                          symbol_index_covers(kept, k, q->items[i]->object);
        if (covered) {
                *ret = TAKE_PTR(kept);
                return 0;
        }
        r = symbol_index_build(k, tracefs_fd, ret);
        if (r < 0)
                return r;
        /* Not kept: the next question takes as long as this one, no more. */
        (void) (symbol_index_save(k, *ret) < 0);
        return 0;
}

static int questions_prepare(const Kernel *k, SymbolFacts *facts, size_t n, Questions *q) {
        for (size_t i = 0; i < n; i++) {
                SymbolFacts *f = &facts[i];
                int r = streq(f->object, "vmlinux") ? 1 : kernel_module_loaded(k, f->object);

                if (r < 0)
                        return r;
                *f = (SymbolFacts) { .object = f->object, .name = f->name, .object_loaded = r > 0 };
                q->items[i] = f;
        }
        q->n = n;
        qsort(q->items, n, sizeof(*q->items), compare_questions);
        return 0;
}

/**
 * symbols_look_up() - answer all questions about functions together
 * @facts: @object and @name are read, everything else is written
 *
 * The first call after boot, and the first about a module loaded since, reads the kernel's lists
 * from end to end, which takes a while: call it in a child.
 *
 * Return: 0, -EINVAL when an object is no module name, -ENOENT when tracefs is not mounted, or
 * another negative errno; then @facts holds nothing to rely on.
 */
int symbols_look_up(const Kernel *k, SymbolFacts *facts, size_t n_facts) {
        _cleanup_symbol_index_free_ SymbolIndex *index = NULL;
        _cleanup_free_ SymbolFacts **items = NULL;
        _cleanup_close_ int tracefs = -EBADF;
        Questions q;
        int r;

        if (n_facts == 0)
                return 0;
        items = calloc(n_facts, sizeof(*items));
        if (!items)
                return -ENOMEM;
        q.items = items;
        r = questions_prepare(k, facts, n_facts, &q);
        if (r < 0)
                return r;
        tracefs = tracefs_open(k);
        if (tracefs < 0)
                return tracefs;
        r = index_get(k, &q, tracefs, &index);
        if (r < 0)
                return r;
        for (size_t i = 0; i < q.n; i++) {
                SymbolAnswer a = {};

                if (q.items[i]->object_loaded)
                        a = symbol_index_find(index, q.items[i]->object, q.items[i]->name);
                q.items[i]->matches = a.matches;
                q.items[i]->traceable = a.traceable;
        }
        r = lines_scan(tracefs, "enabled_functions", enabled_line, &q);
        for (size_t i = 0; i < q.n && r >= 0; i++)
                if (q.items[i]->busy)
                        r = question_ask_livepatch(k, q.items[i]);
        return r;
}
