/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A list of findings, worst first. Each looks at the snapshot and, if it applies, gives a sentence
 * about safety and a thing to do. The first sentence wins; all things to do are kept. No I/O, so
 * that every screen a person may see is a unit test.
 *
 * It says what hotpatches do for this machine, not that the machine is safe: hotpatchd knows
 * nothing about fixes that nobody gave to it.
 */

#include <inttypes.h>

#include "ctl/summary.h"
#include "ctl/text.h"
#include "util/str.h"
#include "util/strv.h"

const char *level_to_string(Level level) {
        static const char *const names[_LEVEL_MAX] = {
                [LEVEL_OK] = "ok",
                [LEVEL_ATTENTION] = "attention",
                [LEVEL_ALERT] = "alert",
        };

        return names[level];
}

Summary *summary_free(Summary *s) {
        if (!s)
                return NULL;
        free(s->safety);
        free(s->running);
        strv_free(s->todo);
        free(s);
        return NULL;
}

static _printf_(2, 3) int set_safety(Summary *to, const char *format, ...) {
        va_list ap;
        int r;

        if (to->safety)
                return 0;
        va_start(ap, format);
        r = str_vprintf(&to->safety, format, ap);
        va_end(ap);
        return r;
}

static _printf_(2, 3) int add_todo(Summary *to, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = strv_extendv(&to->todo, format, ap);
        va_end(ap);
        return r;
}

static void raise_level(Summary *to, Level level) {
        if (to->level < level)
                to->level = level;
}

static void fall_behind(Summary *to, Level level) {
        raise_level(to, level);
        to->behind = true;
}

typedef bool (*PatchTest)(const PatchInfo *p);

/* Ids of the patches of ours for which @test holds, joined. */
static int ids_of(const Snapshot *s, PatchTest test, const char *between, char **ret, size_t *ret_n) {
        _cleanup_free_ char *text = NULL;
        int r = str_extendf(&text, "%s", "");
        size_t n = 0;

        for (size_t i = 0; r >= 0 && i < s->n_patches; i++) {
                if (s->patches[i].foreign || !test(&s->patches[i]))
                        continue;
                r = str_extendf(&text, "%s%s", n > 0 ? between : "", s->patches[i].id);
                n++;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(text);
        *ret_n = n;
        return 0;
}

static bool is_failed(const PatchInfo *p) {
        return streq(p->state, "failed");
}

static bool is_pinned(const PatchInfo *p) {
        return streq(p->state, "pinned");
}

static bool is_inactive(const PatchInfo *p) {
        return streq(p->state, "inactive") && !p->wanted;
}

static bool is_quarantined(const PatchInfo *p) {
        return p->quarantined && !patch_is_active(p);
}

static bool is_for_other_kernel(const PatchInfo *p) {
        return patch_is_missing(p) && !p->quarantined && streq_ptr(p->restore_result, "other-kernel");
}

static bool is_forbidden(const PatchInfo *p) {
        return patch_is_missing(p) && !p->quarantined && streq_ptr(p->restore_result, "forbidden");
}

/* The kernel had no time for it at the start of the machine. */
static bool is_postponed(const PatchInfo *p) {
        return patch_is_missing(p) && !p->quarantined && streq_ptr(p->restore_result, "postponed");
}

/* Wanted for this kernel, and not in force. */
static bool is_missing(const PatchInfo *p) {
        return patch_is_missing(p) && !p->quarantined && !is_for_other_kernel(p) && !is_forbidden(p) && !is_postponed(p);
}

/* The machine went down with it, and it was staged again. */
static bool is_struck(const PatchInfo *p) {
        return streq(p->state, "staged") && !p->wanted && !p->quarantined && !p->rolled_back &&
                strv_length(p->strikes) > 0;
}

/* Staged, and with a module for the kernel that runs. One that was taken out again is not to be applied. */
static bool is_waiting(const PatchInfo *p) {
        return streq(p->state, "staged") && *p->module && !p->wanted && !p->quarantined &&
                strv_length(p->strikes) == 0 && !p->rolled_back;
}

static int find_tripped(const Snapshot *s, Summary *to) {
        int r;

        for (size_t i = 0; i < s->n_patches; i++) {
                const PatchInfo *p = &s->patches[i];
                _cleanup_free_ char *fixes = NULL;

                if (p->tripped == 0)
                        continue;
                r = strv_join(p->fixes, ", ", &fixes);
                if (r < 0)
                        return r;
                raise_level(to, LEVEL_ALERT);
                r = set_safety(to,
                                "ALERT: somebody tried to exploit what '%s' fixes%s%s%s, %" PRIu64
                                " %s; "
                                "the patch held",
                                p->id, *fixes ? " (" : "", fixes, *fixes ? ")" : "", p->tripped,
                                text_plural(p->tripped, "time", "times"));
                if (r < 0)
                        return r;
                r = add_todo(to, "Find out who: 'hotpatchctl history', 'journalctl -u "
                                 "hotpatchd.service'");
                if (r < 0)
                        return r;
        }
        return 0;
}

static int find_rolled_back(const Snapshot *s, Summary *to) {
        const RollbackList *l = &s->manager.rolled_back;
        int r = 0;

        for (size_t i = 0; i < l->n && r >= 0; i++) {
                fall_behind(to, LEVEL_ALERT);
                r = set_safety(to, "ALERT: '%s' was taken out again, because %s", l->items[i].patch,
                        l->items[i].reason);
                if (r >= 0)
                        r = add_todo(to, "Do not apply '%s' again before its vendor has looked at it", l->items[i].patch);
        }
        return r;
}

static bool is_on_trial(const PatchInfo *p) {
        return p->trial_until_usec > 0;
}

static int find_closed_gates(const Snapshot *s, Summary *to) {
        int r = 0;

        if (!s->manager.supported) {
                fall_behind(to, LEVEL_ALERT);
                r = set_safety(to, "Not protected: this kernel cannot be hotpatched");
                if (r >= 0)
                        r = add_todo(to, "Run a kernel that was built with CONFIG_LIVEPATCH=y");
        }
        if (r >= 0 && *s->manager.disabled) {
                fall_behind(to, LEVEL_ATTENTION);
                r = set_safety(to, "Hotpatching is switched off: %s", s->manager.disabled);
                if (r >= 0)
                        r = add_todo(to, "To switch it on, remove /etc/hotpatch/disable and "
                                         "'hotpatch=off' "
                                         "on the kernel command line");
        }
        /* The first two are among its rows, and are said in words of their own. */
        if (r >= 0 && *s->manager.ineligible && s->manager.supported && !*s->manager.denied) {
                fall_behind(to, LEVEL_ATTENTION);
                r = set_safety(to, "Not eligible for hotpatches: %s; each fix needs a baseline and a restart",
                        s->manager.ineligible);
                if (r >= 0 && *s->manager.ineligible_remedy)
                        r = strv_extend(&to->todo, s->manager.ineligible_remedy);
        }
        if (r >= 0 && *s->manager.denied) {
                fall_behind(to, LEVEL_ATTENTION);
                r = set_safety(to, "Hotpatches are not allowed on this machine: %s; each fix needs a baseline and a restart",
                        s->manager.denied);
                if (r >= 0)
                        r = add_todo(to, "To allow them, set 'Hotpatch=yes' there and run 'hotpatchctl policy reload'");
        }
        return r;
}

/* Patches in a state that wants a person: one row each. */
typedef struct State {
        PatchTest test;
        Level level;
        const char *safety; /* takes the ids */
        const char *todo;   /* takes the ids, as words of a command */
        const char *between;
} State;

static const State states[] = {
        { is_failed, LEVEL_ALERT, "Not in force, because it failed: %s",
          "See why with 'hotpatchctl history', then 'hotpatchctl apply %s'", " " },
        { is_pinned, LEVEL_ALERT, "Switched off, but in memory until the restart: %s",
          "Restart the machine to be rid of %s", ", " },
        { is_missing, LEVEL_ALERT, "Wanted, but not in force: %s",
          "See why with 'hotpatchctl show %1$s', then 'hotpatchctl apply %1$s'", " " },
        { is_postponed, LEVEL_ATTENTION, "Not in force yet, as another transition has not ended: %s",
          "Wait: hotpatchd puts back %s when the transition is over", ", " },
        { is_forbidden, LEVEL_ALERT, "Not restored, because the policy of this machine forbids it: %s",
          "Change 'Forbid' of [Policy] in hotpatchd.conf and apply it again, or 'hotpatchctl remove %s'", " " },
        { is_quarantined, LEVEL_ALERT, "Quarantined, because the machine went down with it twice: %s",
          "See why with 'hotpatchctl show %1$s'; get a corrected bundle, or try it again after 'hotpatchctl release %1$s'", " " },
        { is_struck, LEVEL_ATTENTION, "Not in force, because the machine went down while it was new: %s",
          "See why with 'hotpatchctl show %s' and 'journalctl -b -1 -k -e' before you apply it again", " " },
        { is_for_other_kernel, LEVEL_ATTENTION, "Kept for another kernel, not in force here: %s",
          "Get bundles for this kernel, if it is to stay, in place of %s", ", " },
        { is_inactive, LEVEL_ATTENTION, "Loaded without effect: %s",
          "Be rid of it with 'hotpatchctl remove %1$s', or 'hotpatchctl apply %1$s' again", " " },
        { is_waiting, LEVEL_ATTENTION, "Staged for this kernel, not applied yet: %s",
          "Apply what waits: hotpatchctl apply %s", " " },
};

static int find_state(const Snapshot *s, const State *state, Summary *to) {
        _cleanup_free_ char *ids = NULL;
        size_t n;
        int r;

        /* As it should be, when hotpatching is switched off or not allowed. */
        if (state->test == is_missing && (*s->manager.disabled || *s->manager.denied))
                return 0;
        r = ids_of(s, state->test, state->between, &ids, &n);
        if (r < 0 || n == 0)
                return r;
        fall_behind(to, state->level);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from the table above */
        r = set_safety(to, state->safety, ids);
        return r < 0 ? r : add_todo(to, state->todo, ids);
#pragma GCC diagnostic pop
}

static int find_states(const Snapshot *s, Summary *to) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(states); i++)
                r = find_state(s, &states[i], to);
        return r;
}

/* What hotpatchd found that is not as its records say; things that are only good to know are not for here. */
static int find_findings(const Snapshot *s, Summary *to) {
        const FindingList *l = &s->manager.findings;

        for (size_t i = 0; i < l->n; i++) {
                const FindingInfo *f = &l->items[i];
                bool alert = streq(f->severity, "alert");
                int r;

                if (!alert && !streq(f->severity, "attention"))
                        continue;
                raise_level(to, alert ? LEVEL_ALERT : LEVEL_ATTENTION);
                to->behind = to->behind || alert;
                r = set_safety(to, "%s%s", alert ? "ALERT: " : "", f->sentence);
                if (r >= 0 && *f->remedy && !strv_contains(to->todo, f->remedy))
                        r = strv_extend(&to->todo, f->remedy);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_restart(const Snapshot *s, Summary *to) {
        _cleanup_free_ char *when = NULL;
        int r;

        if (s->manager.restart_usec == 0)
                return add_todo(to, "Restart the machine when it suits");
        r = time_format_local(s->manager.restart_usec, &when);
        return r < 0 ? r : add_todo(to, "Nothing: the machine restarts by itself, planned for %s; see 'hotpatchctl reboot'", when);
}

/* Why the machine has to be restarted, each with its own sentence. */
static int find_reboot(const Snapshot *s, Summary *to) {
        const RebootList *l = &s->manager.reboot;
        int r = 0;

        for (size_t i = 0; i < l->n && r >= 0; i++) {
                bool forced = streq(l->items[i].reason, "forced");

                fall_behind(to, forced ? LEVEL_ALERT : LEVEL_ATTENTION);
                r = set_safety(to, "%s", l->items[i].sentence);
                if (r >= 0 && i == 0)
                        r = add_restart(s, to);
        }
        return r;
}

/* Whom it waits for is what a person can do something about; status has all of them further down. */
static int say_job(const JobInfo *j, Summary *to) {
        _cleanup_strv_free_ char **lines = NULL;
        size_t n;
        int r = blocker_list_lines(&j->blockers, NULL, &lines);

        if (r < 0)
                return r;
        n = strv_length(lines);
        if (n == 0)
                return set_safety(to, "The kernel is being changed right now: job %" PRIu32 ", %s, %.0f %%", j->id,
                        j->state, j->progress * 100);
        return set_safety(to, "The kernel is being changed right now, and job %" PRIu32 " (%s, %.0f %%) waits for %s%s",
                j->id, j->state, j->progress * 100, lines[0], n > 1 ? ", and others" : "");
}

static int find_jobs(const Snapshot *s, Summary *to) {
        for (size_t i = 0; i < s->n_jobs; i++) {
                const JobInfo *j = &s->jobs[i];
                int r;

                if (!job_is_running(j))
                        continue;
                fall_behind(to, LEVEL_ATTENTION);
                r = say_job(j, to);
                if (r < 0)
                        return r;
                if (streq_ptr(j->type, "rollback"))
                        r = add_todo(to, "Wait for job %" PRIu32 ": it takes out what failed its trial", j->id);
                else
                        r = add_todo(to,
                                "Wait for job %" PRIu32 ", or stop it: hotpatchctl cancel %" PRIu32,
                                j->id, j->id);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const char install_baseline[] = "Install the baseline that was due: 'hotpatchctl baseline install'";

/* What to do about the last baseline; NULL: it has not failed. */
static const char *remedy_of_baseline(const ManagerInfo *m) {
        static const struct {
                const char *cause;
                const char *todo;
        } failures[] = {
                { "install-failed", "Remove what was in the way, then 'hotpatchctl baseline install'" },
                { "interrupted", "Complete what was cut off: 'hotpatchctl baseline mend'" },
                { "old-kernel-returned", "See in the boot loader why the old kernel runs; then restart, or 'hotpatchctl baseline "
                                         "install'" },
                { "boot-check-failed", "See why with 'hotpatchctl history', apply the patch again or remove it, then 'hotpatchctl "
                                       "baseline install'" },
                { "crashed-in-trial", "See why with 'journalctl -b -1'; then start the older kernel, or trust this one with "
                                      "'hotpatchctl baseline install'" },
                { "missed", install_baseline },
        };

        for (size_t i = 0; i < ELEMENTSOF(failures); i++)
                if (streq(m->baseline_state, failures[i].cause))
                        return failures[i].todo;
        return NULL;
}

/* Said before why no hotpatch is taken: such a machine has nothing but its baselines. */
static int find_failed_baseline(const Snapshot *s, Summary *to) {
        const ManagerInfo *m = &s->manager;
        const char *todo = remedy_of_baseline(m);
        int r;

        if (!todo)
                return 0;
        fall_behind(to, LEVEL_ALERT);
        r = set_safety(to, "ALERT: %s", *m->baseline_text ? m->baseline_text : "the last baseline failed");
        return r < 0 ? r : add_todo(to, "%s", todo);
}

/* A restart into the next baseline is nearer than that. */
static int find_coverage(const Snapshot *s, Summary *to) {
        /* Then the way out is under way already, and find_reboot() says what is left to do. */
        static char *const installed[] = { (char *) "installed", (char *) "scheduled", (char *) "restarting", (char *) "verifying", NULL };
        const ManagerInfo *m = &s->manager;
        int r;

        if (m->covered_until_usec == 0 || m->covered_until_usec > s->now_usec)
                return 0;
        fall_behind(to, LEVEL_ALERT);
        r = set_safety(to, "ALERT: Hotpatches for this kernel have ended, because a baseline was missed");
        return r < 0 || remedy_of_baseline(m) || strv_contains(installed, m->baseline_state) ? r
                : add_todo(to, "%s", install_baseline);
}

/* Nothing above applied: everything that can be in force is. */
static int say_safe(const Snapshot *s, Summary *to) {
        size_t n_active = 0, n_fixes = 0, n_trial = 0;
        char trial[64] = "";

        for (size_t i = 0; i < s->n_patches; i++)
                if (!s->patches[i].foreign && patch_is_active(&s->patches[i])) {
                        n_active++;
                        n_fixes += strv_length(s->patches[i].fixes);
                        n_trial += is_on_trial(&s->patches[i]);
                }
        if (n_trial > 0)
                (void) snprintf(trial, sizeof(trial), "; %zu on trial", n_trial);
        if (n_active == 0)
                return set_safety(to, "No hotpatch is applied, and none is waiting");
        if (n_active == 1)
                return set_safety(to, "The one known hotpatch is in force, with %zu %s%s", n_fixes,
                        text_plural(n_fixes, "fix", "fixes"), n_trial > 0 ? "; it is on trial" : "");
        return set_safety(to, "All %zu known hotpatches are in force, with %zu %s%s", n_active,
                        n_fixes, text_plural(n_fixes, "fix", "fixes"), trial);
}

static int say_running(const Snapshot *s, Summary *to) {
        _cleanup_free_ char *ids = NULL;
        size_t n;
        int r;

        r = ids_of(s, patch_is_active, ", ", &ids, &n);
        if (r < 0)
                return r;
        if (n > 0)
                return str_printf(&to->running, "Linux %s with %s", s->manager.release, ids);
        return str_printf(&to->running, "Linux %s as it was started", s->manager.release);
}

/**
 * summary_make() - what a person wants to know first
 * @s: the snapshot
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int summary_make(const Snapshot *s, Summary **ret) {
        static int (*const findings[])(const Snapshot *, Summary *) = {
                find_tripped, find_rolled_back, find_failed_baseline, find_closed_gates, find_findings, find_jobs, find_reboot,
                find_coverage, find_states, say_safe, say_running,
        };
        _cleanup_summary_ Summary *to = calloc(1, sizeof(*to));

        if (!to)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(findings); i++) {
                int r = findings[i](s, to);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(to);
        return 0;
}
