/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The symbol pass: asked and answered in a worker, told as lines of text
 *
 *     OBJECT NAME MATCHES LOADED TRACEABLE BUSY LIVEPATCHED [OWNER]
 *
 * with flags of 0 and 1; OWNER is the rest of the line. Each function is asked for once, however many
 * bundles replace it.
 *
 * One function more is asked for: the kernel has no file that says whether it can trace stacks
 * reliably, but the function that livepatch calls for it exists only then (kernel/stacktrace.c,
 * CONFIG_HAVE_RELIABLE_STACKTRACE; without it klp_enable_patch() only warns that "the livepatch
 * transition may never complete").
 */

#include "daemon/facts-internal.h"
#include "util/file.h"
#include "util/limits.h"

#define RELIABLE_STACKS "stack_trace_save_tsk_reliable"

/* Bundles of one transaction times objects times functions would be a million; a manifest of 256 KiB
 * holds some ten thousand names. */
#define SYMBOLS_MAX 65536U

typedef struct Questions {
        SymbolFacts *facts;
        size_t n, room;
} Questions;

static void questions_done(Questions *q) {
        for (size_t i = 0; i < q->n; i++)
                free((char *) q->facts[i].name);
        free(q->facts);
}

/* The name without its position: the kernel's tables are asked by name. */
static int questions_add(Questions *q, const char *object, const char *function) {
        _cleanup_free_ char *name = strndup(function, strcspn(function, ","));

        if (!name)
                return -ENOMEM;
        if (q->n >= SYMBOLS_MAX)
                return -E2BIG;
        if (q->n == q->room) {
                size_t room = q->room ? q->room * 2 : 64;
                SymbolFacts *grown = reallocarray(q->facts, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                q->facts = grown;
                q->room = room;
        }
        q->facts[q->n++] = (SymbolFacts) { .object = object, .name = TAKE_PTR(name) };
        return 0;
}

static int questions_add_target(Questions *q, const ManifestTarget *t) {
        for (size_t i = 0; i < t->n_objects; i++)
                for (char **f = t->objects[i].functions; f && *f; f++) {
                        int r = questions_add(q, t->objects[i].name, *f);
                        if (r < 0)
                                return r;
                }
        return 0;
}

static int compare(const void *a, const void *b) {
        const SymbolFacts *x = a, *y = b;
        int c = strcmp(x->object, y->object);

        return c ? c : strcmp(x->name, y->name);
}

static void questions_unique(Questions *q) {
        size_t n = 0;

        if (q->n == 0)
                return;
        qsort(q->facts, q->n, sizeof(*q->facts), compare);
        for (size_t i = 1; i < q->n; i++)
                if (compare(&q->facts[n], &q->facts[i]) == 0)
                        free((char *) q->facts[i].name);
                else
                        q->facts[++n] = q->facts[i];
        q->n = n + 1;
}

static int write_answers(const Questions *q, int output_fd) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -errno;
        for (size_t i = 0; i < q->n; i++) {
                const SymbolFacts *s = &q->facts[i];

                fprintf(f, "%s %s %u %d %d %d %d%s%s\n", s->object, s->name, s->matches, s->object_loaded,
                                s->traceable, s->busy, s->livepatched, *s->owner ? " " : "", s->owner);
        }
        if (fclose(f) != 0)
                return -ENOMEM;
        return file_write_all(output_fd, text, size);
}

/**
 * facts_symbols() - look up every function of the targets for this kernel
 * @output_fd: receives the answer, for facts_add_symbols()
 *
 * Reads /proc/kallsyms and tracefs from end to end: call it in a worker. Without functions to look
 * up nothing is read.
 *
 * Return: 0 or a negative errno.
 */
int facts_symbols(const Kernel *k, const Manifest *const *manifests, size_t n_manifests, int output_fd) {
        _cleanup_(kernel_identity_done) KernelIdentity identity = { 0 };
        _cleanup_(questions_done) Questions q = { 0 };
        int r = kernel_identity(k, &identity);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n_manifests; i++) {
                const ManifestTarget *t = manifest_find_target(manifests[i], identity.arch,
                                identity.release, identity.build_id);

                r = t ? questions_add_target(&q, t) : 0;
                if (r < 0)
                        return r;
        }
        if (q.n == 0)
                return 0;
        r = questions_add(&q, "vmlinux", RELIABLE_STACKS);
        if (r < 0)
                return r;
        questions_unique(&q);
        r = symbols_look_up(k, q.facts, q.n);
        return r < 0 ? r : write_answers(&q, output_fd);
}

/* --- reading the answer --- */

static char *next_word(char **line) {
        char *word = strsep(line, " ");

        return word && *word ? word : NULL;
}

static int next_number(char **line, unsigned long max, unsigned long *ret) {
        char *word = next_word(line), *end;
        unsigned long v;

        if (!word || *word < '0' || *word > '9')
                return -EBADMSG;
        errno = 0;
        v = strtoul(word, &end, 10);
        if (errno || *end || v > max)
                return -EBADMSG;
        *ret = v;
        return 0;
}

static int parse_answer(char *line, SymbolFacts *ret) {
        unsigned long v[5];
        char *object = next_word(&line), *name = next_word(&line);

        if (!object || !name)
                return -EBADMSG;
        for (size_t i = 0; i < ELEMENTSOF(v); i++) {
                int r = next_number(&line, i == 0 ? UINT32_MAX : 1, &v[i]);
                if (r < 0)
                        return r;
        }
        if (line && (!*line || strlen(line) >= SYMBOL_OWNER_SIZE))
                return -EBADMSG;
        *ret = (SymbolFacts) {
                .object = object, .name = name, .matches = (unsigned) v[0], .object_loaded = v[1],
                .traceable = v[2], .busy = v[3], .livepatched = v[4],
        };
        strcpy(ret->owner, strempty(line));
        return 0;
}

static size_t count_lines(const char *text) {
        size_t n = 0;

        for (; (text = strchr(text, '\n')); text++)
                n++;
        return n;
}

/** facts_reliable_stacks() - can the kernel trace stacks reliably, as the symbols tell? */
Certainty facts_reliable_stacks(const SymbolFacts *symbols, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (streq(symbols[i].object, "vmlinux") && streq(symbols[i].name, RELIABLE_STACKS))
                        return symbols[i].matches > 0 ? CERTAINLY : CERTAINLY_NOT;
        return UNCERTAIN;
}

/**
 * facts_add_symbols() - take over what facts_symbols() wrote
 * @output: its bytes; copied
 *
 * Return: 0, -EBADMSG when they are not such bytes (then @f is unchanged), or -ENOMEM.
 */
int facts_add_symbols(Facts *f, const void *output, size_t size) {
        _cleanup_free_ char *text = strndup(size ? output : "", size);
        _cleanup_free_ SymbolFacts *symbols = NULL;
        size_t n = 0, lines;
        char *rest = text, *line;

        if (!text)
                return -ENOMEM;
        if (strlen(text) != size || (size > 0 && text[size - 1] != '\n'))
                return -EBADMSG;
        lines = count_lines(text);
        if (lines > SYMBOLS_MAX)
                return -EBADMSG;
        symbols = calloc(lines + 1, sizeof(*symbols));
        if (!symbols)
                return -ENOMEM;
        while (n < lines && (line = strsep(&rest, "\n"))) {
                int r = parse_answer(line, &symbols[n]);
                if (r < 0)
                        return r;
                n++;
        }
        facts_take_symbols(f, TAKE_PTR(text), TAKE_PTR(symbols), n);
        return 0;
}
