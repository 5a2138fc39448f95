/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is read about tasks that hold a transition up, all of it with text of strangers in it: the text of
 * /proc/PID/cgroup, a line of the kernel log, and the answer of hotpatch-blockers. Names that come out are
 * printable, a unit has the form of one.
 */

#include "daemon/stacks.h"
#include "tests/fuzz/fuzz.h"
#include "util/strv.h"

static void check_printable(const char *s) {
        for (; s && *s; s++)
                if (*s < ' ' || *s > '~')
                        abort();
}

static void try_cgroup(const char *text) {
        _cleanup_free_ char *unit = NULL;

        if (blocker_unit_from_cgroup(text, &unit) < 0)
                return;
        check_printable(unit);
        if (!*unit || strchr(unit, '/') || !strrchr(unit, '.'))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = malloc(size + 1), *debug = NULL;
        Blocker items[] = { { .pid = 7, .tid = 7 }, { .pid = 7, .tid = 300 } };
        Blockers b = { .items = items, .n = 2 };

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        try_cgroup(text);
        if (blockers_take_log(&b, text) < 0)
                abort();
        if (stacks_merge(data, size, &b, &debug) >= 0)
                check_printable(debug);
        for (size_t i = 0; i < b.n; i++) {
                check_printable(items[i].function);
                for (char **frame = items[i].stack; frame && *frame; frame++)
                        check_printable(*frame);
                free(items[i].function);
                strv_free(items[i].stack);
        }
        return 0;
}
