/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Hooks: ftrace users with FTRACE_OPS_FL_IPMODIFY, which may send a call somewhere else. The kernel
 * allows one for each function. Livepatch is such a user, a kprobe with a post_handler another, and
 * rootkits like it too; where one of them sits no patch can go in (Documentation/trace/ftrace-uses.rst).
 *
 * tracefs shows them in enabled_functions, see symbols.c for its lines. A line with an "I" whose
 * handler is livepatch's own is livepatch. With several users of a function the kernel names no
 * handler; then the folders of livepatch tell whether the function is one of theirs.
 *
 * Nothing tells when such a hook comes or goes, so this is a look at one moment.
 */

#include <fcntl.h>

#include "livepatch/functions.h"
#include "livepatch/hooks.h"
#include "livepatch/lines.h"
#include "livepatch/state.h"
#include "util/limits.h"
#include "util/strv.h"

#define LIVEPATCH_HANDLER "klp_ftrace_handler"

typedef struct Hooks {
        FunctionHook *items;
        size_t n;
        int r;
} Hooks;

/** function_hooks_free() - free what function_hooks_list() gave */
void function_hooks_free(FunctionHook *hooks, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(hooks[i].object);
                free(hooks[i].function);
                free(hooks[i].handler);
        }
        free(hooks);
}

/* "I" among the flags, which end at the first word with a colon; "(N)" comes before them. */
static bool is_ipmodify(const char *rest) {
        for (Word w = word_next(&rest); w.l > 0 && w.s[w.l - 1] != ':'; w = word_next(&rest))
                if (word_is(w, "I"))
                        return true;
        return false;
}

/* The symbol in "(HANDLER+0x0/0x10)" behind "tramp:" or "ops:"; empty when there is none. */
static Word handler_of(const char *rest) {
        const char *p = strstr(rest, "tramp:") ?: strstr(rest, "ops:");
        Word w = { .s = "", .l = 0 };

        p = p ? strchr(p, '(') : NULL;
        if (!p)
                return w;
        w.s = p + 1;
        w.l = strcspn(w.s, "+) \t\n");
        return w;
}

static int hook_add(Hooks *h, Word object, Word function, Word handler) {
        FunctionHook *grown;
        FunctionHook f;

        if (h->n >= HOTPATCH_HOOKS_MAX)
                return 0;
        grown = reallocarray(h->items, h->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        h->items = grown;
        f = (FunctionHook) {
                .object = strndup(object.s, object.l),
                .function = strndup(function.s, function.l),
                .handler = strndup(handler.s, handler.l),
        };
        h->items[h->n++] = f;
        return f.object && f.function && f.handler ? 0 : -ENOMEM;
}

static void hooks_line(void *userdata, const char *line) {
        Hooks *h = userdata;
        Word function = word_next(&line);
        const char *after = line;
        Word object = word_object(word_next(&after));

        if (h->r < 0 || function.l == 0 || strstr(line, LIVEPATCH_HANDLER) || !is_ipmodify(line))
                return;
        h->r = hook_add(h, object, function, handler_of(line));
}

static bool is_function(const char *entry, const char *function) {
        const char *rest = startswith(entry, function);

        return rest && (*rest == 0 || *rest == ',');
}

static bool patch_has(const Kernel *k, const char *patch, const FunctionHook *h) {
        InspectedObject *objects;
        bool found = false;
        size_t n;

        if (livepatch_functions(k, patch, &objects, &n) < 0)
                return false; /* gone meanwhile; then the next look tells */
        for (size_t i = 0; i < n; i++)
                for (char **f = objects[i].functions; f && *f && streq(objects[i].name, h->object); f++)
                        found = found || is_function(*f, h->function);
        inspected_objects_free(objects, n);
        return found;
}

/* What livepatch redirects is livepatch's hook: there is only one. */
static int drop_livepatches(const Kernel *k, Hooks *h) {
        _cleanup_strv_free_ char **patches = NULL;
        size_t n = 0;
        int r;

        if (h->n == 0)
                return 0;
        r = livepatch_list(k, &patches);
        if (r < 0)
                return r;
        for (size_t i = 0; i < h->n; i++) {
                FunctionHook f = h->items[i];
                bool found = false;

                for (char **p = patches; p && *p && !found; p++)
                        found = patch_has(k, *p, &f);
                h->items[i] = (FunctionHook) {};
                if (!found) {
                        h->items[n++] = f;
                        continue;
                }
                free(f.object);
                free(f.function);
                free(f.handler);
        }
        h->n = n;
        return 0;
}

/**
 * function_hooks_list() - functions that somebody other than livepatch redirects now
 * @ret: in the order of the kernel's list; function_hooks_free()
 *
 * Return: 0, -ENOENT when tracefs is not mounted, or another negative errno.
 */
int function_hooks_list(const Kernel *k, FunctionHook **ret, size_t *ret_n) {
        Hooks h = {};
        int r = lines_scan(kernel_root_fd(k), "sys/kernel/tracing/enabled_functions", hooks_line, &h);

        if (r == -ENOENT)
                r = lines_scan(kernel_root_fd(k), "sys/kernel/debug/tracing/enabled_functions", hooks_line, &h);
        if (r >= 0)
                r = h.r;
        if (r >= 0)
                r = drop_livepatches(k, &h);
        if (r < 0) {
                function_hooks_free(h.items, h.n);
                return r;
        }
        *ret = h.items;
        *ret_n = h.n;
        return 0;
}
