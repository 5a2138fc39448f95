/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Questions about bundles: prepared like an Apply, then answered instead of carried out. Stage is
 * one of them, its answer being that the verified copy goes into the spool.
 *
 * Plan is open to everybody, so the number of queries is bounded, and one place is kept for root: a
 * stranger who asks in a loop must not keep the administrator from asking.
 */

#include <syslog.h>

#include "daemon/describe.h"
#include "daemon/facts.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/prepare.h"
#include "daemon/query.h"
#include "daemon/record.h"
#include "dbus/errors.h"
#include "util/limits.h"

struct Query {
        Manager *manager;
        Query *next;
        Request *request;
        Preparation *preparation;
};

/** query_free() - drop a query without an answer; NULL is fine. Returns NULL. */
Query *query_free(Query *q) {
        if (!q)
                return NULL;
        for (Query **p = &q->manager->queries; *p; p = &(*p)->next)
                if (*p == q) {
                        *p = q->next;
                        q->manager->n_queries--;
                        break;
                }
        preparation_free(q->preparation);
        request_free(q->request);
        free(q);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(Query *, query_free);

static void record_staged(const Query *q, const Manifest *manifest, const char *digest) {
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_STAGED,
                .priority = LOG_INFO,
                .patch = manifest->id,
                .digest = digest,
                .caller_uid = q->request->caller_uid,
        }, "Bundle '%s' was staged", manifest->id);
}

static int answer_stage(Query *q, PreparedBundle *b, sd_bus_error *error) {
        int r;

        r = store_spool_commit(q->manager->store, b->copy_fd, b->id, error);
        if (r < 0)
                return r;
        record_staged(q, verified_manifest(b->verified), verified_digest(b->verified));
        return sd_bus_reply_method_return(q->request->call, "s", b->id);
}

static int answer_plan(Query *q, PreparedBundle *bundles, size_t n) {
        char *ids[HOTPATCH_TRANSACTION_MAX + 1] = {};
        _cleanup_free_ char *json = NULL;
        int r;

        for (size_t i = 0; i < n && i < HOTPATCH_TRANSACTION_MAX; i++)
                ids[i] = bundles[i].id;
        r = describe_plan(preparation_plan(q->preparation), "apply", &q->manager->identity, ids, &json);
        return r < 0 ? r : sd_bus_reply_method_return(q->request->call, "s", json);
}

static int answer_verify(Query *q, const PreparedBundle *b) {
        _cleanup_free_ char *json = NULL;
        int r;

        r = describe_bundle(b->verified, &q->manager->identity, &json);
        return r < 0 ? r : sd_bus_reply_method_return(q->request->call, "s", json);
}

static int answer(Query *q, sd_bus_error *error) {
        PreparedBundle *bundles;
        size_t n;

        bundles = preparation_bundles(q->preparation, &n);
        switch (q->request->verb) {
        case REQUEST_STAGE:
                return answer_stage(q, bundles, error);
        case REQUEST_VERIFY_BUNDLE:
                return answer_verify(q, bundles);
        case REQUEST_PLAN_BASELINE:
        case REQUEST_INSTALL_BASELINE:
                return baseline_call_start(q->manager, &q->request, &q->preparation, error);
        default:
                return answer_plan(q, bundles, n);
        }
}

static void prepared(void *userdata, int r, const sd_bus_error *refusal) {
        _cleanup_(query_freep) Query *q = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (r < 0) {
                (void) sd_bus_reply_method_errno(q->request->call, r, refusal);
                return;
        }
        r = answer(q, &error);
        if (r < 0)
                (void) sd_bus_reply_method_errno(q->request->call, r, &error);
}

static int check_limits(const Manager *m, const Request *request, sd_bus_error *error) {
        size_t max = request->privileged ? HOTPATCH_QUERIES_MAX : HOTPATCH_QUERIES_MAX - 1;

        if (m->n_queries >= max)
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                        "%zu bundles are being looked at already", m->n_queries);
        return 0;
}

/* Of a removal only small files are read: it is answered at once. */
static int answer_plan_remove(Manager *m, const Request *request, sd_bus_error *error) {
        _cleanup_(facts_freep) Facts *facts = NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;
        _cleanup_free_ char *json = NULL;
        int r;

        r = facts_gather(m->kernel, m->store, NULL, 0, NULL, clock_usec(CLOCK_REALTIME), &facts, error);
        if (r < 0)
                return r;
        r = plan_remove(request->ids, facts_for_plan(facts), &plan);
        if (r < 0)
                return r;
        r = describe_plan(plan, "remove", &m->identity, request->ids, &json);
        return r < 0 ? r : sd_bus_reply_method_return(request->call, "s", json);
}

/**
 * query_start() - begin to answer a question; the reply is sent later
 * @m: the manager
 * @request: taken over on success
 * @error: LimitsExceeded, NoSuchBundle, …
 *
 * Return: 1, or a negative errno when the caller replies.
 */
int query_start(Manager *m, Request **request, sd_bus_error *error) {
        _cleanup_(query_freep) Query *q = NULL;
        RequestVerb verb = (*request)->verb;
        int r;

        r = check_limits(m, *request, error);
        if (r < 0)
                return r;
        if (verb == REQUEST_PLAN_REMOVE)
                return answer_plan_remove(m, *request, error);
        q = malloc(sizeof(*q));
        if (!q)
                return -ENOMEM;
        *q = (Query) { .manager = m, .next = m->queries, .request = TAKE_PTR(*request) };
        m->queries = q;
        m->n_queries++;
        r = preparation_new(&(PreparationParameters) {
                .manager = m,
                .request = q->request,
                .load_dir_fd = -EBADF,
                .want_plan = verb == REQUEST_PLAN || verb == REQUEST_PLAN_BUNDLE,
                .done = prepared,
                .userdata = q,
        }, &q->preparation, error);
        if (r < 0)
                return r;
        (void) TAKE_PTR(q); /* belongs to the manager's list */
        return 1;
}
