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
 * Each request of a caller begins with a look at logind, too, and is answered when it was carried out.
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
#include "daemon/restart.h"
#include "dbus/errors.h"

/* logind did not answer: somebody may be restarting it. */
#define RETRY_USEC (10 * USEC_PER_MINUTE)
/* A restart that a person schedules is at most so far away; the baseline's deadline is 90 days at most. */
#define SCHEDULE_MAX_USEC (31 * USEC_PER_DAY)

/**
 * struct Restart
 * @request: a caller waits for it; NULL: nobody
 * @telling: logind is being told something; a look would come between its two calls
 * @next_usec: what becomes of the plan once logind has let go of it
 * @text: what holds the restart up, or NULL
 * @overdue: beyond the deadline; it is a finding
 */
struct Restart {
        Manager *manager;
        Logind *logind;
        sd_event_source *timer;
        Request *request;
        bool telling;
        uint64_t next_usec;
        char *text;
        bool overdue;
};

static uint64_t now(void) {
        return clock_usec(CLOCK_REALTIME);
}

static const BaselineState *state_of(const Restart *r) {
        return baseline_state(r->manager->baseline);
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

static void set_text(Restart *r, const char *text) {
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

static void tell(const Restart *r, int priority, const char *text) {
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
                set_text(r, "It cannot be written down that the machine restarts");
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
        uint64_t planned = r ? state_of(r)->restart_usec : 0;

        return r && ((planned > 0 && planned < now() + BASELINE_NEAR_USEC) || state_of(r)->phase == BASELINE_VERIFYING ||
                r->request || logind_is_busy(r->logind));
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

static bool is_ours(const Restart *r, const LogindView *view) {
        return state_of(r)->handed_over && view->scheduled_usec > 0 && view->scheduled_usec == state_of(r)->restart_usec &&
                (streq(view->scheduled_type, "reboot") || streq(view->scheduled_type, "kexec"));
}

static bool is_theirs(const Restart *r, const LogindView *view) {
        return view->scheduled_usec > 0 && !is_ours(r, view);
}

static RestartBudget budget_of(const Restart *r, const CalendarPolicy *p) {
        const BaselinePolicy *policy = &r->manager->config->baseline;
        const BaselineState *s = state_of(r);

        return (RestartBudget) {
                .max_times = policy->deferrals,
                .max_usec = policy->defer_max_usec,
                .times = s->deferrals,
                .first_usec = s->first_restart_usec,
                .restart_usec = s->restart_usec,
                .deadline_usec = baseline_deadline(s, p),
        };
}

/* --- answers --- */

static void refuse(Restart *r, int k, const sd_bus_error *error) {
        _cleanup_request_free_ Request *request = TAKE_PTR(r->request);

        if (request)
                (void) sd_bus_reply_method_errno(request->call, k, error);
}

static void refuse_logind(Restart *r, const sd_bus_error *why) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int k = sd_bus_error_setf(&error, HOTPATCH_ERROR("LogindUnavailable"), "systemd-logind does not do it: %s",
                        why && why->message ? why->message : "it did not answer");

        set_text(r, error.message);
        refuse(r, k, &error);
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

static int write_text(const Restart *r, const char *what, uint64_t usec, char **ret) {
        When when = when_of(usec);

        return asprintf(ret, "%s%s%s%s%s", what, state_of(r)->name ? " for baseline " : "", strempty(state_of(r)->name),
                        usec > 0 ? ": " : "", usec > 0 ? when.text : "") < 0 ? -ENOMEM : 0;
}

/* The new plan is durable and nothing of the old one is in logind any more. */
static int carry_out(Restart *r, uint64_t *ret_usec, sd_bus_error *error) {
        Baseline *b = r->manager->baseline;
        int k;

        switch (r->request->verb) {
        case REQUEST_SCHEDULE_REBOOT:
                k = baseline_set_restart(b, r->next_usec, true, error);
                break;
        case REQUEST_DEFER_BASELINE:
                k = baseline_defer(b, r->next_usec, true, error);
                break;
        default:
                k = baseline_defer(b, r->next_usec, false, error);
        }
        *ret_usec = state_of(r)->restart_usec;
        return k;
}

static void carry_out_and_answer(Restart *r) {
        static const char *const told[_REQUEST_VERB_MAX] = {
                [REQUEST_SCHEDULE_REBOOT] = "A restart was scheduled",
                [REQUEST_DEFER_BASELINE] = "The restart was put off",
                [REQUEST_CANCEL_REBOOT] = "The restart was taken back",
        };
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_request_free_ Request *request = NULL;
        _cleanup_free_ char *text = NULL;
        uint64_t usec;
        int k = carry_out(r, &usec, &error);

        if (k < 0) {
                refuse(r, k, &error);
                return;
        }
        if (write_text(r, told[r->request->verb], usec, &text) >= 0)
                tell(r, LOG_NOTICE, text);
        else
                text = NULL;
        request = TAKE_PTR(r->request);
        (void) sd_bus_reply_method_return(request->call, "t", usec);
        set_text(r, NULL);
        restart_look(r);
}

/* LogindDone, of a cancellation that a caller waits for */
static void let_go(void *userdata, const sd_bus_error *error) {
        Restart *r = userdata;

        if (sd_bus_error_is_set(error))
                refuse_logind(r, error);
        else
                carry_out_and_answer(r);
}

static void decide_request(Restart *r, const LogindView *view) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool ours = is_ours(r, view);
        int k;

        if (r->request->verb == REQUEST_SCHEDULE_REBOOT && view->scheduled_usec > 0 && !ours) {
                k = sd_bus_error_setf(&error, HOTPATCH_ERROR("RestartConflict"),
                        "Somebody else has scheduled '%s' on this machine", view->scheduled_type);
                refuse(r, k, &error);
                restart_look(r);
                return;
        }
        if (!ours) {
                carry_out_and_answer(r);
                return;
        }
        k = logind_cancel(r->logind, let_go, r);
        if (k < 0)
                refuse(r, k, NULL);
}

/* --- by itself --- */

static int plan_for(Restart *r, uint64_t usec) {
        Baseline *b = r->manager->baseline;
        int k = usec > 0 ? baseline_set_restart(b, usec, state_of(r)->restart_firm, NULL) : baseline_forget_restart(b);

        if (k < 0)
                set_text(r, "The time of the restart cannot be written down");
        return k;
}

/* LogindDone, of handing it over */
static void handed_over(void *userdata, const sd_bus_error *error) {
        Restart *r = userdata;

        r->telling = false;
        if (sd_bus_error_is_set(error)) {
                refuse_logind(r, error);
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
                k = write_text(r, "The machine restarts", usec, &wall);
        if (k >= 0)
                k = baseline_hand_over(r->manager->baseline, usec);
        if (k < 0) {
                set_text(r, "The time of the restart cannot be written down");
                return;
        }
        tell(r, LOG_NOTICE, wall);
        k = logind_schedule(r->logind, type_of(r), usec, wall, handed_over, r);
        r->telling = k >= 0;
        if (k < 0)
                set_text(r, strerror(-k));
}

/* LogindDone, of a restart that something holds up after all */
static void taken_back(void *userdata, const sd_bus_error *error) {
        Restart *r = userdata;

        r->telling = false;
        if (sd_bus_error_is_set(error))
                refuse_logind(r, error);
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
                set_text(r, "The restart cannot be taken back from systemd-logind");
}

/* Somebody has called it off: as if it had been put off through us. */
static void put_off(Restart *r, const RestartDecision *d) {
        _cleanup_free_ char *text = NULL;

        wake_at(r, now() + RETRY_USEC);
        if (baseline_defer(r->manager->baseline, d->restart_usec, !state_of(r)->restart_firm, NULL) < 0) {
                set_text(r, "The time of the restart cannot be written down");
                return;
        }
        if (write_text(r, "The restart was put off", state_of(r)->restart_usec, &text) >= 0)
                tell(r, LOG_NOTICE, text);
        else
                text = NULL;
        /* Between the two plans there was none, and nothing to be said of it. */
        if (state_of(r)->restart_usec > 0)
                set_text(r, d->text);
}

static void act(Restart *r, const RestartDecision *d, bool ours) {
        if (d->text && !streq_ptr(d->text, r->text))
                tell(r, LOG_NOTICE, d->text);
        /* What held it up stays said until the next time it is tried. */
        if (d->text || d->action != RESTART_WAIT)
                set_text(r, d->text);
        set_overdue(r, d->overdue);
        switch (d->action) {
        case RESTART_HAND_OVER:
                hand_over(r, d);
                break;
        case RESTART_DROP:
                tell(r, LOG_NOTICE, "The restart that was planned is dropped: nothing needs it, or not by this policy");
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

static int count_reason(void *userdata, _unused_ const char *id, _unused_ const char *sentence) {
        ++*(size_t *) userdata;
        return 0;
}

/* Where that is not known it was needed when it was planned; a running job hides what it works at. */
static bool is_needless(const Restart *r) {
        size_t reasons = 0;

        return !manager_running_job(r->manager) && reboot_reasons(r->manager, count_reason, &reasons) >= 0 &&
                reasons == 0;
}

/* Also one that a daemon before this one has started */
static bool is_installing(const Restart *r) {
        _cleanup_(run_result_freep) RunResult *result = NULL;

        return run_settle(kernel_root_fd(r->manager->kernel), &result) > 0;
}

/* LogindLooked */
static void looked(void *userdata, const LogindView *view, const sd_bus_error *error) {
        Restart *r = userdata;
        unsigned busy = r->manager->config->baseline.busy;
        CalendarPolicy p = baseline_calendar_policy(r->manager->baseline, NULL);
        RestartBudget budget = budget_of(r, &p);
        When planned = when_of(state_of(r)->restart_usec);
        _cleanup_free_ char *theirs = NULL;
        RestartDecision d;

        if (!view) {
                refuse_logind(r, error);
                return;
        }
        if (r->request) {
                decide_request(r, view);
                return;
        }
        if (view->goes_down) {
                wake_at(r, now() + USEC_PER_MINUTE);
                return;
        }
        /* Somebody has set his own over it: ours comes after it, and nobody can call it off before. */
        if (is_theirs(r, view) && state_of(r)->handed_over && plan_for(r, state_of(r)->restart_usec) >= 0)
                return; /* which looks again */
        if (view->scheduled_usec > 0 &&
            asprintf(&theirs, "'%s' for %s", view->scheduled_type, when_of(view->scheduled_usec).text) < 0)
                theirs = NULL;
        if (state_of(r)->restart_usec == 0 ||
            restart_decide(&p, &(RestartFacts) {
                    .now_usec = now(),
                    .restart_usec = state_of(r)->restart_usec,
                    .firm = state_of(r)->restart_firm,
                    .needless = is_needless(r),
                    .disabled = !r->manager->config->baseline.enabled,
                    .installing = is_installing(r),
                    .deadline_usec = baseline_deadline(state_of(r), &p),
                    .inhibitor = busy & BASELINE_BUSY_INHIBITORS ? view->inhibitor : NULL,
                    .user = busy & BASELINE_BUSY_USERS ? view->user : NULL,
                    .battery = (busy & BASELINE_BUSY_BATTERY) && view->battery,
                    .ours = is_ours(r, view),
                    .called_off = state_of(r)->handed_over && state_of(r)->taken_over && view->scheduled_usec == 0 && !view->is_another,
                    .budget = &budget,
                    .theirs_usec = is_theirs(r, view) ? view->scheduled_usec : 0,
                    .theirs = theirs,
                    .planned = planned.text,
            }, &d) < 0)
                return;
        act(r, &d, is_ours(r, view));
        free(d.text);
}

/**
 * restart_look() - the plan may be another, or its time has come
 *
 * Called at the start, when the state has changed, and by the timer.
 */
void restart_look(Restart *r) {
        uint64_t planned = state_of(r)->restart_usec;

        if (r->request || r->telling)
                return;
        wake_at(r, 0);
        if (planned == 0) {
                set_text(r, NULL);
                set_overdue(r, false);
                return;
        }
        if (logind_look(r->logind, looked, r) < 0)
                wake_at(r, now() + RETRY_USEC);
}

/* --- what callers ask --- */

static int check_schedule(Restart *r, const Request *request, sd_bus_error *error) {
        uint64_t usec = request->usec ?: now() + RESTART_NOTICE_USEC;
        size_t reasons = 0;
        int k = reboot_reasons(r->manager, count_reason, &reasons);

        if (k < 0)
                return k;
        if (reasons == 0)
                return sd_bus_error_set(error, HOTPATCH_ERROR("RestartNotRequired"),
                        "Nothing on this machine needs a restart");
        if (usec < now() + USEC_PER_MINUTE || usec > now() + SCHEDULE_MAX_USEC)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                        "A restart can be scheduled from a minute up to 31 days ahead");
        /* Who is logged in has his notice in any case; the answer names the time that it will be. */
        if (usec < now() + RESTART_NOTICE_USEC)
                usec = now() + RESTART_NOTICE_USEC;
        r->next_usec = usec;
        return 0;
}

static int check_planned(const Restart *r, sd_bus_error *error) {
        if (state_of(r)->restart_usec == 0)
                return sd_bus_error_set(error, HOTPATCH_ERROR("NoRestartScheduled"), "No restart is scheduled by hotpatchd");
        return 0;
}

static int check_defer(Restart *r, const Request *request, sd_bus_error *error) {
        CalendarPolicy p = baseline_calendar_policy(r->manager->baseline, NULL);
        RestartBudget budget = budget_of(r, &p);
        _cleanup_free_ char *why = NULL;
        int k = check_planned(r, error);

        if (k < 0)
                return k;
        if (state_of(r)->restart_firm)
                return sd_bus_error_set(error, HOTPATCH_ERROR("DeferralDenied"),
                        "An administrator named the time of this restart");
        k = restart_may_defer(&p, &budget, now(), request->usec, &why);
        if (k >= 0 && why)
                return sd_bus_error_set(error, HOTPATCH_ERROR("DeferralDenied"), why);
        r->next_usec = request->usec;
        return k;
}

/* Not before the window after the one that it was planned for. */
static int check_cancel(Restart *r, sd_bus_error *error) {
        const BaselineState *s = state_of(r);
        int k = check_planned(r, error);

        r->next_usec = (s->restart_usec > now() ? s->restart_usec : now()) +
                r->manager->config->baseline.calendar.window_length_usec;
        return k;
}

/**
 * restart_request() - ScheduleReboot, DeferBaseline, CancelReboot; the reply is sent when it is done
 * @request: authorized; taken over on success
 * @error: Busy, RestartNotRequired, NoRestartScheduled, DeferralDenied, InvalidArgs
 *
 * Return: 1, or a negative errno when the caller replies.
 */
int restart_request(Restart *r, Request **request, sd_bus_error *error) {
        int k;

        if (r->request)
                return sd_bus_error_set(error, HOTPATCH_ERROR("Busy"), "Another request about the restart is under way");
        k = (*request)->verb == REQUEST_SCHEDULE_REBOOT  ? check_schedule(r, *request, error)
                : (*request)->verb == REQUEST_DEFER_BASELINE ? check_defer(r, *request, error)
                                                             : check_cancel(r, error);
        if (k >= 0)
                k = logind_look(r->logind, looked, r);
        if (k < 0)
                return k;
        r->telling = false; /* what was said to logind before comes before the question */
        r->request = TAKE_PTR(*request);
        return 1;
}
