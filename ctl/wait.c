/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A job may end before the answer to the call that made it is read. So the matches are there first
 * (waiter_new()), then comes the call, then waiter_take_job() reads the job's properties once, and
 * waiter_run() looks at the signals that came meanwhile: an end is never missed.
 *
 * The job belongs to the daemon. Ctrl-C asks the daemon to cancel and undo; a second Ctrl-C, or
 * SIGTERM, only ends the waiting. If the daemon goes away, that is told and not waited out.
 */

#include <inttypes.h>
#include <signal.h>
#include <systemd/sd-event.h>

#include "ctl/agent.h"
#include "ctl/progress.h"
#include "ctl/wait.h"
#include "dbus/names.h"

struct Waiter {
        Ctl *ctl;
        sd_event *event;
        sd_bus_slot *removed_slot, *changed_slot, *owner_slot, *cancel_slot;
        Progress progress;
        JobInfo job;
        sigset_t old_mask;
        bool masked;
        bool cancelling;
        bool vanished;
        bool left;
};

Waiter *waiter_free(Waiter *w) {
        if (!w)
                return NULL;
        progress_clear(&w->progress);
        progress_done(&w->progress);
        sd_bus_slot_unref(w->removed_slot);
        sd_bus_slot_unref(w->changed_slot);
        sd_bus_slot_unref(w->owner_slot);
        sd_bus_slot_unref(w->cancel_slot);
        if (w->ctl->bus && w->event)
                (void) sd_bus_detach_event(w->ctl->bus);
        sd_event_unref(w->event);
        if (w->masked)
                (void) sigprocmask(SIG_SETMASK, &w->old_mask, NULL);
        job_info_done(&w->job);
        free(w);
        return NULL;
}

static int replace(char **field, const char *text) {
        char *copy = strdup(text);

        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

static int on_removed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Waiter *w = userdata;
        const char *path, *result, *name, *message;
        uint32_t id;
        int r;

        r = sd_bus_message_read(m, "uosss", &id, &path, &result, &name, &message);
        if (r < 0 || !w->job.path || !streq(path, w->job.path))
                return 0;
        if (replace(&w->job.result, result) < 0 || replace(&w->job.error_name, name) < 0 ||
                        replace(&w->job.error_message, message) < 0)
                return sd_event_exit(w->event, -ENOMEM);
        return sd_event_exit(w->event, 0);
}

static int on_changed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Waiter *w = userdata;
        const char *interface;
        int r;

        if (!streq_ptr(sd_bus_message_get_path(m), w->job.path))
                return 0;
        r = sd_bus_message_read(m, "s", &interface);
        if (r < 0 || !streq(interface, HOTPATCH_JOB_INTERFACE))
                return 0;
        if (job_read_properties(m, &w->job) >= 0)
                progress_update(&w->progress, &w->job);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Waiter *w = userdata;
        const char *name, *old_owner, *new_owner;

        /* Before there is a job, this may be the daemon's start. */
        if (!w->job.path || sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0 ||
                        !*old_owner)
                return 0;
        w->vanished = true;
        return sd_event_exit(w->event, 0);
}

static int add_matches(Waiter *w) {
        static const char owner_rule[] =
                        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0="
                        "'" HOTPATCH_BUS_NAME "'";
        static const char changed_rule[] =
                        "type='signal',sender='" HOTPATCH_BUS_NAME
                        "',path_namespace='" HOTPATCH_JOB_PATH "',"
                        "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'";
        int r;

        /* Nobody waits for the answers: the bus takes our messages in their order, so it listens for us before it
         * passes the call on. If it refused one the connection would end, sd_bus_add_match(3). */
        r = sd_bus_match_signal_async(w->ctl->bus, &w->removed_slot, HOTPATCH_BUS_NAME,
                        HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE, "JobRemoved", on_removed,
                        NULL, w);
        if (r < 0)
                return r;
        r = sd_bus_add_match_async(w->ctl->bus, &w->changed_slot, changed_rule, on_changed, NULL, w);
        if (r < 0)
                return r;
        r = sd_bus_add_match_async(w->ctl->bus, &w->owner_slot, owner_rule, on_owner, NULL, w);
        return r < 0 ? r : 0;
}

/**
 * waiter_new() - listen, before the call that makes the job
 * @ctl: the options and the connection
 * @ret: to be freed
 * @error: why there is no connection
 *
 * Return: 0 or a negative errno.
 */
int waiter_new(Ctl *ctl, Waiter **ret, sd_bus_error *error) {
        _cleanup_waiter_ Waiter *w = calloc(1, sizeof(*w));
        sd_bus *bus;
        int r;

        if (!w)
                return -ENOMEM;
        w->ctl = ctl;
        progress_init(&w->progress, ctl);
        r = ctl_bus(ctl, &bus, error);
        if (r < 0)
                return r;
        r = add_matches(w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

static int read_job(Waiter *w, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(w->ctl->bus, HOTPATCH_BUS_NAME, w->job.path,
                        "org.freedesktop.DBus.Properties", "GetAll", error, &reply, "s",
                        HOTPATCH_JOB_INTERFACE);
        return r < 0 ? r : job_read_properties(reply, &w->job);
}

/**
 * waiter_take_job() - the call was answered: this is the job
 * @w: the waiter
 * @reply: the answer, (uo)
 * @error: the refusal
 *
 * Return: 0 or a negative errno.
 */
int waiter_take_job(Waiter *w, sd_bus_message *reply, sd_bus_error *error) {
        const char *path;
        int r;

        r = sd_bus_message_read(reply, "uo", &w->job.id, &path);
        if (r < 0)
                return r;
        r = replace(&w->job.path, path);
        return r < 0 ? r : read_job(w, error);
}

/** waiter_job() - the job as far as it is known; borrowed */
const JobInfo *waiter_job(const Waiter *w) {
        return &w->job;
}

static int on_cancelled(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Waiter *w = userdata;

        if (!sd_bus_message_is_method_error(m, NULL))
                return 0;
        progress_clear(&w->progress);
        (void) ctl_fail(&(Ctl) { .colour_stderr = w->ctl->colour_stderr }, "cancel",
                sd_bus_message_get_error(m), 0);
        return 0;
}

static int cancel(Waiter *w) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        /* The terminal sent its SIGINT to the agent, too. */
        agent_close(w->ctl);
        agent_open(w->ctl);
        r = sd_bus_message_new_method_call(w->ctl->bus, &m, HOTPATCH_BUS_NAME, w->job.path,
                HOTPATCH_JOB_INTERFACE, "Cancel");
        if (r < 0)
                return r;
        return sd_bus_call_async(w->ctl->bus, &w->cancel_slot, m, on_cancelled, w, UINT64_MAX);
}

static int on_signal(_unused_ sd_event_source *source, const struct signalfd_siginfo *si,
                void *userdata) {
        Waiter *w = userdata;

        progress_clear(&w->progress);
        if (si->ssi_signo == SIGINT && !w->cancelling && cancel(w) >= 0) {
                w->cancelling = true;
                fprintf(stderr, "Asking hotpatchd to stop job %" PRIu32 " and to undo what it did. "
                        "Press Ctrl-C again to leave without waiting.\n", w->job.id);
                progress_update(&w->progress, &w->job);
                return 0;
        }
        w->left = true;
        return sd_event_exit(w->event, 0);
}

static int catch_signals(Waiter *w) {
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &mask, &w->old_mask) < 0)
                return -errno;
        w->masked = true;
        r = sd_event_add_signal(w->event, NULL, SIGINT, on_signal, w);
        return r < 0 ? r : sd_event_add_signal(w->event, NULL, SIGTERM, on_signal, w);
}

static int loop(Waiter *w) {
        int r;

        r = sd_event_new(&w->event);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(w->ctl->bus, w->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        r = catch_signals(w);
        if (r < 0)
                return r;
        progress_update(&w->progress, &w->job);
        r = sd_event_loop(w->event);
        progress_clear(&w->progress);
        return r;
}

/**
 * waiter_run() - wait until the job has ended
 * @w: the waiter, with its job
 * @error: the job's own error, or why it was not waited for
 *
 * Return: 0 if the job's result is `done`, otherwise a negative errno.
 */
int waiter_run(Waiter *w, sd_bus_error *error) {
        _cleanup_(sd_bus_error_free) sd_bus_error ignored = SD_BUS_ERROR_NULL;
        int r;

        if (job_is_running(&w->job)) {
                r = loop(w);
                if (r < 0)
                        return r;
        }
        if (w->left)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED,
                                "Job %" PRIu32
                                " goes on in hotpatchd, 'hotpatchctl status' shows it",
                                w->job.id);
        if (w->vanished)
                return sd_bus_error_setf(error, SD_BUS_ERROR_DISCONNECTED,
                        "hotpatchd ended before job %" PRIu32 " did", w->job.id);
        if (*w->job.error_name)
                return sd_bus_error_set(error, w->job.error_name, w->job.error_message);
        if (!streq(w->job.result, "done"))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("Cancelled"),
                        "Job %" PRIu32 " ended as '%s'", w->job.id, w->job.result);
        /* The last properties, of ApplyBundle the ids; without them it has ended well all the same.
         */
        (void) read_job(w, &ignored);
        return 0;
}
