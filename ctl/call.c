/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The methods of the Manager have two shapes, (as, a{sv}) and (h, a{sv}); here they are put
 * together. What may make polkit ask a person waits without limit: sd-bus would give up after 25 s,
 * while somebody looks for the password.
 */

#include <time.h>

#include "ctl/agent.h"
#include "ctl/argument.h"
#include "ctl/call.h"
#include "ctl/json.h"
#include "ctl/progress.h"
#include "dbus/names.h"
#include "util/str.h"

/**
 * call_new() - begin a call of a method of the Manager
 * @ctl: for the connection
 * @method: its name
 * @ret: to be unreferenced
 * @error: why there is no connection
 *
 * Return: 0 or a negative errno.
 */
int call_new(Ctl *ctl, const char *method, sd_bus_message **ret, sd_bus_error *error) {
        sd_bus *bus;
        int r;

        r = ctl_bus(ctl, &bus, error);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(bus, ret, HOTPATCH_BUS_NAME, HOTPATCH_ROOT_PATH,
                HOTPATCH_MANAGER_INTERFACE, method);
        return r < 0 ? r : 0;
}

/* The a{sv} out of what was given on the command line */
static int append_options(const Ctl *ctl, sd_bus_message *m) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && ctl->allow_downgrade)
                r = sd_bus_message_append(m, "{sv}", "allow-downgrade", "b", 1);
        if (r >= 0 && ctl->allow_replace_foreign)
                r = sd_bus_message_append(m, "{sv}", "allow-replace-foreign", "b", 1);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}

/**
 * call_ask() - make a call that may ask for a password
 * @ctl: the options
 * @m: the call
 * @ret: the answer, to be unreferenced
 * @error: the refusal
 *
 * Return: 0 or a negative errno.
 */
int call_ask(Ctl *ctl, sd_bus_message *m, sd_bus_message **ret, sd_bus_error *error) {
        int r;

        agent_open(ctl);
        r = sd_bus_call(ctl->bus, m, UINT64_MAX, error, ret);
        return r < 0 ? r : 0;
}

static int on_answer(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        sd_bus_message **answer = userdata;

        *answer = sd_bus_message_ref(m);
        return 0;
}

/**
 * call_wait() - call_ask() of what may take minutes: says after a second what is waited for, and for how long
 * @what: one sentence without a full stop
 */
int call_wait(Ctl *ctl, sd_bus_message *m, const char *what, sd_bus_message **ret, sd_bus_error *error) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        time_t started = time(NULL);
        Progress progress;
        int r;

        agent_open(ctl);
        progress_init(&progress, ctl);
        /* Somebody may be typing a password on that very line. */
        progress.shown = progress.shown && ctl->agent_pid == 0;
        r = sd_bus_call_async(ctl->bus, &slot, m, on_answer, &answer, UINT64_MAX);
        while (r >= 0 && !answer) {
                r = sd_bus_process(ctl->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(ctl->bus, USEC_PER_SEC);
                if (r == -EINTR)
                        r = 0;
                if (!answer)
                        progress_waiting(&progress, what, (unsigned) (time(NULL) - started));
        }
        progress_clear(&progress);
        progress_done(&progress);
        if (r < 0)
                return r;
        if (sd_bus_message_is_method_error(answer, NULL))
                return sd_bus_error_copy(error, sd_bus_message_get_error(answer));
        *ret = TAKE_PTR(answer);
        return 0;
}

/** call_with_ids() - METHOD(as ids, a{sv} options); otherwise as call_ask() */
int call_with_ids(Ctl *ctl, const char *method, char *const *ids, sd_bus_message **ret,
                sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = call_new(ctl, method, &m, error);
        if (r < 0)
                return r;
        r = sd_bus_message_append_strv(m, (char **) ids);
        if (r < 0)
                return r;
        r = append_options(ctl, m);
        return r < 0 ? r : call_ask(ctl, m, ret, error);
}

/** call_with_file() - METHOD(h bundle, a{sv} options); otherwise as call_ask() */
int call_with_file(Ctl *ctl, const char *method, const char *file, sd_bus_message **ret,
                sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = argument_open(file, &fd, error);
        if (r < 0)
                return r;
        r = call_new(ctl, method, &m, error);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "h", fd);
        if (r < 0)
                return r;
        r = append_options(ctl, m);
        return r < 0 ? r : call_ask(ctl, m, ret, error);
}

/** call_print_job_told() - {"changed", "job"}: what a call of a job's method answers as JSON */
int call_print_job_told(const Ctl *ctl, const char *job, bool changed) {
        _cleanup_value_ Value *answer = value_object();

        if (value_set_bool(answer, "changed", changed) < 0 ||
            value_set_integer(answer, "job", strtoul(job, NULL, 10)) < 0)
                return -ENOMEM;
        return value_print(ctl, answer);
}

/**
 * call_status() - GetStatus(): what is in force
 * @ret: to be freed with value_unref()
 *
 * Return: 0 or a negative errno.
 */
int call_status(Ctl *ctl, Value **ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        const char *text;
        int r;

        r = call_new(ctl, "GetStatus", &m, error);
        if (r >= 0)
                r = call_ask(ctl, m, &reply, error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &text);
        return r < 0 ? r : value_parse(text, ret);
}

static int call_job(Ctl *ctl, const char *job, const char *method, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_free_ char *path = NULL;
        sd_bus *bus;
        int r;

        if (str_printf(&path, HOTPATCH_JOB_PATH "/%s", job) < 0)
                return -ENOMEM;
        r = ctl_bus(ctl, &bus, error);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(bus, &m, HOTPATCH_BUS_NAME, path, HOTPATCH_JOB_INTERFACE, method);
        if (r < 0)
                return r;
        r = call_ask(ctl, m, &reply, error);
        if (r < 0 && sd_bus_error_has_names(error, SD_BUS_ERROR_UNKNOWN_OBJECT, SD_BUS_ERROR_UNKNOWN_METHOD)) {
                sd_bus_error_free(error);
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NoSuchJob"), "There is no such job");
        }
        return r;
}

/**
 * call_tell_job() - call a method of a job that takes and returns nothing
 * @job: its number
 *
 * With --json the answer is printed, too; a refusal in any case.
 *
 * Return: an exit code.
 */
int call_tell_job(Ctl *ctl, const char *job, const char *method) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char subject[16];
        int r;

        r = call_job(ctl, job, method, &error);
        if (r >= 0 && ctl->json)
                r = call_print_job_told(ctl, job, true);
        snprintf(subject, sizeof(subject), "job %s", job);
        return r < 0 ? ctl_fail(ctl, subject, &error, r) : HOTPATCH_EXIT_OK;
}
