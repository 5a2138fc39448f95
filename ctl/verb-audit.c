/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl audit`: do the kernel, the records, the store and the journal say the same? hotpatchd
 * compares; here its report is shown: a row for each patch, then what is not as it should be with what
 * to do about it, then one line that sums it up. With --json the report is passed on as it is
 * (doc/json-shapes.md). The exit code is that of drift when there is some, for scripts and for
 * hotpatch-audit.service.
 */

#include <inttypes.h>

#include "ctl/call.h"
#include "ctl/fields.h"
#include "ctl/json.h"
#include "ctl/patches.h"
#include "ctl/table.h"
#include "util/str.h"

static Style bundle_style(const char *bundle) {
        if (streq(bundle, "good"))
                return STYLE_GREEN;
        return streq(bundle, "none") ? STYLE_NONE : STYLE_RED;
}

/* "vmlinux, pktgen (waiting)" */
static int objects_text(const Value *patch, char **ret) {
        const Value *objects = value_get(patch, "objects");
        size_t size;
        FILE *f = open_memstream(ret, &size);

        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < value_length(objects); i++) {
                const char *state = strempty(value_string(value_at(objects, i), "state"));
                bool usual = streq(state, "patched");

                fprintf(f, "%s%s%s%s%s", i > 0 ? ", " : "", strempty(value_string(value_at(objects, i), "name")),
                                usual ? "" : " (", usual ? "" : state, usual ? "" : ")");
        }
        return fclose(f) != 0 ? -ENOMEM : 0;
}

static int last_text(const Value *patch, char **ret) {
        const char *event = value_string(patch, "last_event"), *when = value_string(patch, "last_event_time");
        _cleanup_free_ char *local = NULL;
        uint64_t usec;

        if (when && time_parse(when, 0, &usec) >= 0 && time_format_local(usec, &local) < 0)
                return -ENOMEM;
        return str_printf(ret, "%s%s%s", strempty(event), local ? " " : "", strempty(local));
}

static const char *whose(const Value *patch) {
        if (value_bool(patch, "foreign"))
                return "not ours";
        return value_bool(patch, "wanted") ? "yes" : "no record";
}

static int add_patch(Table *t, const Value *patch) {
        _cleanup_free_ char *objects = NULL, *last = NULL;
        const char *bundle = strempty(value_string(patch, "bundle"));
        const char *state = strempty(value_string(patch, "state"));
        char functions[32];
        int r;

        snprintf(functions, sizeof(functions), "%" PRId64, value_integer(patch, "functions"));
        r = objects_text(patch, &objects);
        if (r >= 0)
                r = last_text(patch, &last);
        if (r >= 0)
                r = table_add_row(t);
        if (r >= 0)
                r = table_set(t, 0, value_string(patch, "id"), STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 1, state, streq(state, "patched") ? STYLE_GREEN : STYLE_YELLOW);
        if (r >= 0)
                r = table_set(t, 2, whose(patch), STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 3, streq(bundle, "none") ? "" : bundle, bundle_style(bundle));
        if (r >= 0)
                r = table_set(t, 4, functions, STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 5, objects, STYLE_NONE);
        return r < 0 ? r : table_set(t, 6, last, STYLE_NONE);
}

static int print_patches(const Ctl *ctl, const Value *patches) {
        static const Column columns[] = {
                { "PATCH", .wrap = true }, { "IN THE KERNEL" }, { "WANTED" }, { "BUNDLE" }, { "FUNCTIONS", .right = true },
                { "OBJECTS", .wrap = true }, { "JOURNAL", .wrap = true },
        };
        _cleanup_table_ Table *t = NULL;
        int r;

        if (value_length(patches) == 0)
                return 0;
        r = table_new(ctl, columns, ELEMENTSOF(columns), &t);
        for (size_t i = 0; i < value_length(patches) && r >= 0; i++)
                r = add_patch(t, value_at(patches, i));
        return r < 0 ? r : table_print_block(t);
}

static int print_finding(const Ctl *ctl, const Value *f) {
        const char *severity = strempty(value_string(f, "severity")), *remedy = value_string(f, "remedy");
        const char *label = streq(severity, "alert") ? "ALERT" : streq(severity, "attention") ? "Attention" : "Info";
        int r = field_print(ctl, label, strempty(value_string(f, "message")), finding_style(severity));

        return r < 0 || !remedy ? r : field_print(ctl, "", remedy, STYLE_DIM);
}

static int print_result(const Ctl *ctl, const Value *report) {
        const Value *checked = value_get(report, "checked");
        bool drift = value_bool(report, "drift");
        int64_t bundles = value_integer(checked, "bundles");
        int r;

        r = field_printf(ctl, "Checked", STYLE_NONE, "%" PRId64 " %s with %" PRId64 " bytes; journal: %s", bundles,
                        text_plural((uint64_t) bundles, "bundle", "bundles"), value_integer(checked, "bytes"),
                        value_bool(checked, "journal") ? "compared" : "there is none to compare with");
        if (r < 0)
                return r;
        return field_print(ctl, "Result",
                        drift ? "kernel, records and store do NOT agree, see above"
                              : "kernel, records and store agree",
                        drift ? STYLE_RED : STYLE_GREEN);
}

static int print_text(const Ctl *ctl, const Value *report) {
        const Value *findings = value_get(report, "findings");
        int r = print_patches(ctl, value_get(report, "patches"));

        for (size_t i = 0; i < value_length(findings) && r >= 0; i++)
                r = print_finding(ctl, value_at(findings, i));
        return r < 0 ? r : print_result(ctl, report);
}

static int ask(Ctl *ctl, Value **ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        const char *text;
        int r;

        r = call_new(ctl, "Audit", &m, error);
        if (r >= 0)
                r = call_wait(ctl, m, "hotpatchd reads and verifies every bundle of the store", &reply, error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &text);
        return r < 0 ? r : value_parse(text, ret);
}

int verb_audit(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_value_ Value *report = NULL;
        int r;

        r = ask(ctl, &report, &error);
        if (r >= 0)
                r = ctl->json ? value_print(ctl, report) : print_text(ctl, report);
        if (r < 0)
                return ctl_fail(ctl, NULL, &error, r);
        return value_bool(report, "drift") ? HOTPATCH_EXIT_DRIFT : HOTPATCH_EXIT_OK;
}
