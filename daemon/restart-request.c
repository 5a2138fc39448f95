/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What callers ask about the restart: ScheduleReboot, DeferBaseline, CancelReboot.
 *
 * A request is checked against the plan first, then logind is looked at, as somebody else may have scheduled something
 * there; what of the old plan is in logind is taken back; and only when nothing of it is left, the new plan is written
 * down and the caller gets his answer. One at a time.
 */

#include <syslog.h>

#include "baseline/restart.h"
#include "daemon/reboot.h"
#include "daemon/restart-internal.h"
#include "dbus/errors.h"

/* A restart that a person schedules is at most so far away; the baseline's deadline is 90 days at most. */
#define SCHEDULE_MAX_USEC (31 * USEC_PER_DAY)

/** restart_refuse() - answer who waits, if somebody does */
void restart_refuse(Restart *r, int k, const sd_bus_error *error) {
        _cleanup_request_free_ Request *request = TAKE_PTR(r->request);

        if (request)
                (void) sd_bus_reply_method_errno(request->call, k, error);
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
        *ret_usec = restart_state(r)->restart_usec;
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
                restart_refuse(r, k, &error);
                return;
        }
        if (restart_spell(r, told[r->request->verb], usec, &text) >= 0)
                restart_tell(r, LOG_NOTICE, text);
        request = TAKE_PTR(r->request);
        (void) sd_bus_reply_method_return(request->call, "t", usec);
        restart_set_text(r, NULL);
        restart_look(r);
}

/* LogindDone, of a cancellation that a caller waits for */
static void let_go(void *userdata, const sd_bus_error *error) {
        Restart *r = userdata;

        if (sd_bus_error_is_set(error))
                restart_refuse_logind(r, error);
        else
                carry_out_and_answer(r);
}

/** restart_decide_request() - carry out what somebody waits for, if what is scheduled in logind lets us */
void restart_decide_request(Restart *r, const LogindView *view) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool ours = restart_is_ours(r, view);
        int k;

        if (r->request->verb == REQUEST_SCHEDULE_REBOOT && view->scheduled_usec > 0 && !ours) {
                k = sd_bus_error_setf(&error, HOTPATCH_ERROR("RestartConflict"),
                        "Somebody else has scheduled '%s' on this machine", view->scheduled_type);
                restart_refuse(r, k, &error);
                restart_look(r);
                return;
        }
        if (!ours) {
                carry_out_and_answer(r);
                return;
        }
        k = logind_cancel(r->logind, let_go, r);
        if (k < 0)
                restart_refuse(r, k, NULL);
}

/* --- the beginning --- */

static int check_schedule(Restart *r, const Request *request, sd_bus_error *error) {
        uint64_t now = clock_usec(CLOCK_REALTIME), usec = request->usec ?: now + RESTART_NOTICE_USEC;
        size_t reasons = 0;
        int k = reboot_reasons(r->manager, restart_count_reason, &reasons);

        if (k < 0)
                return k;
        if (reasons == 0)
                return sd_bus_error_set(error, HOTPATCH_ERROR("RestartNotRequired"),
                        "Nothing on this machine needs a restart");
        if (usec < now + USEC_PER_MINUTE || usec > now + SCHEDULE_MAX_USEC)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                        "A restart can be scheduled from a minute up to 31 days ahead");
        /* Who is logged in has his notice in any case; the answer names the time that it will be. */
        if (usec < now + RESTART_NOTICE_USEC)
                usec = now + RESTART_NOTICE_USEC;
        r->next_usec = usec;
        return 0;
}

static int check_planned(const Restart *r, sd_bus_error *error) {
        if (restart_state(r)->restart_usec == 0)
                return sd_bus_error_set(error, HOTPATCH_ERROR("NoRestartScheduled"), "No restart is scheduled by hotpatchd");
        return 0;
}

static int check_defer(Restart *r, const Request *request, sd_bus_error *error) {
        CalendarPolicy p = baseline_calendar_policy(r->manager->baseline, NULL);
        RestartBudget budget = restart_budget(r, &p);
        _cleanup_free_ char *why = NULL;
        int k = check_planned(r, error);

        if (k < 0)
                return k;
        if (restart_state(r)->restart_firm)
                return sd_bus_error_set(error, HOTPATCH_ERROR("DeferralDenied"),
                        "An administrator named the time of this restart");
        k = restart_may_defer(&p, &budget, clock_usec(CLOCK_REALTIME), request->usec, &why);
        if (k >= 0 && why)
                return sd_bus_error_set(error, HOTPATCH_ERROR("DeferralDenied"), why);
        r->next_usec = request->usec;
        return k;
}

/* Not before the window after the one that it was planned for. */
static int check_cancel(Restart *r, sd_bus_error *error) {
        uint64_t now = clock_usec(CLOCK_REALTIME), planned = restart_state(r)->restart_usec;
        int k = check_planned(r, error);

        r->next_usec = (planned > now ? planned : now) + r->manager->config->baseline.calendar.window_length_usec;
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
                k = logind_look(r->logind, restart_looked, r);
        if (k < 0)
                return k;
        r->telling = false; /* what was said to logind before comes before the question */
        r->request = TAKE_PTR(*request);
        return 1;
}
