/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trials: the site's own checks. Each executable in /etc/hotpatch/checks.d/ runs as
 * hotpatch-check@NAME.service when a trial begins, at intervals, and once more before it passes; one that fails is a
 * bad sign.
 *
 * They run outside this daemon's sandbox, which would make most of them fail: what a site wants to know is whether
 * its own web server answers. So systemd starts them, with a time limit in the unit, and its journal keeps what
 * they say; the end of that lies in /run/hotpatch/checks/ for the reason of the rollback.
 *
 * A check that was not run (not executable, writable by others, no systemd, a condition or a dependency of its unit that
 * does not hold, somebody stopped it) is no sign, and is written down.
 */

#include "daemon/check-name.h"
#include "daemon/trial-checks.h"
#include "util/file.h"
#include "util/str.h"

/* The unit gives up before (TimeoutStartSec=); this is for a systemd that does not. */
#define START_TIMEOUT_USEC (120 * USEC_PER_SEC)

typedef struct Check {
        TrialChecks *checks;
        char *name;
        SystemdCall *call;
} Check;

struct TrialChecks {
        Trials *trials;
        Check running[HOTPATCH_CHECKS_MAX];
        size_t n_running; /* of them not ended yet */
        bool again;
};

static void forget_all(TrialChecks *c) {
        for (size_t i = 0; i < ELEMENTSOF(c->running); i++) {
                systemd_call_free(c->running[i].call);
                free(c->running[i].name);
                c->running[i] = (Check) {};
        }
        c->n_running = 0;
}

/** trial_checks_free() - wait for no check any more; those that run go on. Returns NULL. */
TrialChecks *trial_checks_free(TrialChecks *c) {
        if (!c)
                return NULL;
        forget_all(c);
        free(c);
        return NULL;
}

/** trial_checks_running() - is there one that has not ended? */
bool trial_checks_running(const TrialChecks *c) {
        return c && c->n_running > 0;
}

static void warn(const char *name, const char *why) {
        trials_say_blind(NULL, "The check '%s' was not run: %s", name, why);
}

/* The end of what it said, in one line. Root's own programs wrote it; it is shown to people. */
static char *read_output(const TrialChecks *c, const char *name) {
        _cleanup_free_ char *path = path_join(CHECKS_OUTPUT_DIRECTORY, name);
        _cleanup_free_ void *data = NULL;
        size_t size;
        char *text;

        if (!path || file_read_at(kernel_root_fd(c->trials->manager->kernel), path, HOTPATCH_CHECK_OUTPUT_MAX, &data,
                                  &size) < 0)
                return NULL;
        text = data;
        while (size > 0 && text[size - 1] <= ' ')
                text[--size] = 0;
        for (char *p = text; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = *p == '\n' ? ' ' : '?';
        return *text ? strdup(text) : NULL;
}

static void failed(TrialChecks *c, const char *name, const char *result) {
        _cleanup_free_ char *output = read_output(c, name), *reason = NULL;
        Trial *trial = trials_youngest(c->trials, UINT64_MAX);

        if (!trial)
                return;
        if (output)
                (void) (str_printf(&reason, "the check '%s' failed: %s", name, output) < 0);
        else
                (void) (str_printf(&reason, "the check '%s' failed (%s)", name, result) < 0);
        trial_fail(trial, reason ?: "a check failed");
}

/* The other results of a job of systemd, "skipped", "dependency", "canceled" and so on, say that nothing was looked at:
 * org.freedesktop.systemd1(5), JobRemoved. */
static bool is_sign(const char *result) {
        return streq(result, "failed") || streq(result, "timeout");
}

static void warn_not_run(const char *name, const char *result, const char *why) {
        _cleanup_free_ char *text = NULL;

        if (result)
                (void) (str_printf(&text, "systemd ended its start as '%s'", result) < 0);
        warn(name, text ?: why);
}

static void on_done(void *userdata, int r, const char *answer, const sd_bus_error *error) {
        Check *check = userdata;
        TrialChecks *c = check->checks;
        Trials *trials = c->trials;
        _cleanup_free_ char *name = TAKE_PTR(check->name);

        check->call = systemd_call_free(check->call);
        c->n_running--;
        if (answer && is_sign(answer))
                return failed(c, name, answer); /* c may be gone */
        if (r < 0)
                warn_not_run(name, answer, error && error->message ? error->message : strerror(-r));
        if (c->n_running > 0)
                return;
        if (c->again) {
                c->again = false;
                trial_checks_run(c);
        }
        trials_settle(trials);
}

static void start(TrialChecks *c, const char *name) {
        Check *check = NULL;
        _cleanup_free_ char *unit = NULL;
        int r;

        for (size_t i = 0; !check && i < ELEMENTSOF(c->running); i++)
                if (!c->running[i].name)
                        check = &c->running[i];
        if (!check)
                return warn(name, "there are too many");
        if (str_printf(&unit, "hotpatch-check@%s.service", name) < 0)
                return;
        check->checks = c;
        check->name = strdup(name);
        if (!check->name)
                return;
        r = systemd_start_unit(c->trials->manager->systemd, unit, START_TIMEOUT_USEC, on_done, check, &check->call);
        if (r < 0) {
                free(check->name);
                check->name = NULL;
                return warn(name, strerror(-r));
        }
        c->n_running++;
}

static void consider(TrialChecks *c, int dir_fd, const char *name) {
        struct stat st;

        if (*name == '.')
                return;
        if (!check_name_is_valid(name))
                return warn(name, "its name may have letters, digits, '_', '.' and '-' only");
        if (fstatat(dir_fd, name, &st, 0) < 0)
                return warn(name, strerror(errno));
        if (!S_ISREG(st.st_mode) || !(st.st_mode & S_IXUSR))
                return warn(name, "it is no executable file");
        if (!check_file_is_safe(&st))
                return warn(name, "others than root may write to it");
        start(c, name);
}

static void start_all(TrialChecks *c) {
        _cleanup_closedir_ DIR *dir = NULL;
        const struct dirent *entry;
        struct stat st;

        if (directory_open_at(kernel_root_fd(c->trials->manager->kernel), CHECKS_DIRECTORY, 0, &dir) < 0)
                return; /* the site has none */
        if (fstat(dirfd(dir), &st) < 0 || !check_file_is_safe(&st))
                return warn("*", "others than root may write to /etc/hotpatch/checks.d");
        while ((entry = readdir(dir)))
                consider(c, dirfd(dir), entry->d_name);
}

/** trial_checks_run() - run all checks now; if some still run, once more when they have ended */
void trial_checks_run(TrialChecks *c) {
        /* They name nobody. */
        if (!c || !trials_youngest(c->trials, UINT64_MAX))
                return;
        if (c->n_running > 0) {
                c->again = true;
                return;
        }
        start_all(c);
}

/**
 * trial_checks_new() - be ready to run the checks
 * @t: the trials
 * @ret: trial_checks_free() it
 *
 * Return: 0 or -ENOMEM.
 */
int trial_checks_new(Trials *t, TrialChecks **ret) {
        TrialChecks *c = malloc(sizeof(*c));

        if (!c)
                return -ENOMEM;
        *c = (TrialChecks) { .trials = t };
        *ret = c;
        return 0;
}
