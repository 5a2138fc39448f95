/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tripwires by name: lines "NAME COUNT", as module/ prints them. Names have no blanks and no control
 * characters there; here a line that has is malformed, because they end in messages for people and
 * anybody's module may have such a file.
 */

#include <inttypes.h>

#include "livepatch/tripwires.h"
#include "util/file.h"
#include "util/limits.h"

/** tripwire_counts_done() - free what the other calls gave; empty then */
void tripwire_counts_done(TripwireCounts *c) {
        for (size_t i = 0; i < c->n; i++)
                free(c->items[i].name);
        free(c->items);
        *c = (TripwireCounts) {};
}

/** tripwire_counts_sum() - of all tripwires; does not overflow */
uint64_t tripwire_counts_sum(const TripwireCounts *c) {
        uint64_t sum = 0;

        for (size_t i = 0; i < c->n; i++)
                if (__builtin_add_overflow(sum, c->items[i].n, &sum))
                        return UINT64_MAX;
        return sum;
}

/** tripwire_counts_find() - the count of one; 0 when there is none of that name */
uint64_t tripwire_counts_find(const TripwireCounts *c, const char *name) {
        for (size_t i = 0; i < c->n; i++)
                if (streq(c->items[i].name, name))
                        return c->items[i].n;
        return 0;
}

static bool name_valid(const char *name) {
        if (!*name)
                return false;
        for (const char *p = name; *p; p++)
                if (*p <= ' ' || *p >= 0x7f)
                        return false;
        return true;
}

static int add_line(TripwireCounts *c, char *line) {
        char *count = strchr(line, ' '), *end;
        TripwireCount *grown;
        uint64_t n;

        if (!count || count[1] < '0' || count[1] > '9')
                return -EBADMSG;
        *count++ = 0;
        errno = 0;
        n = strtoumax(count, &end, 10);
        if (errno || *end || !name_valid(line))
                return -EBADMSG;
        grown = reallocarray(c->items, c->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        c->items = grown;
        grown[c->n] = (TripwireCount) { .name = strdup(line), .n = n };
        return grown[c->n++].name ? 0 : -ENOMEM;
}

/**
 * tripwire_counts_parse() - lines "NAME COUNT"
 * @ret: tripwire_counts_done() it; empty for an empty text
 *
 * Return: 0, -EBADMSG or -ENOMEM.
 */
int tripwire_counts_parse(const char *text, TripwireCounts *ret) {
        _cleanup_(tripwire_counts_done) TripwireCounts c = {};
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *line;

        if (!copy)
                return -ENOMEM;
        while ((line = strsep(&rest, "\n"))) {
                int r = *line ? add_line(&c, line) : 0;

                if (r < 0)
                        return r;
        }
        *ret = c;
        c = (TripwireCounts) {};
        return 0;
}

/**
 * livepatch_tripwires() - the tripwires of a loaded patch module
 * @ret: tripwire_counts_done() it
 *
 * Return: 0, -ENOENT when it has none or is not loaded, -EBADMSG for a malformed attribute, or another
 * negative errno.
 */
int livepatch_tripwires(const Kernel *k, const char *module, TripwireCounts *ret) {
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ void *content = NULL;
        int r = kernel_module_path("sys/module", module, "hotpatch/tripwires", &path);

        if (r < 0)
                return r;
        r = file_read_at(kernel_root_fd(k), path, HOTPATCH_TRIPWIRES_MAX, &content, NULL);
        if (r == -ENODEV)
                return -ENOENT; /* unloaded in between */
        return r < 0 ? r : tripwire_counts_parse(content, ret);
}
