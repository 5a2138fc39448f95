/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the daemon asks of a run. The runner is another program with more privileges, so it reads the
 * request as it reads everything: with limits, and each name checked for what it may hold before it
 * reaches a command line.
 */

#include "baseline/run-json.h"
#include "util/limits.h"
#include "util/str.h"

#define WHAT "The request for a baseline run"
/* apt's own default for unattended runs is ten minutes at most; an hour is somebody who forgot. */
#define LOCK_TIMEOUT_MAX_SEC 3600

/** run_request_free() - free a request; NULL is fine. Returns NULL. */
RunRequest *run_request_free(RunRequest *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_packages; i++) {
                free(r->packages[i].name);
                free(r->packages[i].version);
        }
        free(r->packages);
        free(r->id);
        free(r->backend);
        free(r->baseline);
        free(r->bundle);
        free(r->kernel);
        free(r);
        return NULL;
}

static int read_package(json_t *object, RunPackage *p, sd_bus_error *error) {
        const char *name, *version;
        json_error_t e;
        int r;

        if (json_unpack_ex(object, &e, 0, "{s:s, s:s !}", "name", &name, "version", &version) < 0)
                return run_json_refuse(error, WHAT, "%s", e.text);
        if (!run_package_is_valid(name) || !run_version_is_valid(version))
                return run_json_refuse(error, WHAT, "'%.64s' in version '%.64s' is no package", name, version);
        r = run_json_copy(name, &p->name);
        return r < 0 ? r : run_json_copy(version, &p->version);
}

static int read_packages(RunRequest *request, json_t *packages, sd_bus_error *error) {
        size_t n = json_array_size(packages);

        if (!json_is_array(packages))
                return run_json_refuse(error, WHAT, "'packages' is not an array");
        if (n > HOTPATCH_RUN_PACKAGES_MAX)
                return run_json_refuse(error, WHAT, "it names %zu packages, %u are allowed", n, HOTPATCH_RUN_PACKAGES_MAX);
        request->packages = calloc(n + 1, sizeof(*request->packages));
        if (!request->packages)
                return -ENOMEM;
        request->n_packages = n;
        for (size_t i = 0; i < n; i++) {
                int r = read_package(json_array_get(packages, i), &request->packages[i], error);
                if (r < 0)
                        return r;
        }
        return 0;
}

typedef struct Words {
        const char *verb, *id, *backend, *baseline, *bundle, *kernel;
} Words;

static int read_words(RunRequest *request, const Words *w, sd_bus_error *error) {
        int r;

        request->verb = run_verb_from_string(w->verb);
        if (request->verb < 0)
                return run_json_refuse(error, WHAT, "'%.32s' is no verb", w->verb);
        if (!run_id_is_valid(w->id))
                return run_json_refuse(error, WHAT, "'%.64s' is no id", w->id);
        if (!run_backend_is_valid(w->backend))
                return run_json_refuse(error, WHAT, "'%.64s' is no backend", w->backend);
        if (!run_baseline_is_valid(w->baseline))
                return run_json_refuse(error, WHAT, "'%.64s' is no baseline", w->baseline);
        if (w->bundle && !run_bundle_is_valid(w->bundle))
                return run_json_refuse(error, WHAT, "'%.64s' is no id of a bundle", w->bundle);
        if (w->kernel && !run_release_is_valid(w->kernel))
                return run_json_refuse(error, WHAT, "'%.64s' is no kernel release", w->kernel);
        r = run_json_copy(w->id, &request->id);
        if (r >= 0)
                r = run_json_copy(w->backend, &request->backend);
        if (r >= 0)
                r = run_json_copy(w->baseline, &request->baseline);
        if (r >= 0)
                r = run_json_copy(w->bundle, &request->bundle);
        return r < 0 ? r : run_json_copy(w->kernel, &request->kernel);
}

/**
 * run_request_parse() - read a request
 * @ret: run_request_free() it
 * @error: BackendFailed, with the place
 *
 * Return: 0 or a negative errno.
 */
int run_request_parse(const void *data, size_t size, RunRequest **ret, sd_bus_error *error) {
        _cleanup_(run_request_freep) RunRequest *request = calloc(1, sizeof(*request));
        _cleanup_json_ json_t *root = NULL;
        json_int_t protocol, timeout, deadline = 0;
        json_t *packages;
        json_error_t e;
        Words w = {};
        int r;

        if (!request)
                return -ENOMEM;
        r = run_json_load(WHAT, data, size, HOTPATCH_RUN_REQUEST_MAX, &root, error);
        if (r < 0)
                return r;
        if (json_unpack_ex(root, &e, 0, "{s:I, s:s, s:s, s:s, s:s, s?s, s?I, s?s, s:o, s:I !}", "protocol", &protocol,
                            "verb", &w.verb, "id", &w.id, "backend", &w.backend, "baseline", &w.baseline,
                            "bundle", &w.bundle, "deadline", &deadline, "kernel", &w.kernel,
                            "packages", &packages, "lock_timeout", &timeout) < 0)
                return run_json_refuse(error, WHAT, "%s", e.text);
        if (protocol != RUN_PROTOCOL)
                return run_json_refuse(error, WHAT, "its protocol is %lld", (long long) protocol);
        if (timeout < 0 || timeout > LOCK_TIMEOUT_MAX_SEC)
                return run_json_refuse(error, WHAT, "'lock_timeout' is not between 0 and %d", LOCK_TIMEOUT_MAX_SEC);
        if (deadline < 0)
                return run_json_refuse(error, WHAT, "'deadline' is negative");
        request->lock_timeout_sec = (unsigned) timeout;
        request->deadline_usec = (uint64_t) deadline;
        r = read_words(request, &w, error);
        if (r >= 0)
                r = read_packages(request, packages, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(request);
        return 0;
}

/**
 * run_request_format() - the request as one line of JSON
 * @ret: with a newline; to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int run_request_format(const RunRequest *r, char **ret) {
        _cleanup_json_ json_t *root = NULL;
        _cleanup_free_ char *text = NULL;
        json_t *packages = json_array();

        for (size_t i = 0; i < r->n_packages; i++)
                json_push(&packages, json_pack("{s:s, s:s}", "name", r->packages[i].name,
                        "version", r->packages[i].version));
        root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s*, s:I, s:s*, s:o, s:I}", "protocol", RUN_PROTOCOL,
                "verb", run_verb_to_string(r->verb), "id", r->id, "backend", r->backend, "baseline", r->baseline,
                "bundle", r->bundle, "deadline", (json_int_t) r->deadline_usec, "kernel", r->kernel,
                "packages", packages, "lock_timeout", (json_int_t) r->lock_timeout_sec);
        text = root ? json_dumps(root, JSON_COMPACT) : NULL;
        if (!text)
                return -ENOMEM;
        return str_printf(ret, "%s\n", text);
}
