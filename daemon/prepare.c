/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Bundles in, plan out. Each bundle is copied by a worker, which goes through the hostile bytes as far as the signatures;
 * then the signatures of the copy are verified here, because only this process believes them; then one worker, which was
 * forked with that verdict, parses all manifests, hashes all payloads, looks at the modules, and asks the kernel for the
 * symbols that they name, for that takes its time too.
 *
 * The workers run one after the other: two cores of a small machine have other work, and the memory
 * stays that of one bundle. None is started for what another can do: under emulation a fork costs as much as hashing a
 * module.
 */

#include <inttypes.h>

#include "daemon/admit.h"
#include "daemon/eligibility.h"
#include "daemon/facts.h"
#include "daemon/manager.h"
#include "daemon/prepare.h"
#include "daemon/sections.h"
#include "daemon/worker.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/strv.h"

/* A local disk reads the largest bundle in a second; a caller's file may be on something slower. */
#define ADMIT_TIMEOUT_USEC (60 * USEC_PER_SEC)
/* The largest bundle is hashed in a second; /proc/kallsyms and tracefs take some hundred milliseconds, seconds under
 * emulation. */
#define LOOK_TIMEOUT_USEC (120 * USEC_PER_SEC)

struct Preparation {
        PreparationParameters p;
        Config *config; /* as it was when this began */
        PreparedBundle *bundles;
        size_t n_bundles;
        size_t current;
        int source_fd; /* of the current bundle; own only if it comes from the store */
        int own_source_fd;
        Worker *worker;
        Facts *facts;
        Plan *plan;
        const Manifest **manifests; /* of the bundles, for plan and facts */
        const char **digests;
};

static void fail(Preparation *p, int r, const sd_bus_error *error) {
        p->p.done(p->p.userdata, r, error);
}

static int make_plan(Preparation *p) {
        const Config *c = p->config;
        _cleanup_(eligibility_table_done) EligibilityTable table = { 0 };
        _cleanup_free_ char *denied = NULL, *ineligible = NULL;
        PlanOptions options = {
                .allow_downgrade = p->p.request->allow_downgrade,
                .allow_replace_foreign = p->p.request->allow_replace_foreign,
                .policy = { .forbid = c->forbid, .unreadable = c->forbid_unreadable },
        };
        int r;

        r = config_denial(c, &denied);
        if (r >= 0)
                r = eligibility_table(p->p.manager, c, &table);
        if (r >= 0)
                r = eligibility_reason(&table, false, &ineligible);
        options.policy.denied = denied;
        options.policy.ineligible = ineligible;
        return r < 0 ? r : plan_apply(p->manifests, p->digests, p->n_bundles, facts_for_plan(p->facts), &options,
                &p->plan);
}

static int gather_payloads(Preparation *p) {
        _cleanup_free_ const Payload **payloads = calloc(p->n_bundles, sizeof(*payloads));

        if (!payloads)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_bundles; i++)
                payloads[i] = &p->bundles[i].payload;
        return facts_add_payloads(p->facts, p->p.manager->kernel, payloads, p->n_bundles);
}

/* What the worker found out about symbols, or why it could not. */
static int take_symbols(Preparation *p, const char *output, size_t left) {
        _cleanup_free_ char *why = NULL;
        const char *data;
        size_t size;
        int r = section_read(&output, &left, "symbols", &data, &size);

        if (r >= 0)
                r = facts_add_symbols(p->facts, data, size);
        else if (r == -ENOENT) {
                r = section_read(&output, &left, "no-tracing", &data, &size);
                if (r < 0)
                        return -EBADMSG;
                why = strndup(data, size);
                r = why ? facts_set_no_tracing(p->facts, why) : -ENOMEM;
        }
        return r < 0 ? r : left > 0 ? -EBADMSG : 0;
}

static int plan_with(Preparation *p, const char *output, size_t left, sd_bus_error *error) {
        Manager *m = p->p.manager;
        _cleanup_free_ char *disabled = manager_disabled(m);
        int r;

        p->manifests = calloc(p->n_bundles, sizeof(*p->manifests));
        p->digests = calloc(p->n_bundles, sizeof(*p->digests));
        if (!p->manifests || !p->digests)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_bundles; i++) {
                p->manifests[i] = verified_manifest(p->bundles[i].verified);
                p->digests[i] = verified_digest(p->bundles[i].verified);
        }
        r = facts_gather(m->kernel, m->store, p->manifests, p->n_bundles, disabled,
                clock_usec(CLOCK_REALTIME), &p->facts, error);
        if (r < 0)
                return r;
        /* It may stand for a patch that is in force, and that one of these supersedes. */
        if (facts_unreadable(p->facts))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateDamaged"),
                        "The record 'admitted/%s' of a patch cannot be read",
                        facts_unreadable(p->facts));
        r = gather_payloads(p);
        if (r >= 0)
                r = take_symbols(p, output, left);
        return r < 0 ? r : make_plan(p);
}

/* --- the last worker: what is signed --- */

static AdmitRequest request_of(const Preparation *p, const PreparedBundle *b) {
        return (AdmitRequest) {
                .source_fd = p->source_fd,
                .copy_fd = b->copy_fd,
                .root = p->p.manager->root,
                .policy = &p->config->trust,
                .now_usec = b->admitted_usec,
                .kernel = &p->p.manager->identity,
                .load_dir_fd = p->p.load_dir_fd,
                .expected_id = b->id,
        };
}

static int look_at_symbols(const Preparation *p, const Manifest *const *manifests, int output_fd) {
        _cleanup_close_ int fd = section_open();
        const char *name = "symbols";
        int r = fd < 0 ? fd : facts_symbols(p->p.manager->kernel, manifests, p->n_bundles, fd);

        /* For the plan to say. */
        if (fd >= 0 && (r == -ENOENT || r == -EACCES || r == -EPERM)) {
                const char *why = r == -ENOENT ? "it is not mounted" : strerror(-r);

                name = "no-tracing";
                r = file_write_all(fd, why, strlen(why));
        }
        return r < 0 ? r : section_write(output_fd, name, fd);
}

/* In the child: the bundles are those of its own memory, and go with it. */
static int look_worker(void *userdata, int output_fd, sd_bus_error *error) {
        const Preparation *p = userdata;
        _cleanup_free_ const Manifest **manifests = calloc(p->n_bundles, sizeof(*manifests));
        int r = manifests ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < p->n_bundles; i++) {
                PreparedBundle *b = &p->bundles[i];
                AdmitRequest request = request_of(p, b);
                _cleanup_close_ int fd = section_open();

                r = fd < 0 ? fd : admit_look(&request, &b->signed_, fd, &b->verified, error);
                if (r >= 0)
                        r = section_write(output_fd, "payload", fd);
                if (r >= 0)
                        manifests[i] = verified_manifest(b->verified);
        }
        if (r >= 0 && p->p.want_plan)
                r = look_at_symbols(p, manifests, output_fd);
        return r;
}

static int check_unique(const Preparation *p, const PreparedBundle *b, sd_bus_error *error) {
        for (const PreparedBundle *other = p->bundles; other < b; other++)
                if (streq(other->id, b->id))
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                "The id '%s' is given twice", b->id);
        return 0;
}

static int take_bundle(const Preparation *p, PreparedBundle *b, const char **output, size_t *left, sd_bus_error *error) {
        const char *data;
        size_t size;
        int r;

        r = signed_parse(&b->signed_, &b->verified, error);
        if (r >= 0)
                r = section_read(output, left, "payload", &data, &size) < 0 ? -EBADMSG : 0;
        if (r >= 0)
                r = payload_parse(data, size, &b->payload);
        if (r < 0)
                return r;
        if (!b->id) {
                b->id = strdup(verified_manifest(b->verified)->id);
                if (!b->id)
                        return -ENOMEM;
        }
        return check_unique(p, b, error);
}

static void look_done(void *userdata, int r, const sd_bus_error *error, const void *output, size_t left) {
        _cleanup_(sd_bus_error_free) sd_bus_error own = SD_BUS_ERROR_NULL;
        Preparation *p = userdata;
        const char *rest = output;

        p->worker = worker_free(p->worker);
        if (r < 0)
                return fail(p, r, error);
        for (size_t i = 0; r >= 0 && i < p->n_bundles; i++)
                r = take_bundle(p, &p->bundles[i], &rest, &left, &own);
        if (r >= 0 && p->p.phase)
                p->p.phase(p->p.userdata);
        if (r >= 0 && p->p.want_plan)
                r = plan_with(p, rest, left, &own);
        p->p.done(p->p.userdata, r < 0 ? r : 0, r < 0 ? &own : NULL);
}

/* --- the first workers: what nobody vouches for --- */

/* An id wins over the admitted copy by lying in the spool: it may be a newer build of it. */
static int open_by_id(Preparation *p, const char *id, sd_bus_error *error) {
        const Store *s = p->p.manager->store;
        int fd;

        fd = store_spool_open(s, id, error);
        if (fd == -ENOENT || (fd < 0 && sd_bus_error_has_name(error, HOTPATCH_ERROR("NoSuchBundle")))) {
                int admitted = store_admitted_open(s, id);

                if (admitted >= 0) {
                        sd_bus_error_free(error);
                        return admitted;
                }
                if (!sd_bus_error_is_set(error))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("NoSuchBundle"),
                                "No bundle '%s' is staged", id);
        }
        return fd;
}

static int admit_worker(void *userdata, _unused_ int output_fd, sd_bus_error *error) {
        const Preparation *p = userdata;
        AdmitRequest request = request_of(p, &p->bundles[p->current]);

        return admit_begin(&request, error);
}

static int start_admission(Preparation *p, sd_bus_error *error);

/* The verdict on one bundle, and what comes next. */
static int judge(Preparation *p, sd_bus_error *error) {
        PreparedBundle *b = &p->bundles[p->current];
        const Manager *m = p->p.manager;
        int r;

        r = admit_check_signatures(b->copy_fd, m->root, &p->config->trust, b->admitted_usec, &b->signed_, error);
        if (r < 0)
                return r;
        p->own_source_fd = safe_close(p->own_source_fd);
        if (++p->current < p->n_bundles)
                return start_admission(p, error);
        return worker_start(m->event, "look", LOOK_TIMEOUT_USEC, look_worker, p, look_done, p, &p->worker);
}

static void admission_done(void *userdata, int r, const sd_bus_error *error,
                _unused_ const void *output, _unused_ size_t size) {
        _cleanup_(sd_bus_error_free) sd_bus_error own = SD_BUS_ERROR_NULL;
        Preparation *p = userdata;

        p->worker = worker_free(p->worker);
        if (r == -ETIME) {
                r = sd_bus_error_setf(&own, HOTPATCH_ERROR("BundleUnreadable"),
                        "The bundle could not be read within %" PRIu64 " seconds",
                        ADMIT_TIMEOUT_USEC / USEC_PER_SEC);
                return fail(p, r, &own);
        }
        if (r < 0)
                return fail(p, r, error);
        r = judge(p, &own);
        if (r < 0)
                fail(p, r, &own);
}

static int start_admission(Preparation *p, sd_bus_error *error) {
        PreparedBundle *b = &p->bundles[p->current];
        Manager *m = p->p.manager;

        if (b->id) {
                p->own_source_fd = open_by_id(p, b->id, error);
                if (p->own_source_fd < 0)
                        return p->own_source_fd;
                p->source_fd = p->own_source_fd;
        } else
                p->source_fd = p->p.request->fd;
        b->copy_fd = store_tmpfile(m->store, error);
        if (b->copy_fd < 0)
                return b->copy_fd;
        b->admitted_usec = bundle_present(clock_usec(CLOCK_REALTIME));
        return worker_start(m->event, "admit", ADMIT_TIMEOUT_USEC, admit_worker, p,
                admission_done, p, &p->worker);
}

/**
 * preparation_new() - begin to admit the bundles of a request
 * @parameters: copied
 * @ret: preparation_free() it
 * @error: NoSuchBundle, or why the first worker could not start
 *
 * Return: 0 or a negative errno; @done is not called after a failure here.
 */
int preparation_new(const PreparationParameters *parameters, Preparation **ret, sd_bus_error *error) {
        _cleanup_(preparation_freep) Preparation *p = NULL;
        size_t n = parameters->request->ids ? strv_length(parameters->request->ids) : 1;
        int r;

        p = malloc(sizeof(*p));
        if (!p)
                return -ENOMEM;
        *p = (Preparation) {
                .p = *parameters,
                .config = config_ref(parameters->manager->config),
                .source_fd = -EBADF,
                .own_source_fd = -EBADF,
        };
        p->bundles = calloc(n, sizeof(*p->bundles));
        if (!p->bundles)
                return -ENOMEM;
        for (; p->n_bundles < n; p->n_bundles++) {
                PreparedBundle *b = &p->bundles[p->n_bundles];

                b->copy_fd = -EBADF;
                if (parameters->request->ids) {
                        b->id = strdup(parameters->request->ids[p->n_bundles]);
                        if (!b->id)
                                return -ENOMEM;
                }
        }
        r = start_admission(p, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

/** preparation_free() - stop and drop; the private copies vanish; NULL is fine. Returns NULL. */
Preparation *preparation_free(Preparation *p) {
        if (!p)
                return NULL;
        worker_free(p->worker);
        safe_close(p->own_source_fd);
        facts_free(p->facts);
        plan_free(p->plan);
        free(p->manifests);
        free(p->digests);
        for (size_t i = 0; i < p->n_bundles; i++) {
                free(p->bundles[i].id);
                signed_free(p->bundles[i].signed_);
                verified_free(p->bundles[i].verified);
                payload_done(&p->bundles[i].payload);
                safe_close(p->bundles[i].copy_fd);
        }
        free(p->bundles);
        config_unref(p->config);
        free(p);
        return NULL;
}

/** preparation_bundles() - the bundles; only those admitted so far have a Verified. Never NULL. */
PreparedBundle *preparation_bundles(Preparation *p, size_t *ret_n) {
        *ret_n = p->n_bundles;
        return p->bundles;
}

/** preparation_plan() - the plan, owned by the preparation; NULL before it is made */
const Plan *preparation_plan(const Preparation *p) {
        return p->plan;
}
