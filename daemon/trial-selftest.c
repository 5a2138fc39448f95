/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trials: the patches' own self-tests, and their tripwires. Each module of the patches on trial is asked when a trial
 * begins, at the interval of the site's checks, and once more before it passes; what does not answer as its author
 * has promised is a bad sign, and belongs to that patch.
 *
 * One after the other, each in a child, for it runs the author's code in the kernel. One that does not come back is a
 * sign too; the child cannot be ended then, and the module stays in memory with it.
 *
 * A module without a self-test and tripwires has nothing to ask. One that cannot be asked (no right, out of memory) is no
 * sign, and is written down.
 */

#include "daemon/trial-selftest.h"
#include "daemon/worker.h"
#include "livepatch/selftest.h"
#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"

/* The runtime gives its tripwires 30 s; the rest is the author's. */
#define ANSWER_SEC 60U

struct TrialSelfTests {
        Trials *trials;
        sd_event_source *timeout;
        Worker *worker;
        char **modules; /* to be asked; the first one is being asked while there is a worker */
        bool again;
};

/** trial_self_tests_free() - ask nobody any more. NULL is fine. Returns NULL. */
TrialSelfTests *trial_self_tests_free(TrialSelfTests *s) {
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->timeout);
        worker_free(s->worker);
        strv_free(s->modules);
        free(s);
        return NULL;
}

/** trial_self_tests_running() - is there one that has not answered? NULL is fine. */
bool trial_self_tests_running(const TrialSelfTests *s) {
        return s && (s->worker || s->again);
}

static void warn(const char *module, int r) {
        trials_say_blind(module, "The self-test of module '%s' cannot be run: %s", module, strerror(-r));
}

/* In the child. */
static int ask(void *userdata, int output_fd, _unused_ sd_bus_error *error) {
        const TrialSelfTests *s = userdata;
        _cleanup_free_ char *reason = NULL;
        int r = livepatch_self_test(s->trials->manager->kernel, s->modules[0], &reason);

        if (!reason)
                return r;
        (void) (file_write_all(output_fd, reason, strlen(reason)) < 0);
        return r;
}

static void next(TrialSelfTests *s);

/* The others are asked at the next time. @s may be gone afterwards. */
static void fail(TrialSelfTests *s, const char *module, const char *reason) {
        const Trials *t = s->trials;

        s->modules = strv_free(s->modules);
        for (size_t i = t->n; i-- > 0;) {
                Trial *trial = t->list[i];

                if (!trial->failed && strv_contains(trial->record.modules, module))
                        return trial_fail(trial, reason);
        }
        /* Its trial has ended meanwhile; that of others may have waited for this. */
        next(s);
}

/* The first one has answered. */
static char *take_first(TrialSelfTests *s) {
        char *module = s->modules[0];

        s->worker = worker_free(s->worker);
        s->timeout = sd_event_source_disable_unref(s->timeout);
        for (char **m = s->modules; *m; m++)
                m[0] = m[1];
        return module;
}

static void answered(void *userdata, int r, _unused_ const sd_bus_error *error, const void *output, size_t size) {
        TrialSelfTests *s = userdata;
        _cleanup_free_ char *reason = strndup(size ? output : "", size), *module = take_first(s);

        if (r < 0 && reason && *reason)
                return fail(s, module, reason);
        if (r < 0 && r != -ENODEV)
                warn(module, r);
        next(s);
}

static int on_timeout(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        TrialSelfTests *s = userdata;
        _cleanup_free_ char *module = take_first(s), *reason = NULL;

        (void) (str_printf(&reason, "the self-test of module '%s' did not answer within %u seconds", module,
                        ANSWER_SEC) < 0);
        fail(s, module, reason ?: "a self-test did not answer");
        return 0;
}

static int start(TrialSelfTests *s) {
        sd_event *event = s->trials->manager->event;
        int r;

        r = worker_start(event, "self-test", 0, ask, s, answered, s, &s->worker);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, &s->timeout, CLOCK_MONOTONIC, ANSWER_SEC * USEC_PER_SEC, USEC_PER_SEC,
                on_timeout, s);
        if (r < 0)
                s->worker = worker_free(s->worker);
        return r;
}

static void next(TrialSelfTests *s) {
        Trials *trials = s->trials;

        while (s->modules && s->modules[0]) {
                int r = start(s);

                if (r >= 0)
                        return;
                warn(s->modules[0], r);
                free(take_first(s));
        }
        s->modules = strv_free(s->modules);
        if (s->again) {
                s->again = false;
                return trial_self_tests_run(s);
        }
        trials_settle(trials);
}

static int list_modules(TrialSelfTests *s) {
        for (size_t i = 0; i < s->trials->n; i++) {
                const Trial *trial = s->trials->list[i];

                for (char **m = trial->failed ? NULL : trial->record.modules; m && *m; m++) {
                        int r = strv_extend(&s->modules, *m);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/** trial_self_tests_run() - ask all patches on trial now; if some are being asked, once more then. NULL is fine. */
void trial_self_tests_run(TrialSelfTests *s) {
        if (!s)
                return;
        if (s->worker) {
                s->again = true;
                return;
        }
        /* Those that did not fit into memory are asked at the next time. */
        (void) (list_modules(s) < 0);
        if (s->modules)
                next(s);
}

/**
 * trial_self_tests_new() - be ready to ask the patches on trial
 * @t: the trials
 * @ret: trial_self_tests_free() it
 *
 * Return: 0 or -ENOMEM.
 */
int trial_self_tests_new(Trials *t, TrialSelfTests **ret) {
        TrialSelfTests *s = malloc(sizeof(*s));

        if (!s)
                return -ENOMEM;
        *s = (TrialSelfTests) { .trials = t };
        *ret = s;
        return 0;
}
