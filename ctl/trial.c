/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `apply --wait-trial`: wait until the patches have passed their trial, or were taken out again.
 *
 * A trial may end before anybody asks, so the match for TrialEnded is there before the patches are applied; what
 * it told is kept. Then the patches are looked at once: one that is not on trial and of which nothing was told has
 * no trial, by policy. The trial goes on when hotpatchd is started again, and so does the waiting.
 *
 * Meanwhile a line on a terminal says how long it takes still. Ctrl-C ends the waiting, not the trial.
 */

#include <signal.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "ctl/progress.h"
#include "ctl/text.h"
#include "ctl/trial.h"
#include "dbus/names.h"
#include "util/str.h"
#include "util/strv.h"

struct TrialWaiter {
        Ctl ctl; /* with a connection of its own: the loop that waits for the job ends the other one */
        sd_event *event;
        sd_bus_slot *slot;
        char **ended; /* ids */
        char *result; /* the worst one: not "passed" */
        char *reason;
        char *const *ids;
        uint64_t until_usec; /* of the trial that ends last */
        Progress progress;
        sd_event_source *timer;
};

/** trial_words() - "on trial until 14:02[, for signs that name it]"; empty when it is not on trial; NULL without memory */
char *trial_words(const PatchInfo *p) {
        time_t until = (time_t) (p->trial_until_usec / USEC_PER_SEC), now = time(NULL);
        struct tm tm;
        char clock[64], *words;

        if (p->trial_until_usec == 0 || !localtime_r(&until, &tm))
                return strdup("");
        /* A day when it is not within one. */
        if (strftime(clock, sizeof(clock), until - now < 20 * 3600 ? "%H:%M" : "%Y-%m-%d %H:%M", &tm) == 0)
                return strdup("");
        return str_printf(&words, "on trial until %s%s", clock,
                        streq_ptr(p->trial_kind, "return") ? ", for signs that name it" : "") < 0 ? NULL : words;
}

/** trial_waiter_free() - wait no more. Return: NULL */
TrialWaiter *trial_waiter_free(TrialWaiter *w) {
        if (!w)
                return NULL;
        sd_bus_slot_unref(w->slot);
        sd_event_source_unref(w->timer);
        progress_done(&w->progress);
        sd_bus_flush_close_unref(w->ctl.bus);
        sd_event_unref(w->event);
        strv_free(w->ended);
        free(w->result);
        free(w->reason);
        free(w);
        return NULL;
}

static bool all_ended(const TrialWaiter *w) {
        for (char *const *id = w->ids; id && *id; id++)
                if (!strv_contains(w->ended, *id))
                        return false;
        return true;
}

/* Is one of the patches that are waited for among them? Before the job there are none: all count. */
static bool concerns(const TrialWaiter *w, char *const *ids) {
        for (; ids && *ids; ids++)
                if (!w->ids || strv_contains(w->ids, *ids))
                        return true;
        return false;
}

static int on_ended(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_strv_free_ char **ids = NULL;
        TrialWaiter *w = userdata;
        const char *result, *reason;

        if (sd_bus_message_read_strv(m, &ids) < 0 || sd_bus_message_read(m, "ss", &result, &reason) < 0 ||
            !concerns(w, ids))
                return 0;
        for (char **id = ids; id && *id; id++)
                if (strv_extend(&w->ended, *id) < 0)
                        return -ENOMEM;
        if (!streq(result, "passed") && !w->result) {
                w->result = strdup(result);
                w->reason = strdup(reason);
        }
        return w->event && all_ended(w) ? sd_event_exit(w->event, 0) : 0;
}

/**
 * trial_waiter_new() - listen, before the call that applies the patches
 * @ret: to be freed
 *
 * Return: 0 or a negative errno.
 */
int trial_waiter_new(Ctl *ctl, TrialWaiter **ret, sd_bus_error *error) {
        _cleanup_trial_waiter_ TrialWaiter *w = calloc(1, sizeof(*w));
        sd_bus *bus;
        int r;

        if (!w)
                return -ENOMEM;
        w->ctl = *ctl;
        w->ctl.bus = NULL;
        w->ctl.agent_pid = 0;
        r = ctl_bus(&w->ctl, &bus, error);
        if (r < 0)
                return r;
        r = sd_bus_match_signal(bus, &w->slot, HOTPATCH_BUS_NAME, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE,
                "TrialEnded", on_ended, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

/* Patches of which no end will be told. */
static int look(TrialWaiter *w, sd_bus_error *error) {
        _cleanup_snapshot_ Snapshot *s = NULL;
        int r;

        r = snapshot_read(&w->ctl, &s, error);
        for (char *const *id = w->ids; r >= 0 && *id; id++) {
                bool on_trial = false;

                for (size_t i = 0; i < s->n_patches; i++) {
                        if (!streq(s->patches[i].id, *id) || s->patches[i].trial_until_usec == 0)
                                continue;
                        on_trial = true;
                        if (s->patches[i].trial_until_usec > w->until_usec)
                                w->until_usec = s->patches[i].trial_until_usec;
                }
                /* A rollback ends with its signal. */
                for (size_t i = 0; i < s->n_jobs; i++)
                        on_trial = on_trial || (job_is_running(&s->jobs[i]) &&
                                        streq(s->jobs[i].type, "rollback") && strv_contains(s->jobs[i].patches, *id));
                if (!on_trial && !strv_contains(w->ended, *id))
                        r = strv_extend(&w->ended, *id);
        }
        return r;
}

static int on_signal(sd_event_source *source, _unused_ const struct signalfd_siginfo *si, _unused_ void *userdata) {
        return sd_event_exit(sd_event_source_get_event(source), -EINTR);
}

/* Only a terminal is told again and again. */
static int on_second(sd_event_source *source, uint64_t usec, void *userdata) {
        TrialWaiter *w = userdata;
        uint64_t now = (uint64_t) time(NULL) * USEC_PER_SEC;
        int r;

        if (w->until_usec > now)
                progress_left(&w->progress, "on trial", (w->until_usec - now) / USEC_PER_SEC);
        r = sd_event_source_set_time(source, usec + USEC_PER_SEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int show_progress(TrialWaiter *w) {
        progress_init(&w->progress, &w->ctl);
        if (!w->progress.shown || !w->progress.live)
                return 0;
        return sd_event_add_time_relative(w->event, &w->timer, CLOCK_MONOTONIC, 0, 0, on_second, w);
}

static int loop(TrialWaiter *w) {
        sigset_t mask;
        int r;

        r = sd_event_new(&w->event);
        if (r >= 0)
                r = sd_bus_attach_event(w->ctl.bus, w->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        sigemptyset(&mask);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        r = sd_event_add_signal(w->event, NULL, SIGINT, on_signal, w);
        if (r >= 0)
                r = sd_event_add_signal(w->event, NULL, SIGTERM, on_signal, w);
        if (r >= 0)
                r = show_progress(w);
        if (r >= 0)
                r = sd_event_loop(w->event);
        progress_clear(&w->progress);
        return r;
}

/**
 * trial_waiter_run() - wait until the trial of these patches is over
 * @ids: patches that were applied after trial_waiter_new()
 * @error: TrialFailed with the sign, or why it ended otherwise
 *
 * Return: 0 when it has passed or there is none, otherwise a negative errno.
 */
int trial_waiter_run(TrialWaiter *w, char *const *ids, sd_bus_error *error) {
        int r;

        w->ids = ids;
        r = look(w, error);
        if (r >= 0 && !all_ended(w))
                r = loop(w);
        if (r == -EINTR)
                return sd_bus_error_set(error, SD_BUS_ERROR_FAILED,
                        "The trial goes on in hotpatchd, 'hotpatchctl status' shows it");
        if (r < 0 || !w->result)
                return r;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("TrialFailed"), "The trial has %s: %s",
                streq(w->result, "failed") ? "failed, the patch is out again" : "ended", strempty(w->reason));
}
