/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From a D-Bus message to a frozen request.
 *
 * The table says for each method what it takes and which polkit action it needs; the code below
 * only follows the table. Nothing here reads the bundle: the descriptor is duplicated and looked at
 * from outside (access mode, type, size), because the caller is not authorised yet. statx() is asked
 * for cached attributes only, so that a file on a FUSE file system of the caller's cannot hold up
 * the event loop at this point.
 *
 * Deliberately not here: whether the ids exist. That is looked up after the authorisation, when it
 * is acted upon.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "bundle/manifest.h"
#include "daemon/request.h"
#include "dbus/errors.h"
#include "dbus/names.h"
#include "util/limits.h"
#include "util/strv.h"

typedef struct VerbInfo {
        const char *member;
        const char *action;   /* NULL: open to everybody */
        bool takes_ids;
        bool takes_baseline;  /* one id, or none */
        bool takes_bundle;
        bool takes_usec;
        bool takes_options;
        bool takes_consent;   /* the options that allow-… */
        bool mutating;        /* needs the one job slot */
} VerbInfo;

static const VerbInfo verbs[_REQUEST_VERB_MAX] = {
        [REQUEST_STAGE] = { "Stage", HOTPATCH_ACTION_APPLY,
                .takes_bundle = true, .takes_options = true },
        [REQUEST_APPLY] = { "Apply", HOTPATCH_ACTION_APPLY,
                .takes_ids = true, .takes_options = true, .takes_consent = true, .mutating = true },
        [REQUEST_APPLY_BUNDLE] = { "ApplyBundle", HOTPATCH_ACTION_APPLY,
                .takes_bundle = true, .takes_options = true, .takes_consent = true, .mutating = true },
        [REQUEST_REMOVE] = { "Remove", HOTPATCH_ACTION_REMOVE,
                .takes_ids = true, .takes_options = true, .mutating = true },
        [REQUEST_PLAN] = { "Plan", NULL,
                .takes_ids = true, .takes_options = true, .takes_consent = true },
        [REQUEST_PLAN_BUNDLE] = { "PlanBundle", HOTPATCH_ACTION_VERIFY,
                .takes_bundle = true, .takes_options = true, .takes_consent = true },
        [REQUEST_PLAN_REMOVE] = { "PlanRemove", NULL,
                .takes_ids = true, .takes_options = true },
        [REQUEST_VERIFY_BUNDLE] = { "VerifyBundle", HOTPATCH_ACTION_VERIFY,
                .takes_bundle = true, .takes_options = true },
        [REQUEST_AUDIT] = { "Audit", HOTPATCH_ACTION_VERIFY },
        [REQUEST_RELEASE] = { "Release", HOTPATCH_ACTION_MANAGE,
                .takes_ids = true, .takes_options = true },
        [REQUEST_RELOAD] = { "Reload", HOTPATCH_ACTION_MANAGE },
        [REQUEST_CANCEL] = { "Cancel", NULL },
        [REQUEST_FORCE] = { "Force", HOTPATCH_ACTION_FORCE },
        [REQUEST_PLAN_BASELINE] = { "PlanBaseline", HOTPATCH_ACTION_SCHEDULE_BASELINE,
                .takes_baseline = true, .takes_options = true },
        [REQUEST_INSTALL_BASELINE] = { "InstallBaseline", HOTPATCH_ACTION_SCHEDULE_BASELINE,
                .takes_baseline = true, .takes_options = true },
        [REQUEST_SCHEDULE_REBOOT] = { "ScheduleReboot", HOTPATCH_ACTION_SCHEDULE_BASELINE,
                .takes_usec = true, .takes_options = true },
        [REQUEST_DEFER_BASELINE] = { "DeferBaseline", HOTPATCH_ACTION_DEFER_BASELINE,
                .takes_usec = true, .takes_options = true },
        [REQUEST_CANCEL_REBOOT] = { "CancelReboot", HOTPATCH_ACTION_SCHEDULE_BASELINE,
                .takes_options = true },
        [REQUEST_END_TRIAL] = { "EndTrial", HOTPATCH_ACTION_APPLY,
                .takes_ids = true, .takes_options = true },
};

static RequestVerb verb_from_member(const char *member) {
        for (RequestVerb v = 0; v < _REQUEST_VERB_MAX; v++)
                if (streq_ptr(verbs[v].member, member))
                        return v;
        return _REQUEST_VERB_INVALID;
}

/**
 * request_id_is_valid() - can @id name a patch, ours or a foreign one?
 * @id: an id from a caller
 *
 * The id of a foreign patch is its module name, which may have upper-case letters and '_'.
 */
bool request_id_is_valid(const char *id) {
        static const char allowed[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

        return *id && *id != '.' && *id != '-' && strlen(id) <= HOTPATCH_ID_MAX &&
                strspn(id, allowed) == strlen(id);
}

static int read_ids(Request *request, sd_bus_error *error) {
        const char *id;
        int r;

        r = sd_bus_message_enter_container(request->call, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(request->call, "s", &id)) > 0) {
                /* Only a removal may be asked about a foreign patch: it has an answer for it. */
                bool removal = request->verb == REQUEST_REMOVE || request->verb == REQUEST_PLAN_REMOVE;
                bool valid = removal ? request_id_is_valid(id) : manifest_id_is_valid(id);
                if (!valid)
                        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                "A patch id is 1 to 64 characters [a-z0-9._-], the first a letter or digit");
                if (strv_contains(request->ids, id))
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                "The id '%s' is given twice", id);
                if (strv_length(request->ids) >= HOTPATCH_TRANSACTION_MAX)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                "More than %u ids in one call", HOTPATCH_TRANSACTION_MAX);
                r = strv_extend(&request->ids, id);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        if (!request->ids)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "No id is given");
        return sd_bus_message_exit_container(request->call);
}

static int read_baseline(Request *request, sd_bus_error *error) {
        const char *id;
        int r;

        r = sd_bus_message_read(request->call, "s", &id);
        if (r < 0 || !*id)
                return r;
        if (!manifest_id_is_valid(id))
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                        "The id of a bundle is 1 to 64 characters [a-z0-9._-], the first a letter or digit");
        return strv_extend(&request->ids, id);
}

static int check_bundle(Request *request, int fd, sd_bus_error *error) {
        struct statx st;
        int flags;

        flags = fcntl(fd, F_GETFL);
        if (flags < 0)
                return -errno;
        if (flags & O_PATH)
                return sd_bus_error_set(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "The descriptor of the bundle was opened with O_PATH and cannot be read");
        if ((flags & O_ACCMODE) == O_WRONLY)
                return sd_bus_error_set(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "The descriptor of the bundle is open for writing only");
        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_SIZE, &st) < 0)
                return sd_bus_error_set_errnof(error, errno, "the bundle cannot be looked at: %m");
        if (!S_ISREG(st.stx_mode))
                return sd_bus_error_set(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "The bundle is not a regular file");
        if (st.stx_size > HOTPATCH_BUNDLE_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                        "The bundle has %llu bytes, more than %llu",
                        (unsigned long long) st.stx_size, (unsigned long long) HOTPATCH_BUNDLE_MAX);
        request->size = st.stx_size;
        return 0;
}

static int read_bundle(Request *request, sd_bus_error *error) {
        int fd, r;

        r = sd_bus_message_read(request->call, "h", &fd);
        if (r < 0)
                return r;
        r = check_bundle(request, fd, error);
        if (r < 0)
                return r;
        /* The message's descriptor lives only as long as the message. */
        request->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return request->fd < 0 ? -errno : 0;
}

/* What a caller may consent to; each is a risk of its own, with its own polkit action. */
static const struct Consent {
        const char *option;
        size_t offset;
        const char *action;
} consents[] = {
        { "allow-downgrade", offsetof(Request, allow_downgrade), HOTPATCH_ACTION_APPLY_DOWNGRADE },
        { "allow-replace-foreign", offsetof(Request, allow_replace_foreign), HOTPATCH_ACTION_APPLY_REPLACE_FOREIGN },
};

static bool *consent_of(const Request *request, size_t i) {
        return (bool *) ((uint8_t *) request + consents[i].offset);
}

/* Options without a risk of their own. */
static const struct Flag {
        RequestVerb verb;
        const char *option;
        size_t offset;
} plain_options[] = {
        { REQUEST_PLAN_BASELINE, "download", offsetof(Request, download) },
        { REQUEST_PLAN_BASELINE, "schedule", offsetof(Request, schedule) },
        { REQUEST_INSTALL_BASELINE, "mend", offsetof(Request, mend) },
};

static bool *option_of(Request *request, const char *key) {
        for (size_t i = 0; i < ELEMENTSOF(plain_options); i++)
                if (plain_options[i].verb == request->verb && streq(plain_options[i].option, key))
                        return (bool *) ((uint8_t *) request + plain_options[i].offset);
        for (size_t i = 0; verbs[request->verb].takes_consent && i < ELEMENTSOF(consents); i++)
                if (streq(key, consents[i].option))
                        return consent_of(request, i);
        return NULL;
}

static int read_option(Request *request, const char *key, sd_bus_error *error) {
        bool *option = option_of(request, key);
        int value, r;

        if (!option)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Unknown option '%s'", key);
        r = sd_bus_message_read(request->call, "v", "b", &value);
        if (r < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "The option '%s' must be a boolean", key);
        *option = value;
        return 0;
}

static int read_options(Request *request, sd_bus_error *error) {
        const char *key;
        int r;

        r = sd_bus_message_enter_container(request->call, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(request->call, 'e', "sv")) > 0) {
                r = sd_bus_message_read(request->call, "s", &key);
                if (r < 0)
                        return r;
                r = read_option(request, key, error);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(request->call);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(request->call);
}

static int read_caller(Request *request) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        uid_t uid;
        int r;

        /* One question to the bus, which knows it of the connection. Whom we run as, and root, need no further right:
         * what sd_bus_query_sender_privilege(3) says without a capability, with the same question asked again. */
        r = sd_bus_query_sender_creds(request->call, SD_BUS_CREDS_EUID, &creds);
        if (r >= 0)
                r = sd_bus_creds_get_euid(creds, &uid);
        if (r < 0)
                return r;
        request->caller_uid = uid;
        request->privileged = uid == 0 || uid == getuid();
        return 0;
}

/**
 * request_new() - take a method call apart
 * @call: the message; a reference is kept
 * @ret: the frozen request; request_free() it
 * @error: InvalidArgs, BundleUnreadable or BundleTooLarge
 *
 * Return: 0 or a negative errno.
 */
int request_new(sd_bus_message *call, Request **ret, sd_bus_error *error) {
        _cleanup_request_free_ Request *request = NULL;
        const VerbInfo *info;
        int r;

        request = malloc(sizeof(*request));
        if (!request)
                return -ENOMEM;
        *request = (Request) {
                .verb = verb_from_member(sd_bus_message_get_member(call)),
                .call = sd_bus_message_ref(call),
                .fd = -EBADF,
                .caller_uid = UINT32_MAX,
        };
        if (request->verb < 0)
                return -EINVAL;
        info = &verbs[request->verb];
        r = info->takes_ids ? read_ids(request, error) : 0;
        if (r < 0)
                return r;
        r = info->takes_baseline ? read_baseline(request, error) : 0;
        if (r < 0)
                return r;
        r = info->takes_bundle ? read_bundle(request, error) : 0;
        if (r < 0)
                return r;
        r = info->takes_usec ? sd_bus_message_read(call, "t", &request->usec) : 0;
        if (r < 0)
                return r;
        r = info->takes_options ? read_options(request, error) : 0;
        if (r < 0)
                return r;
        r = read_caller(request);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(request);
        return 0;
}

/** request_free() - free a request; NULL is fine. Returns NULL. */
Request *request_free(Request *r) {
        if (!r)
                return NULL;
        sd_bus_message_unref(r->call);
        strv_free(r->ids);
        safe_close(r->fd);
        free(r);
        return NULL;
}

/**
 * request_action() - the polkit actions that this request needs, one after the other
 * @r: a request
 * @i: 0 for the first
 *
 * Each consent stands in for the plain action, which it implies; several consents are several questions.
 *
 * Return: the action, or NULL behind the last one; if everybody may do it there is none. Cancel has
 * none of its own: it needs that of the job's request.
 */
const char *request_action(const Request *r, size_t i) {
        size_t n = 0;

        for (size_t c = 0; c < ELEMENTSOF(consents) && verbs[r->verb].mutating; c++)
                if (*consent_of(r, c) && n++ == i)
                        return consents[c].action;
        return n == 0 && i == 0 ? verbs[r->verb].action : NULL;
}

/** request_is_mutating() - does it start a job that changes the kernel? */
bool request_is_mutating(const Request *r) {
        return verbs[r->verb].mutating;
}
