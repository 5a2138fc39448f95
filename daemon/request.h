/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A method call, taken apart and frozen: what is authorised is exactly what is carried out, because
 * both see this object and nobody changes it in between.
 */

#include <systemd/sd-bus.h>

#include "util/base.h"

typedef enum RequestVerb {
        REQUEST_STAGE,
        REQUEST_APPLY,
        REQUEST_APPLY_BUNDLE,
        REQUEST_REMOVE,
        REQUEST_PLAN,
        REQUEST_PLAN_BUNDLE,
        REQUEST_PLAN_REMOVE,
        REQUEST_VERIFY_BUNDLE,
        REQUEST_AUDIT,
        REQUEST_RELEASE,
        REQUEST_RELOAD,
        REQUEST_CANCEL,
        REQUEST_FORCE,
        REQUEST_END_TRIAL,
        REQUEST_PLAN_BASELINE,
        REQUEST_INSTALL_BASELINE,
        REQUEST_SCHEDULE_REBOOT,
        REQUEST_DEFER_BASELINE,
        REQUEST_CANCEL_REBOOT,
        _REQUEST_VERB_MAX,
        _REQUEST_VERB_INVALID = -EINVAL,
} RequestVerb;

/**
 * struct Request - one call
 * @verb: the method
 * @call: the message to reply to
 * @ids: patch ids, in the caller's order; NULL if the method takes none, or the calendar's baseline is meant
 * @fd: own duplicate of the caller's bundle; -EBADF if the method takes none
 * @size: size of the bundle when the call came; for showing, not for trusting
 * @allow_downgrade, @allow_replace_foreign: the options of these names
 * @download, @schedule, @mend: the options of these names
 * @usec: the time that the method takes
 * @n_authorized: how many of its actions somebody has said yes to
 * @job: job number, for Cancel and Force
 * @caller_uid: effective uid of the caller; UINT32_MAX when unknown
 * @privileged: the caller is root
 */
typedef struct Request {
        RequestVerb verb;
        sd_bus_message *call;
        char **ids;
        int fd;
        uint64_t size;
        bool allow_downgrade;
        bool allow_replace_foreign;
        bool download;
        bool schedule;
        bool mend;
        uint64_t usec;
        size_t n_authorized;
        uint32_t job;
        uint32_t caller_uid;
        bool privileged;
} Request;

int request_new(sd_bus_message *call, Request **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
Request *request_free(Request *r);
DEFINE_TRIVIAL_CLEANUP(Request *, request_free);
#define _cleanup_request_free_ _cleanup_(request_freep)

const char *request_action(const Request *r, size_t i) _nonnull_(1);
bool request_is_mutating(const Request *r);
bool request_id_is_valid(const char *id);
