/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Functions of the running kernel: are they there, how often, can they be redirected.
 *
 * Three files answer, each is read once from front to back for all questions together:
 *   /proc/kallsyms                      "ADDRESS TYPE NAME\t[MODULE]", some 200 000 lines
 *   tracefs available_filter_functions  "NAME [MODULE]", some 60 000 lines
 *   tracefs enabled_functions           "NAME [MODULE] (N) FLAGS\ttramp: … (HANDLER…)…"
 * The questions are few; they are sorted by name and each line costs one binary search and no
 * allocation. Names are compared whole: `foo.isra.0` is another function than `foo`, to the kernel
 * as well (klp_find_callback(), kernel/livepatch/core.c).
 *
 * `matches` is what the kernel will count when it resolves the name, so symbols of every type count
 * (a variable of the same name makes it ambiguous too) as soon as one of them is a function.
 *
 * tracefs prints no addresses, so with several functions of one name in an object nobody can say
 * which of them is traceable; the flags then speak for any of them.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdio_ext.h>

#include "livepatch/identity.h"
#include "livepatch/state.h"
#include "livepatch/symbols.h"
#include "util/strv.h"

typedef struct Question {
        SymbolFacts *facts;
        bool is_function;
} Question;

typedef struct Questions {
        Question *items; /* sorted by name */
        size_t n;
} Questions;

/* A word of a line, not NUL terminated. */
typedef struct Word {
        const char *s;
        size_t l;
} Word;

static int compare_questions(const void *a, const void *b) {
        return strcmp(((const Question *) a)->facts->name, ((const Question *) b)->facts->name);
}

static int compare_word(const char *name, Word w) {
        int c = strncmp(name, w.s, w.l);

        return c ? c : name[w.l] != 0;
}

static bool word_is(Word w, const char *s) {
        return compare_word(s, w) == 0;
}

/* The first question about that name; there may be several, about different objects. */
static Question *questions_find(const Questions *q, Word name) {
        size_t from = 0, to = q->n;

        while (from < to) {
                size_t middle = from + (to - from) / 2;

                if (compare_word(q->items[middle].facts->name, name) < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from < q->n && word_is(name, q->items[from].facts->name) ? &q->items[from] : NULL;
}

/* Takes a word off @p; the words of a line are separated by blanks and tabs. No strspn(3): for some
 * hundred thousand short words its setting up would be most of the time. */
static Word word_next(const char **p) {
        Word w;
        const char *s = *p;

        while (*s == ' ' || *s == '\t')
                s++;
        w.s = s;
        while (*s && *s != ' ' && *s != '\t' && *s != '\n')
                s++;
        w.l = (size_t) (s - w.s);
        *p = s;
        return w;
}

/* "[ext4]" is a module; no such word is vmlinux. */
static Word word_object(Word w) {
        if (w.l > 2 && w.s[0] == '[' && w.s[w.l - 1] == ']')
                return (Word) { .s = w.s + 1, .l = w.l - 2 };
        return (Word) { .s = "vmlinux", .l = strlen("vmlinux") };
}

typedef void (*line_handler)(Question *q, const char *rest, Word extra);

/* Calls @handler for each question about @name and the object that @rest begins with. */
static void questions_answer(const Questions *qs, Word name, const char *rest, Word extra,
                line_handler handler) {
        Question *q = questions_find(qs, name);
        const char *after = rest;
        Word object;

        if (!q)
                return;
        object = word_object(word_next(&after));
        for (; q < qs->items + qs->n && word_is(name, q->facts->name); q++)
                if (word_is(object, q->facts->object))
                        handler(q, rest, extra);
}

static void kallsyms_match(Question *q, const char *rest, Word type) {
        (void) rest;
        q->facts->matches++;
        /* nm(1): text, local and global, and weak. */
        if (type.l == 1 && strchr("tTwW", type.s[0]))
                q->is_function = true;
}

static void kallsyms_line(const Questions *qs, const char *line) {
        Word type, name;

        (void) word_next(&line);
        type = word_next(&line);
        name = word_next(&line);
        questions_answer(qs, name, line, type, kallsyms_match);
}

static void traceable_match(Question *q, const char *rest, Word extra) {
        (void) rest, (void) extra;
        q->facts->traceable = true;
}

static void traceable_line(const Questions *qs, const char *line) {
        Word name = word_next(&line);

        questions_answer(qs, name, line, name, traceable_match);
}

/*
 * kernel/trace/ftrace.c, t_show(): the count, then "R" (saved registers), "I" (IPMODIFY), "D", "O",
 * "M" as far as set, then "tramp: …" or "ops: …" with the handler. The kernel allows one IPMODIFY
 * user, so an "I" is livepatch's if its handler is named. With several users of a function no single
 * handler need be shown; then livepatch's own directory tells, see question_ask_livepatch().
 */
static void enabled_match(Question *q, const char *rest, Word extra) {
        bool ipmodify = false;

        (void) extra;
        if (strstr(rest, "klp_ftrace_handler")) {
                q->facts->livepatched = true;
                return;
        }
        for (Word w = word_next(&rest); w.l > 0; w = word_next(&rest)) {
                if (word_is(w, "I"))
                        ipmodify = true;
                if (w.s[w.l - 1] == ':')
                        break;
        }
        if (ipmodify)
                q->facts->busy = true;
}

static void enabled_line(const Questions *qs, const char *line) {
        Word name = word_next(&line);

        questions_answer(qs, name, line, name, enabled_match);
}

static int scan(int dir_fd, const char *path, const Questions *qs,
                void (*handler)(const Questions *qs, const char *line)) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        _cleanup_fclose_ FILE *f = NULL;
        _cleanup_free_ char *line = NULL;
        size_t room = 0;

        if (fd < 0)
                return -errno;
        f = fdopen(fd, "r");
        if (!f)
                return -errno;
        (void) TAKE_FD(fd);
        (void) __fsetlocking(f, FSETLOCKING_BYCALLER);
        errno = 0;
        while (getline(&line, &room, f) >= 0)
                handler(qs, line);
        return ferror(f) ? -(errno ?: EIO) : 0;
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

/* Looks for /sys/kernel/livepatch/PATCH/OBJECT/FUNCTION,SYMPOS in one patch. */
static bool patch_has(const Kernel *k, const char *patch, const SymbolFacts *f) {
        _cleanup_free_ char *path = NULL;
        DIR *d;
        struct dirent *e;
        bool found = false;
        int fd;

        if (asprintf(&path, "sys/kernel/livepatch/%s/%s", patch, f->object) < 0)
                return false;
        fd = openat(kernel_root_fd(k), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d) {
                safe_close(fd);
                return false;
        }
        while (!found && (e = readdir(d))) {
                const char *rest = startswith(e->d_name, f->name);

                found = rest && rest[0] == ',';
        }
        closedir(d);
        return found;
}

/* Is the IPMODIFY user that nobody named livepatch itself? */
static int question_ask_livepatch(const Kernel *k, SymbolFacts *f) {
        _cleanup_strv_free_ char **patches = NULL;
        int r = livepatch_list(k, &patches);

        if (r < 0)
                return r;
        for (char **p = patches; p && *p; p++)
                if (patch_has(k, *p, f)) {
                        f->busy = false;
                        f->livepatched = true;
                }
        return 0;
}

static int questions_prepare(const Kernel *k, SymbolFacts *facts, size_t n, Questions *qs) {
        for (size_t i = 0; i < n; i++) {
                SymbolFacts *f = &facts[i];
                int r = streq(f->object, "vmlinux") ? 1 : kernel_module_loaded(k, f->object);

                if (r < 0)
                        return r;
                *f = (SymbolFacts) { .object = f->object, .name = f->name, .object_loaded = r > 0 };
                qs->items[i] = (Question) { .facts = f };
        }
        qs->n = n;
        qsort(qs->items, n, sizeof(*qs->items), compare_questions);
        return 0;
}

/**
 * symbols_look_up() - answer all questions about functions in one pass over the kernel's lists
 * @facts: @object and @name are read, everything else is written
 *
 * Return: 0, -EINVAL when an object is no module name, -ENOENT when tracefs is not mounted, or
 * another negative errno; then @facts holds nothing to rely on.
 */
int symbols_look_up(const Kernel *k, SymbolFacts *facts, size_t n_facts) {
        _cleanup_free_ Question *items = NULL;
        _cleanup_close_ int tracefs = -EBADF;
        Questions qs;
        int r;

        if (n_facts == 0)
                return 0;
        items = calloc(n_facts, sizeof(*items));
        if (!items)
                return -ENOMEM;
        qs.items = items;
        r = questions_prepare(k, facts, n_facts, &qs);
        if (r < 0)
                return r;
        r = scan(kernel_root_fd(k), "proc/kallsyms", &qs, kallsyms_line);
        if (r < 0)
                return r;
        tracefs = tracefs_open(k);
        if (tracefs < 0)
                return tracefs;
        r = scan(tracefs, "available_filter_functions", &qs, traceable_line);
        if (r < 0)
                return r;
        r = scan(tracefs, "enabled_functions", &qs, enabled_line);
        if (r < 0)
                return r;
        for (size_t i = 0; i < qs.n && r >= 0; i++) {
                if (!qs.items[i].is_function)
                        qs.items[i].facts->matches = 0;
                if (qs.items[i].facts->busy)
                        r = question_ask_livepatch(k, qs.items[i].facts);
        }
        return r;
}
