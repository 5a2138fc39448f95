/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The restart of the machine as a step of its own. When it comes is in the state of the baseline, on disk; here
 * that time is watched, and for its last minutes handed to logind. baseline/restart.c decides, this file asks
 * logind and does.
 *
 * The schedule in logind is ours when it was handed over and has exactly the time that is in our state: written
 * there before logind is told, so that a daemon that comes after a crash knows it again, and with odd
 * microseconds, so that nobody else schedules the same by chance. Any other is somebody else's and never
 * touched; ScheduleReboot is refused then. One that is gone was called off by somebody, unless logind is another
 * one than was told, or the machine goes down.
 *
 * What callers ask is in restart-request.c.
 */

#include <inttypes.h>
#include <sys/random.h>
#include <syslog.h>

#include "baseline/restart.h"
#include "baseline/runner.h"
#include "daemon/bus.h"
#include "daemon/findings.h"
#include "daemon/logind.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/reboot.h"
#include "daemon/record.h"
#include "daemon/restart-internal.h"
#include "dbus/errors.h"
#include "util/str.h"

/* logind did not answer: somebody may be restarting it. */
#define RETRY_USEC (10 * USEC_PER_MINUTE)

static uint64_t now(void) {
        return clock_usec(CLOCK_REALTIME);
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        restart_look(userdata);
        return 0;
}

static void wake_at(Restart *r, uint64_t usec) {
        r->timer = sd_event_source_disable_unref(r->timer);
        /* CLOCK_REALTIME: it is a time of the day, whatever is done to the clock meanwhile. */
        if (usec > 0)
                (void) sd_event_add_time(r->manager->event, &r->timer, CLOCK_REALTIME, usec, USEC_PER_SEC, on_timer, r);
}

/** restart_set_text() - what holds it up; NULL: nothing */
void restart_set_text(Restart *r, const char *text) {
        if (streq_ptr(text, r->text))
                return;
        free(r->text);
        r->text = text ? strdup(text) : NULL;
        bus_baseline_changed(r->manager);
}

static void set_overdue(Restart *r, bool overdue) {
        if (overdue == r->overdue)
                return;
        r->overdue = overdue;
        findings_look_again(r->manager->findings);
}

/** restart_tell() - write to the journal; who asked is the caller, if one waits */
void restart_tell(const Restart *r, int priority, const char *text) {
        (void) record_write(&(Record) {
                .message_id = HOTPATCH_MESSAGE_RESTART,
                .priority = priority,
                .text = text,
                .caller_uid = r->request ? r->request->caller_uid : UINT32_MAX,
        });
}

/* LogindGoesDown */
static void goes_down(void *userdata, bool start) {
        Restart *r = userdata;

        if (baseline_goes_down(r->manager->baseline, start) < 0)
                restart_set_text(r, "It cannot be written down that the machine restarts");
}

/** restart_new() - with the manager's bus. @ret: restart_free() it. Return: 0 or a negative errno. */
int restart_new(Manager *m, Restart **ret) {
        _cleanup_(restart_freep) Restart *r = calloc(1, sizeof(*r));
        int k;

        if (!r)
                return -ENOMEM;
        r->manager = m;
        k = logind_new(m->bus, goes_down, r, &r->logind);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

/** restart_free() - the schedule stays, in the state and in logind. Returns NULL. */
Restart *restart_free(Restart *r) {
        if (!r)
                return NULL;
        logind_free(r->logind);
        sd_event_source_disable_unref(r->timer);
        request_free(r->request);
        free(r->text);
        free(r);
        return NULL;
}

/** restart_pending() - does the daemon have to stay for it? For one that is far off the daily timer is soon enough. */
bool restart_pending(const Restart *r) {
        const BaselineState *s = r ? restart_state(r) : NULL;

        return r && ((s->restart_usec > 0 && s->restart_usec < now() + BASELINE_NEAR_USEC) ||
                s->phase == BASELINE_VERIFYING || r->request || logind_is_busy(r->logind));
}

/** restart_text() - what holds the restart up; "": nothing */
const char *restart_text(const Restart *r) {
        return strempty(r->text);
}

/** restart_add_findings() - what somebody has to see to. Return: 0 or a negative errno. */
int restart_add_findings(const Restart *r, FindingSet *ret) {
        return r && r->overdue ? finding_set_add(ret, FINDING_RESTART_HELD_UP, NULL, NULL, "%s", restart_text(r)) : 0;
}

static const char *type_of(const Restart *r) {
        return r->manager->config->baseline.reboot_method == REBOOT_METHOD_KEXEC ? "kexec" : "reboot";
}

/** restart_is_ours() - is the schedule in logind the one that was handed over? */
bool restart_is_ours(const Restart *r, const LogindView *view) {
        const BaselineState *s = restart_state(r);

        return s->handed_over && view->scheduled_usec > 0 && view->scheduled_usec == s->restart_usec &&
                (streq(view->scheduled_type, "reboot") || streq(view->scheduled_type, "kexec"));
}

static bool is_theirs(const Restart *r, const LogindView *view) {
        return view->scheduled_usec > 0 && !restart_is_ours(r, view);
}

/** restart_budget() - how much it may be put off by those who may only do that */
RestartBudget restart_budget(const Restart *r, const CalendarPolicy *p) {
        const BaselinePolicy *policy = &r->manager->config->baseline;
        const BaselineState *s = restart_state(r);

        return (RestartBudget) {
                .max_times = policy->deferrals,
                .max_usec = policy->defer_max_usec,
                .times = s->deferrals,
                .first_usec = s->first_restart_usec,
                .restart_usec = s->restart_usec,
                .deadline_usec = baseline_deadline(s, p),
        };
}

/** restart_refuse_logind() - it did not do what it was asked for: say so, and try again. @why: NULL: no answer */
void restart_refuse_logind(Restart *r, const sd_bus_error *why) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int k = sd_bus_error_setf(&error, HOTPATCH_ERROR("LogindUnavailable"), "systemd-logind does not do it: %s",
                        why && why->message ? why->message : "it did not answer");

        restart_set_text(r, error.message);
        restart_refuse(r, k, &error);
        wake_at(r, now() + RETRY_USEC);
}

typedef struct When {
        char text[64];
} When;

static When when_of(uint64_t usec) {
        time_t seconds = (time_t) (usec / USEC_PER_SEC);
        When when = { "" };
        struct tm tm;

        if (localtime_r(&seconds, &tm))
                (void) strftime(when.text, sizeof(when.text), "%Y-%m-%d %H:%M %Z", &tm);
        return when;
}

/** restart_spell() - "@what for baseline NAME: TIME"; @usec: 0: without a time. Return: 0 or -ENOMEM. */
int restart_spell(const Restart *r, const char *what, uint64_t usec, char **ret) {
        When when = when_of(usec);

        return str_printf(ret, "%s%s%s%s%s", what, restart_state(r)->name ? " for baseline " : "",
                strempty(restart_state(r)->name), usec > 0 ? ": " : "", usec > 0 ? when.text : "");
}

/* --- by itself --- */

static int plan_for(Restart *r, uint64_t usec) {
        Baseline *b = r->manager->baseline;
        int k = usec > 0 ? baseline_set_restart(b, usec, restart_state(r)->restart_firm, NULL)
                         : baseline_forget_restart(b);

        if (k < 0)
                restart_set_text(r, "The time of the restart cannot be written down");
        return k;
}

/* LogindDone, of handing it over */
static void handed_over(void *userdata, const sd_bus_error *error) {
        Restart *r = userdata;

        r->telling = false;
        if (sd_bus_error_is_set(error)) {
                restart_refuse_logind(r, error);
                return;
        }
        /* Where that cannot be written, one that is gone is handed over anew: nobody knows that it was called off. */
        (void) (baseline_taken_over(r->manager->baseline) < 0);
        restart_look(r);
}

/* shutdown(8) names whole minutes; who names a time by hand, round ones. */
static int make_odd(uint64_t usec, uint64_t *ret) {
        uint32_t random;

        if (getrandom(&random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        *ret = usec - usec % USEC_PER_SEC + random % (USEC_PER_SEC / 2) * 2 + 1;
        return 0;
}

static void hand_over(Restart *r, const RestartDecision *d) {
        _cleanup_free_ char *wall = NULL;
        uint64_t usec;
        int k = make_odd(d->restart_usec, &usec);

        if (k >= 0)
                k = restart_spell(r, "The machine restarts", usec, &wall);
        if (k >= 0)
                k = baseline_hand_over(r->manager->baseline, usec);
        if (k < 0) {
                restart_set_text(r, "The time of the restart cannot be written down");
                return;
        }
        restart_tell(r, LOG_NOTICE, wall);
        k = logind_schedule(r->logind, type_of(r), usec, wall, handed_over, r);
        r->telling = k >= 0;
        if (k < 0)
                restart_set_text(r, strerror(-k));
}

/* LogindDone, of a restart that something holds up after all */
static void taken_back(void *userdata, const sd_bus_error *error) {
        Restart *r = userdata;

        r->telling = false;
        if (sd_bus_error_is_set(error))
                restart_refuse_logind(r, error);
        else
                (void) (plan_for(r, r->next_usec) < 0);
}

/* Nothing of it stays in logind either. */
static void take_back(Restart *r, uint64_t next_usec, bool ours) {
        int k;

        r->next_usec = next_usec;
        if (!ours) {
                (void) (plan_for(r, next_usec) < 0);
                return;
        }
        k = logind_cancel(r->logind, taken_back, r);
        r->telling = k >= 0;
        if (k < 0)
                restart_set_text(r, "The restart cannot be taken back from systemd-logind");
}

/* Somebody has called it off: as if it had been put off through us. */
static void put_off(Restart *r, const RestartDecision *d) {
        _cleanup_free_ char *text = NULL;

        wake_at(r, now() + RETRY_USEC);
        if (baseline_defer(r->manager->baseline, d->restart_usec, !restart_state(r)->restart_firm, NULL) < 0) {
                restart_set_text(r, "The time of the restart cannot be written down");
                return;
        }
        if (restart_spell(r, "The restart was put off", restart_state(r)->restart_usec, &text) >= 0)
                restart_tell(r, LOG_NOTICE, text);
        /* Between the two plans there was none, and nothing to be said of it. */
        if (restart_state(r)->restart_usec > 0)
                restart_set_text(r, d->text);
}

static void act(Restart *r, const RestartDecision *d, bool ours) {
        if (d->text && !streq_ptr(d->text, r->text))
                restart_tell(r, LOG_NOTICE, d->text);
        /* What held it up stays said until the next time it is tried. */
        if (d->text || d->action != RESTART_WAIT)
                restart_set_text(r, d->text);
        set_overdue(r, d->overdue);
        switch (d->action) {
        case RESTART_HAND_OVER:
                hand_over(r, d);
                break;
        case RESTART_DROP:
                restart_tell(r, LOG_NOTICE,
                        "The restart that was planned is dropped: nothing needs it, or not by this policy");
                wake_at(r, 0);
                take_back(r, 0, ours);
                return; /* which has looked, perhaps, at what is planned instead */
        case RESTART_PUT_OFF:
                put_off(r, d);
                return;
        case RESTART_TAKE_BACK:
        case RESTART_POSTPONE:
                take_back(r, d->restart_usec, ours);
                break;
        default:
                break;
        }
        wake_at(r, d->wake_usec);
}

/** restart_count_reason() - RebootReason that counts, in a size_t */
int restart_count_reason(void *userdata, _unused_ const char *id, _unused_ const char *sentence) {
        ++*(size_t *) userdata;
        return 0;
}

/* Where that is not known it was needed when it was planned; a running job hides what it works at. */
static bool is_needless(const Restart *r) {
        size_t reasons = 0;

        return !manager_running_job(r->manager) && reboot_reasons(r->manager, restart_count_reason, &reasons) >= 0 &&
                reasons == 0;
}

/* Also one that a daemon before this one has started */
static bool is_installing(const Restart *r) {
        _cleanup_(run_result_freep) RunResult *result = NULL;

        return run_settle(kernel_root_fd(r->manager->kernel), &result) > 0;
}

static RestartFacts facts_of(const Restart *r, const LogindView *view, const CalendarPolicy *p) {
        const BaselinePolicy *policy = &r->manager->config->baseline;
        const BaselineState *s = restart_state(r);

        return (RestartFacts) {
                .now_usec = now(),
                .restart_usec = s->restart_usec,
                .firm = s->restart_firm,
                .needless = is_needless(r),
                .disabled = !policy->enabled,
                .installing = is_installing(r),
                .deadline_usec = baseline_deadline(s, p),
                .inhibitor = policy->busy & BASELINE_BUSY_INHIBITORS ? view->inhibitor : NULL,
                .user = policy->busy & BASELINE_BUSY_USERS ? view->user : NULL,
                .battery = (policy->busy & BASELINE_BUSY_BATTERY) && view->battery,
                .ours = restart_is_ours(r, view),
                .called_off = s->handed_over && s->taken_over && view->scheduled_usec == 0 && !view->is_another,
                .theirs_usec = is_theirs(r, view) ? view->scheduled_usec : 0,
        };
}

static void go_on(Restart *r, const LogindView *view) {
        CalendarPolicy p = baseline_calendar_policy(r->manager->baseline, NULL);
        RestartBudget budget = restart_budget(r, &p);
        When planned = when_of(restart_state(r)->restart_usec);
        _cleanup_free_ char *theirs = NULL;
        RestartDecision d;
        RestartFacts f;

        if (restart_state(r)->restart_usec == 0)
                return;
        if (view->scheduled_usec > 0)
                (void) (str_printf(&theirs, "'%s' for %s", view->scheduled_type, when_of(view->scheduled_usec).text) < 0);
        f = facts_of(r, view, &p);
        f.budget = &budget;
        f.theirs = theirs;
        f.planned = planned.text;
        if (restart_decide(&p, &f, &d) < 0)
                return;
        act(r, &d, f.ours);
        free(d.text);
}

/** restart_looked() - LogindLooked: answer who waits, or go on with the plan */
void restart_looked(void *userdata, const LogindView *view, const sd_bus_error *error) {
        Restart *r = userdata;

        if (!view) {
                restart_refuse_logind(r, error);
                return;
        }
        if (r->request) {
                restart_decide_request(r, view);
                return;
        }
        if (view->goes_down) {
                wake_at(r, now() + USEC_PER_MINUTE);
                return;
        }
        /* Somebody has set his own over it: ours comes after it, and nobody can call it off before. */
        if (is_theirs(r, view) && restart_state(r)->handed_over && plan_for(r, restart_state(r)->restart_usec) >= 0)
                return; /* which looks again */
        go_on(r, view);
}

/**
 * restart_look() - the plan may be another, or its time has come
 *
 * Called at the start, when the state has changed, and by the timer.
 */
void restart_look(Restart *r) {
        uint64_t planned = restart_state(r)->restart_usec;

        if (r->request || r->telling)
                return;
        wake_at(r, 0);
        if (planned == 0) {
                restart_set_text(r, NULL);
                set_overdue(r, false);
                return;
        }
        if (logind_look(r->logind, restart_looked, r) < 0)
                wake_at(r, now() + RETRY_USEC);
}
