/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The audit. A worker compares kernel, records, every byte of the store, and the journal; what it finds
 * joins the other findings of this daemon, and callers of Audit() get the whole report as JSON.
 *
 * The same worker runs in the background: some time after the daemon's start, after each job, and when
 * module files on disk were updated. Nothing waits for it. What it found stays until the next run,
 * because nobody reads a store again for each question.
 *
 * Audit() wants the polkit action `verify`: what it answers is harmless, most of it is on the bus
 * anyway, but it makes root read and hash the whole store. Calls that come while a worker runs wait
 * for the next one, all together: each answer is from after its question. They wait for a running job as well:
 * until it has ended, kernel and records disagree on purpose.
 */

#include <ctype.h>
#include <inttypes.h>

#include "daemon/audit-report.h"
#include "daemon/audit.h"
#include "daemon/describe.h"
#include "daemon/manager.h"
#include "daemon/rundir.h"
#include "daemon/timer.h"
#include "daemon/worker.h"
#include "util/file.h"
#include "util/limits.h"

/* A start for one question, as of a status line, should not cost a look at the store at once. */
#define BACKGROUND_DELAY_USEC (2 * USEC_PER_SEC)
/* Some GiB from a slow disk. */
#define TIMEOUT_USEC (10 * 60 * USEC_PER_SEC)
#define AUDITED_FILE "audited"

struct Audit {
        Manager *manager;
        Worker *worker;
        sd_event_source *timer;
        FindingSet findings;                  /* of the last run, those of store, targets and journal */
        Request *asked[HOTPATCH_QUERIES_MAX]; /* answered by the worker that runs */
        size_t n_asked;
        Request *waiting[HOTPATCH_QUERIES_MAX];
        size_t n_waiting;
        bool again; /* something changed while the worker ran */
        uint64_t audited_usec; /* CLOCK_REALTIME, the last run that ended well; 0: none in this boot */
        int run_fd;
};

/* --- when --- */

/* The daemon comes and goes: run/hotpatch/audited remembers it for this boot. Losing it costs a look at the store. */
static void audited_read(Audit *a) {
        _cleanup_free_ char *line = NULL;
        char *end;

        if (file_read_line_at(a->run_fd, AUDITED_FILE, &line) < 0 || !isdigit((unsigned char) *line))
                return;
        errno = 0;
        a->audited_usec = strtoull(line, &end, 10);
        if (errno != 0 || *end != '\0' || a->audited_usec > clock_usec(CLOCK_REALTIME))
                a->audited_usec = 0;
}

static void audited_now(Audit *a) {
        char text[24];

        a->audited_usec = clock_usec(CLOCK_REALTIME);
        snprintf(text, sizeof(text), "%" PRIu64 "\n", a->audited_usec);
        (void) (file_replace_at(a->run_fd, AUDITED_FILE, text, strlen(text), 0600) < 0);
}

/** audit_bus_get() - property AuditedUSec */
int audit_bus_get(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        const Manager *m = userdata;

        return sd_bus_message_append(reply, "t", m->audit->audited_usec);
}

/* --- in the child --- */

/* The size of the findings, the findings, then the JSON. */
static int write_output(const FindingSet *deep, const char *json, int output_fd) {
        _cleanup_free_ void *text = NULL;
        size_t size;
        uint64_t n;
        int r = finding_set_write(deep, &text, &size);

        if (r < 0)
                return r;
        n = size;
        r = file_write_all(output_fd, &n, sizeof(n));
        if (r >= 0)
                r = file_write_all(output_fd, text, size);
        return r < 0 ? r : file_write_all(output_fd, json, strlen(json));
}

static int audit_run(void *userdata, int output_fd, _unused_ sd_bus_error *error) {
        const Audit *a = userdata;
        const Manager *m = a->manager;
        _cleanup_(audit_report_done) AuditReport report = {};
        _cleanup_(finding_set_done) FindingSet all = {};
        _cleanup_free_ char *json = NULL;
        const AuditQuestion q = {
                .kernel = m->kernel,
                .identity = &m->identity,
                .store = m->store,
                .root = m->root,
                .trust = &m->config->trust,
                .now_usec = clock_usec(CLOCK_REALTIME),
        };
        int r;

        r = audit_kernel(&q, &report);
        if (r >= 0)
                r = audit_store(&q, &report);
        if (r >= 0)
                r = audit_journal(&q, &report);
        if (r >= 0)
                r = findings_collect(m->findings, &report.findings, &all);
        if (r >= 0)
                r = describe_audit(&report, &all, &m->identity, &json);
        return r < 0 ? r : write_output(&report.findings, json, output_fd);
}

/* --- in the parent --- */

static void answer_all(Audit *a, int r, const sd_bus_error *error, const char *json) {
        for (size_t i = 0; i < a->n_asked; i++) {
                if (r < 0)
                        (void) sd_bus_reply_method_errno(a->asked[i]->call, r, error);
                else
                        (void) sd_bus_reply_method_return(a->asked[i]->call, "s", json);
                request_free(a->asked[i]);
        }
        a->n_asked = 0;
}

static int take_output(Audit *a, const void *output, size_t size, char **ret_json) {
        _cleanup_(finding_set_done) FindingSet findings = {};
        FindingSet old = a->findings;
        const char *p = output;
        uint64_t n;
        int r;

        if (size < sizeof(n))
                return -EBADMSG;
        memcpy(&n, p, sizeof(n));
        if (n > size - sizeof(n))
                return -EBADMSG;
        r = finding_set_read(&findings, p + sizeof(n), n);
        if (r < 0)
                return r;
        *ret_json = strndup(p + sizeof(n) + n, size - sizeof(n) - n);
        if (!*ret_json)
                return -ENOMEM;
        a->findings = findings;
        findings = old;
        return 0;
}

static int run(Audit *a);

static void on_done(void *userdata, int r, const sd_bus_error *error, const void *output, size_t size) {
        _cleanup_free_ char *json = NULL;
        Audit *a = userdata;

        a->worker = worker_free(a->worker);
        if (r >= 0)
                r = take_output(a, output, size, &json);
        if (r >= 0) {
                audited_now(a);
                findings_look_again(a->manager->findings);
        }
        answer_all(a, r, error, json);
        a->manager->activity_usec = clock_usec(CLOCK_MONOTONIC);
        if (a->n_waiting > 0 && !manager_running_job(a->manager))
                r = run(a);
        if (a->again)
                audit_later(a);
}

/* Those who waited are asked for now. */
static int run(Audit *a) {
        int r;

        memcpy(a->asked, a->waiting, sizeof(a->asked));
        a->n_asked = a->n_waiting;
        a->n_waiting = 0;
        a->again = false;
        r = worker_start(a->manager->event, "audit", TIMEOUT_USEC, audit_run, a, on_done, a, &a->worker);
        if (r < 0)
                answer_all(a, r, NULL, NULL);
        return r;
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Audit *a = userdata;

        if (a->worker || manager_running_job(a->manager))
                a->again = true;
        else
                (void) (run(a) < 0); /* the next reason comes */
        return 0;
}

/**
 * audit_later() - look in the background, soon; asking twice is looking once
 */
void audit_later(Audit *a) {
        if (a->worker) {
                a->again = true;
                return;
        }
        (void) (timer_arm(a->manager->event, &a->timer, BACKGROUND_DELAY_USEC, USEC_PER_SEC, on_timer, a) < 0);
}

/**
 * audit_start() - answer a call of Audit()
 * @request: authorised; taken over on success
 * @error: LimitsExceeded
 *
 * Return: 1, or a negative errno when the caller replies.
 */
int audit_start(Audit *a, Request **request, sd_bus_error *error) {
        size_t max = (*request)->privileged ? HOTPATCH_QUERIES_MAX : HOTPATCH_QUERIES_MAX - 1;

        if (a->n_waiting >= max)
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "%zu audits are waited for already",
                        a->n_waiting);
        a->waiting[a->n_waiting++] = TAKE_PTR(*request);
        if (a->worker || manager_running_job(a->manager))
                return 1; /* on_done() or the end of the job goes on */
        (void) (run(a) < 0); /* then it has replied */
        return 1;
}

/** audit_pending() - is something under way? Then the daemon stays. */
bool audit_pending(const Audit *a) {
        int enabled = SD_EVENT_OFF;

        if (a->timer)
                (void) (sd_event_source_get_enabled(a->timer, &enabled) < 0);
        return a->worker || a->n_waiting > 0 || enabled != SD_EVENT_OFF;
}

/** audit_findings() - what the last run found in store, targets and journal */
const FindingSet *audit_findings(const Audit *a) {
        return &a->findings;
}

/**
 * audit_new() - nothing was looked at yet
 * @ret: audit_free() it
 *
 * Return: 0 or -ENOMEM.
 */
int audit_new(Manager *m, Audit **ret) {
        Audit *a = malloc(sizeof(*a));

        if (!a)
                return -ENOMEM;
        *a = (Audit) { .manager = m, .run_fd = rundir_open(kernel_root_fd(m->kernel)) };
        audited_read(a);
        *ret = a;
        return 0;
}

/** audit_free() - kill a running worker; NULL is fine. Returns NULL. */
Audit *audit_free(Audit *a) {
        if (!a)
                return NULL;
        worker_free(a->worker);
        sd_event_source_disable_unref(a->timer);
        for (size_t i = 0; i < a->n_asked; i++)
                request_free(a->asked[i]);
        for (size_t i = 0; i < a->n_waiting; i++)
                request_free(a->waiting[i]);
        finding_set_done(&a->findings);
        safe_close(a->run_fd);
        free(a);
        return NULL;
}
