/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trials: what sends no event and has to be looked at while a trial is on: taint each second, the rest every few seconds.
 *
 * Taint is the kernel's own memory of what happened to it. It backs up the log, which may overflow or
 * be cleared. The bits that loading any module sets do not count (whoever loads a module in that time is not the
 * patch), nor, unless the policy counts every warning, the bit of warnings.
 *
 * Pressure is the share of the last ten seconds in which every task waited for memory or a disk (/proc/pressure,
 * "full"). A trigger that wakes us up needs CAP_SYS_RESOURCE in 6.1, which is not worth having for this. A burst is no
 * sign: the limit must be passed at several looks in a row.
 *
 * Memory that the kernel keeps for itself shows a leak long before there is pressure (kernel-memory.c). Only what came
 * since a trial began counts, so of several trials the one that began before the growth is blamed, and the
 * youngest of these.
 *
 * Neither goes away with the patch that did it. So when a trial fails, for whatever reason, the others begin anew with
 * what there is then: one sign takes out one transaction, and the next one needs a sign of its own.
 */

#include <fcntl.h>
#include <inttypes.h>

#include "daemon/dump.h"
#include "daemon/kernel-memory.h"
#include "daemon/taint.h"
#include "daemon/timer.h"
#include "daemon/trial-internal.h"
#include "util/file.h"
#include "util/str.h"

/* One short line that the kernel makes of a word in memory; whoever waits for the reversal waits a second at most. */
#define LOOK_USEC USEC_PER_SEC
/* Averages over ten seconds, and sums over the whole machine, are no better for being read more often. */
#define LOOKS_PER_MEASUREMENT 5U
/* avg10 forgets in ten seconds; three looks are fifteen. What leaked does not come back in that time either. */
#define LOOKS_IN_A_ROW 3U

#define TAINT_BIT(n) (UINT64_C(1) << (n))
/* include/linux/panic.h: TAINT_WARN */
#define TAINT_WARNING TAINT_BIT(9)

static const char taint_letters[] = "PFSRMBUDAWCIOELKXTNJ";

/** trial_taint() - the taint bits of the kernel; all of them when they cannot be read */
uint64_t trial_taint(const Trials *t) {
        return taint_read(t->manager->kernel);
}

/** trial_taint_allowed() - the bits that are no sign in a trial that begins with these */
uint64_t trial_taint_allowed(const Trials *t, uint64_t before) {
        return taint_allowed(&t->manager->config->trial, before);
}

/** trial_look_at_taint() - the sign that needs no other look to be one; may fail the youngest trial */
void trial_look_at_taint(Trials *t) {
        uint64_t taint = trial_taint(t), fresh;
        char letters[sizeof(taint_letters)], *p = letters;
        _cleanup_free_ char *reason = NULL;
        Trial *trial = trials_youngest(t, UINT64_MAX);

        /* It names nobody. */
        if (!(t->manager->config->trial.signs & TRIAL_SIGN_TAINT) || !trial || taint == UINT64_MAX)
                return;
        fresh = taint & ~trial->record.taint;
        if (fresh == 0)
                return;
        for (size_t i = 0; taint_letters[i]; i++)
                if (fresh & TAINT_BIT(i))
                        *p++ = taint_letters[i];
        *p = 0;
        (void) (str_printf(&reason, "the kernel has marked itself as tainted: %s (new bits %" PRIu64 ")", letters,
                        fresh) < 0);
        trial_fail(trial, reason ?: "the kernel has marked itself as tainted");
}

/* "full avg10=1.23 …": whole percents, 0 when there is no such line. */
static unsigned read_pressure(const Trials *t, const char *path) {
        _cleanup_free_ void *data = NULL;
        const char *line;
        size_t size;

        if (file_read_at(kernel_root_fd(t->manager->kernel), path, 4096, &data, &size) < 0)
                return 0;
        line = strstr(data, "full avg10=");
        return line ? (unsigned) strtoul(line + strlen("full avg10="), NULL, 10) : 0;
}

static void look_at_pressure(Trials *t) {
        const TrialPolicy *policy = &t->manager->config->trial;
        const struct {
                const char *path;
                const char *what;
                unsigned limit;
        } looks[] = {
                { "proc/pressure/memory", "memory", policy->memory_pressure },
                { "proc/pressure/io", "disks", policy->io_pressure },
        };
        _cleanup_free_ char *reason = NULL;
        unsigned found = 0, i;
        Trial *trial;

        for (i = 0; i < ELEMENTSOF(looks); i++) {
                found = looks[i].limit > 0 ? read_pressure(t, looks[i].path) : 0;
                if (found > looks[i].limit)
                        break;
        }
        t->pressed = i < ELEMENTSOF(looks) ? t->pressed + 1 : 0;
        if (t->pressed < LOOKS_IN_A_ROW)
                return;
        t->pressed = 0;
        trial = trials_youngest(t, UINT64_MAX);
        if (!trial)
                return;
        (void) (str_printf(&reason, "all tasks have waited for %s %u percent of the time, more than %u",
                        looks[i].what, found, looks[i].limit) < 0);
        trial_fail(trial, reason ?: "the machine is short of memory");
}

/** trial_kernel_memory() - what the kernel keeps for itself, in KiB; 0 when that cannot be read */
uint64_t trial_kernel_memory(const Trials *t) {
        KernelMemory memory;

        return kernel_memory_read(t->manager->kernel, &memory) < 0 ? 0 : memory.kept;
}

static void fail_for_memory(Trial *trial, uint64_t grown) {
        _cleanup_free_ char *reason = NULL;

        (void) (str_printf(&reason, "the kernel keeps %" PRIu64 " MiB more memory for itself than before, more than "
                        "%u percent of all", grown / 1024, trial->trials->manager->config->trial.kernel_memory) < 0);
        trial_fail(trial, reason ?: "the kernel keeps more and more memory for itself");
}

static void look_at_kernel_memory(Trials *t) {
        unsigned limit = t->manager->config->trial.kernel_memory;
        KernelMemory now;

        if (limit == 0 || kernel_memory_read(t->manager->kernel, &now) < 0)
                return;
        for (size_t i = t->n; i-- > 0;) {
                Trial *trial = t->list[i];
                uint64_t before = trial->record.kernel_memory;

                if (trial->failed || trial_must_be_named(trial))
                        continue;
                if (before == 0) {
                        /* A patch that was put back at the start of the machine, when most drivers were still to come. */
                        trial->record.kernel_memory = now.kept;
                        (void) (store_trial_write(t->manager->store, &trial->record, NULL) < 0);
                        continue;
                }
                if (now.kept <= before || now.kept - before <= now.total / 100 * limit) {
                        trial->grown = 0;
                        continue;
                }
                if (++trial->grown < LOOKS_IN_A_ROW)
                        continue;
                return fail_for_memory(trial, now.kept - before);
        }
}

/**
 * trial_look_consume() - a bad sign was counted: what there is of it now is held against nobody else
 *
 * The kernel sets the bit of a warning behind the last line of its report, so it may be still to come.
 */
void trial_look_consume(Trials *t) {
        uint64_t taint = trial_taint(t), kept = trial_kernel_memory(t);

        for (size_t i = 0; i < t->n; i++) {
                TrialRecord *r = &t->list[i]->record;

                if (!trial_is_running(t->list[i]))
                        continue;
                t->list[i]->grown = 0;
                if (taint != UINT64_MAX)
                        r->taint |= taint | TAINT_WARNING;
                if (kept > r->kernel_memory)
                        r->kernel_memory = kept;
                (void) (store_trial_write(t->manager->store, r, NULL) < 0);
        }
}

/**
 * trial_look_at_dump() - would a kernel that went down now still leave a dump where it is looked for?
 *
 * Patches are put back before most of the machine is there, also before its crash kernel is loaded, which
 * will keep the dump elsewhere. Then that there is none says nothing about a loss of power, see aftermath.c.
 */
void trial_look_at_dump(Trials *t) {
        for (size_t i = 0; i < t->n; i++) {
                TrialRecord *r = &t->list[i]->record;

                if (!trial_is_running(t->list[i]) || !r->dumps || dump_expected(kernel_root_fd(t->manager->kernel)))
                        continue;
                r->dumps = false;
                (void) (store_trial_write(t->manager->store, r, NULL) < 0);
        }
}

static void look(Trials *t) {
        unsigned signs = t->manager->config->trial.signs;

        /* The log, where it has the report, knows better whose it is. */
        if (!trial_log_read(t))
                trial_look_at_taint(t);
        if (++t->looks % LOOKS_PER_MEASUREMENT != 0)
                return;
        trial_look_at_dump(t);
        if (signs & TRIAL_SIGN_PRESSURE)
                look_at_pressure(t);
        if (signs & TRIAL_SIGN_KERNEL_MEMORY)
                look_at_kernel_memory(t);
}

static int on_look(sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        int r = timer_again(source, LOOK_USEC);

        if (r >= 0)
                look(userdata);
        return r;
}

/** trial_look_start() - look every few seconds from now on. Return: 0 or a negative errno. */
int trial_look_start(Trials *t) {
        t->pressed = t->looks = 0;
        return timer_arm(t->manager->event, &t->look, LOOK_USEC, USEC_PER_SEC, on_look, t);
}

/** trial_look_stop() - look no more */
void trial_look_stop(Trials *t) {
        t->look = sd_event_source_disable_unref(t->look);
}
