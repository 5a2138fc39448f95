/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The JSON of hotpatch-build; hotpatch-build(1), "JSON", has its members. The only file of builder/ that
 * calls jansson. */

#include <sys/resource.h>

#include "builder/build/report.h"
#include "util/hex.h"
#include "util/json.h"

static void set_string(json_t **object, const char *key, const char *value) {
        json_put(object, key, value ? json_string(value) : json_null());
}

static json_t *findings(const Findings *f, bool refusals) {
        json_t *array = json_array();

        for (size_t i = 0; i < f->n; i++) {
                json_t *o;

                if (f->items[i].refused != refusals)
                        continue;
                o = json_object();
                set_string(&o, "rule", rule_name(f->items[i].rule));
                set_string(&o, "object", f->items[i].object);
                set_string(&o, "file", f->items[i].file);
                set_string(&o, "subject", f->items[i].subject);
                set_string(&o, "text", f->items[i].text);
                set_string(&o, "advice", rule_advice(f->items[i].rule));
                json_push(&array, o);
        }
        return array;
}

static json_t *change(const BuildUnit *u, uint32_t i) {
        const SymbolChange *c = u->changes->symbols + i;
        json_t *o = json_object();

        set_string(&o, "object", u->compiled->object);
        set_string(&o, "file", u->compiled->source);
        set_string(&o, "function", u->before->symbols[c->before].name);
        set_string(&o, "why", c->why);
        json_put(&o, "inlined", json_strings(c->inlined));
        return o;
}

static json_t *functions(const Build *b, ChangeKind kind) {
        json_t *array = json_array();

        for (size_t n = 0; n < b->n_units; n++) {
                const BuildUnit *u = b->units + n;

                for (uint32_t i = 1; u->changes && i < u->after->n_symbols; i++) {
                        if (u->changes->symbols[i].kind != kind || !object_symbol_is_function(u->after, i))
                                continue;
                        if (kind == CHANGE_CHANGED)
                                json_push(&array, change(u, i));
                        else
                                json_push(&array, json_string(u->after->symbols[i].name));
                }
        }
        return array;
}

static json_t *objects(const Build *b) {
        json_t *array = json_array();

        for (size_t i = 0; i < b->compiled.n_units; i++) {
                const CompiledUnit *c = b->compiled.units + i;
                json_t *o = json_object();

                set_string(&o, "path", c->path);
                set_string(&o, "source", c->source);
                set_string(&o, "object", c->object);
                set_string(&o, "header", c->header);
                json_put(&o, "changed", json_boolean(i < b->n_units && unit_is_changed(b->units + i)));
                json_push(&array, o);
        }
        return array;
}

static json_t *seconds(uint64_t usec) {
        return json_real((double) (usec / 1000) / 1000.0);
}

/* Peak memory of ourselves and of the biggest program that we ran, in KiB, getrusage(2). */
static json_t *resources(const Build *b) {
        struct rusage own = { 0 }, children = { 0 };
        json_t *o = json_object();

        (void) getrusage(RUSAGE_SELF, &own);
        (void) getrusage(RUSAGE_CHILDREN, &children);
        json_put(&o, "source_seconds", seconds(b->times.source_usec));
        json_put(&o, "compiler_seconds", seconds(b->times.compiler_usec));
        json_put(&o, "analysis_seconds", seconds(b->times.analysis_usec));
        json_put(&o, "total_seconds", seconds(b->times.total_usec));
        json_put(&o, "peak_kib", json_integer(own.ru_maxrss));
        json_put(&o, "peak_kib_of_programs", json_integer(children.ru_maxrss));
        return o;
}

static json_t *failure(const sd_bus_error *error, int code) {
        json_t *o = json_object();

        set_string(&o, "name", error && error->name ? error->name : NULL);
        set_string(&o, "message", error && error->message ? error->message : strerror(-code));
        return o;
}

static void set_inputs(json_t **o, const Build *b) {
        char *digest = b->fix ? hex_encode(b->fix->sha256, sizeof(b->fix->sha256)) : NULL;

        set_string(o, "kernel", b->options->tree.release);
        set_string(o, "build_id", b->kernel ? b->kernel->build_id : NULL);
        set_string(o, "source", b->tree ? b->tree->source_version : NULL);
        set_string(o, "toolchain", b->tree ? b->tree->compiler_version : NULL);
        set_string(o, "fix_sha256", digest);
        free(digest);
}

/**
 * report_json() - print the result
 * @b: as far as it came
 * @result: how it ended
 * @error, @code: with BUILD_FAILED, why
 *
 * Return: 0 or -ENOMEM; then nothing was printed.
 */
int report_json(const Build *b, BuildResult result, const sd_bus_error *error, int code) {
        static const char *const results[] = {
                [BUILD_EXPLAINED] = "explained",
                [BUILD_BUILT] = "built",
                [BUILD_REFUSED] = "refused",
                [BUILD_FAILED] = "failed",
        };
        json_t *o = json_object();
        int r;

        set_string(&o, "result", results[result]);
        set_string(&o, "bundle", result == BUILD_BUILT ? b->options->output : NULL);
        set_inputs(&o, b);
        json_put(&o, "objects", objects(b));
        json_put(&o, "functions", functions(b, CHANGE_CHANGED));
        json_put(&o, "added", functions(b, CHANGE_NEW));
        json_put(&o, "refusals", findings(&b->findings, true));
        json_put(&o, "remarks", findings(&b->findings, false));
        if (result == BUILD_FAILED)
                json_put(&o, "error", failure(error, code));
        json_put(&o, "cost", resources(b));
        if (!o)
                return -ENOMEM;
        r = json_dumpf(o, stdout, JSON_INDENT(2));
        json_decref(o);
        putchar('\n');
        return r < 0 ? -EIO : 0;
}
