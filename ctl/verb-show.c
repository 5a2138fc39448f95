/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl show` and `verify`: what the daemon tells about one patch or one bundle. With
 * --json its answers are passed on as they are (doc/json-shapes.md), one value for each argument.
 *
 * `verify` asks the daemon because its trust counts: its anchors, its revocation lists, its policy.
 * `hotpatchctl bundle verify` is the one that works without it.
 */

#include <inttypes.h>

#include "ctl/argument.h"
#include "ctl/call.h"
#include "ctl/fields.h"
#include "ctl/json.h"
#include "ctl/patches.h"
#include "util/strv.h"

static int show_string(const Ctl *ctl, const char *label, const Value *v, const char *key) {
        const char *text = value_string(v, key);

        return text && *text ? field_print(ctl, label, text, STYLE_NONE) : 0;
}

/* RFC 3339 in UTC becomes local time; what is no time stays as it is. */
static int show_time(const Ctl *ctl, const char *label, const Value *v, const char *key) {
        const char *text = value_string(v, key);
        _cleanup_free_ char *local = NULL;
        uint64_t usec;

        if (!text)
                return 0;
        if (time_parse(text, 0, &usec) < 0 || time_format_local(usec, &local) < 0)
                return field_print(ctl, label, text, STYLE_NONE);
        return field_print(ctl, label, local, STYLE_NONE);
}

static int show_fixes(const Ctl *ctl, const Value *fixes) {
        int r = 0;

        for (size_t i = 0; i < value_length(fixes) && r >= 0; i++) {
                const Value *fix = value_at(fixes, i), *references = value_get(fix, "references");
                const char *severity = value_string(fix, "severity"),
                           *summary = value_string(fix, "summary");

                r = field_printf(ctl, i == 0 ? "Fixes" : "", STYLE_NONE, "%s%s%s%s%s%s",
                                strempty(value_string(fix, "id")), severity ? " (" : "",
                                strempty(severity), severity ? ")" : "", summary ? ": " : "",
                                strempty(summary));
                for (size_t j = 0; j < value_length(references) && r >= 0; j++)
                        r = field_printf(ctl, "", STYLE_DIM, "%s",
                                        strempty(value_text(value_at(references, j))));
        }
        return r;
}

/* What the kernel shows of an object; nothing when it does not have the patch. */
static const char *object_remark(const char *state) {
        if (!state)
                return "";
        if (streq(state, "waiting"))
                return " (when it is loaded)";
        return streq(state, "unpatched") ? " (LOADED, BUT NOT PATCHED)" : " (patched)";
}

static int show_objects(const Ctl *ctl, const Value *objects) {
        int r = 0;

        for (size_t i = 0; i < value_length(objects) && r >= 0; i++) {
                const Value *object = value_at(objects, i),
                            *functions = value_get(object, "functions");
                _cleanup_free_ char *buf = NULL;
                size_t size;
                FILE *f = open_memstream(&buf, &size);

                if (!f)
                        return -ENOMEM;
                fprintf(f, "%s%s:", strempty(value_string(object, "name")),
                                object_remark(value_string(object, "state")));
                for (size_t j = 0; j < value_length(functions); j++)
                        fprintf(f, " %s", strempty(value_text(value_at(functions, j))));
                if (fclose(f) != 0)
                        return -ENOMEM;
                r = field_print(ctl, i == 0 ? "Replaces" : "", buf, STYLE_NONE);
        }
        return r;
}

static int show_signers(const Ctl *ctl, const Value *signers) {
        int r = 0;

        for (size_t i = 0; i < value_length(signers) && r >= 0; i++) {
                const Value *signer = value_at(signers, i);
                const char *not_after = value_string(signer, "not_after");

                r = field_printf(ctl, i == 0 ? "Signed by" : "", STYLE_NONE, "%s%s%.10s%s",
                                strempty(value_string(signer, "subject")),
                                not_after ? " (valid until " : "", strempty(not_after),
                                not_after ? ")" : "");
        }
        return r;
}

static int show_stream(const Ctl *ctl, const Value *v) {
        const char *stream = value_string(v, "stream");

        return stream ? field_printf(ctl, "Stream", STYLE_NONE, "%s, sequence %" PRId64, stream,
                                value_integer(v, "sequence"))
                      : 0;
}

/* What a manifest and a description have in common. */
static int show_subject(const Ctl *ctl, const Value *v) {
        int r;

        r = field_print(ctl, "Patch", strempty(value_string(v, "id")), STYLE_BOLD);
        if (r >= 0)
                r = show_string(ctl, "Title", v, "title");
        if (r >= 0)
                r = show_string(ctl, "About", v, "description");
        if (r >= 0)
                r = show_string(ctl, "Severity", v, "severity");
        if (r >= 0)
                r = show_fixes(ctl, value_get(v, "fixes"));
        return r < 0 ? r : show_stream(ctl, v);
}

static int show_strikes(const Ctl *ctl, const Value *v) {
        const Value *strikes = value_get(v, "strikes");
        int r = 0;

        for (size_t i = 0; i < value_length(strikes) && r >= 0; i++)
                r = field_print(ctl, i == 0 ? "Strikes" : "", strempty(value_text(value_at(strikes, i))),
                                STYLE_YELLOW);
        if (r >= 0 && value_bool(v, "quarantined"))
                r = field_printf(ctl, "Quarantine", STYLE_RED,
                                "not applied or restored any more; to try it again: hotpatchctl release %s",
                                strempty(value_string(v, "id")));
        return r;
}

static int show_restore(const Ctl *ctl, const Value *restore) {
        const char *result = value_string(restore, "result"), *reason = value_string(restore, "reason");

        if (!result)
                return 0;
        if (streq(result, "quarantined")) /* the strikes are told already */
                reason = NULL;
        return field_printf(ctl, "At start", reason ? STYLE_YELLOW : STYLE_NONE, "%s%s%s", result,
                        reason ? ": " : "", strempty(reason));
}

static int show_trial(const Ctl *ctl, const Value *v) {
        const char *text = value_string(v, "trial_until");
        _cleanup_free_ char *local = NULL;
        uint64_t usec;

        if (!text || time_parse(text, 0, &usec) < 0)
                return 0;
        if (time_format_local(usec, &local) < 0)
                return -ENOMEM;
        return field_printf(ctl, "On trial", STYLE_YELLOW, "until %s%s", local,
                        streq_ptr(value_string(v, "trial_kind"), "return") ?
                        "; it came back by a rollback, and only signs that name it count" : "");
}

/* Who made it of what. The manifest that says so is signed. */
static int show_provenance(const Ctl *ctl, const Value *v) {
        static const struct {
                const char *label, *key;
        } lines[] = {
                { "Built by", "builder" }, { "Source", "source" }, { "Toolchain", "toolchain" },
                { "Fix", "fix_sha256" }, { "Config", "config_sha256" },
        };
        const Value *provenance = value_get(v, "provenance");
        int r = show_time(ctl, "Made", v, "created");

        for (size_t i = 0; i < ELEMENTSOF(lines) && r >= 0; i++)
                r = show_string(ctl, lines[i].label, provenance, lines[i].key);
        if (r >= 0)
                r = show_time(ctl, "Expires", v, "expires");
        return r;
}

static int show_description(const Ctl *ctl, const Value *v) {
        const char *state = strempty(value_string(v, "state"));
        int64_t tripped = value_integer(v, "tripped");
        int r;

        r = show_subject(ctl, v);
        if (r >= 0)
                r = field_printf(ctl, "State", patch_state_style(state), "%s%s", state,
                                value_bool(v, "foreign") ? ", loaded by somebody else; hotpatchd "
                                                           "does not touch it"
                                                         : "");
        if (r >= 0)
                r = show_strikes(ctl, v);
        if (r >= 0)
                r = show_restore(ctl, value_get(v, "restore"));
        if (r >= 0)
                r = show_trial(ctl, v);
        if (r >= 0 && tripped > 0)
                r = field_printf(ctl, "Tripped", STYLE_RED,
                                "%" PRId64 " %s: somebody tried what this fixes", tripped,
                                text_plural((uint64_t) tripped, "time", "times"));
        if (r >= 0)
                r = show_string(ctl, "Module", v, "module");
        if (r >= 0)
                r = show_string(ctl, "Kernel", v, "kernel_release");
        if (r >= 0)
                r = show_objects(ctl, value_get(v, "objects"));
        if (r >= 0)
                r = show_signers(ctl, value_get(v, "signers"));
        if (r >= 0)
                r = show_provenance(ctl, v);
        if (r >= 0)
                r = show_time(ctl, "Admitted", v, "admitted");
        if (r >= 0)
                r = show_time(ctl, "Applied", v, "applied");
        return r < 0 ? r : show_string(ctl, "Digest", v, "digest");
}

static int show_verified(const Ctl *ctl, const Value *v) {
        const Value *target = value_get(v, "target");
        const char *module = value_string(target, "module");
        int r;

        r = show_subject(ctl, value_get(v, "manifest"));
        if (r >= 0)
                r = show_signers(ctl, value_get(v, "signers"));
        if (r >= 0)
                r = show_provenance(ctl, value_get(v, "manifest"));
        if (r >= 0)
                r = show_string(ctl, "Digest", v, "digest");
        if (r >= 0 && module)
                r = field_printf(ctl, "Module", STYLE_NONE, "%s, for the running kernel %s", module,
                        strempty(value_string(target, "release")));
        else if (r >= 0)
                r = field_print(ctl, "Module", "none for the running kernel", STYLE_YELLOW);
        if (r >= 0)
                r = field_print(ctl, "Trust",
                                "good, by the anchors and revocation lists of this machine",
                                STYLE_GREEN);
        return r;
}

/* The JSON text that a call answered. */
static int read_answer(const Ctl *ctl, sd_bus_message *reply,
                int (*show)(const Ctl *, const Value *), bool first) {
        _cleanup_value_ Value *v = NULL;
        const char *text;
        int r;

        r = sd_bus_message_read(reply, "s", &text);
        if (r < 0)
                return r;
        r = value_parse(text, &v);
        if (r < 0)
                return r;
        if (ctl->json)
                return value_print(ctl, v);
        if (!first)
                putchar('\n');
        return show(ctl, v);
}

static int describe(Ctl *ctl, const char *id, sd_bus_message **ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = call_new(ctl, "Describe", &m, error);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", id);
        if (r < 0)
                return r;
        r = sd_bus_call(ctl->bus, m, 0, error, ret);
        return r < 0 ? r : 0;
}

/* Whom the transition of this patch waits for, if it does. */
static int show_blockers(Ctl *ctl, const char *id, sd_bus_error *error) {
        _cleanup_snapshot_ Snapshot *s = NULL;
        int r;

        r = snapshot_read(ctl, &s, error);
        for (size_t i = 0; r >= 0 && i < s->n_jobs; i++)
                if (strv_contains(s->jobs[i].patches, id))
                        r = fields_print_blockers(ctl, &s->jobs[i]);
        return r;
}

/* A bundle that is not here may have left something behind. */
static void show_findings(Ctl *ctl, const char *id) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_snapshot_ Snapshot *s = NULL;

        if (snapshot_read(ctl, &s, &error) < 0)
                return;
        for (size_t i = 0; i < s->manager.findings.n; i++) {
                const FindingInfo *f = &s->manager.findings.items[i];
                _cleanup_free_ char *sentence = NULL;

                if (!streq(f->patch, id))
                        continue;
                sentence = text_sanitize(f->sentence);
                if (sentence)
                        fprintf(stderr, "  %s.\n  %s\n", sentence, f->remedy);
        }
}

int verb_show(Ctl *ctl, int argc, char *argv[]) {
        int code = HOTPATCH_EXIT_OK;

        for (int i = 1; i < argc; i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
                int r, failed;

                r = describe(ctl, argv[i], &reply, &error);
                if (r >= 0)
                        r = read_answer(ctl, reply, show_description, i == 1);
                if (r >= 0 && !ctl->json)
                        r = show_blockers(ctl, argv[i], &error);
                if (r >= 0)
                        continue;
                failed = ctl_fail(ctl, argv[i], &error, r);
                code = code ?: failed;
                if (failed == HOTPATCH_EXIT_UNREACHABLE)
                        break;
                if (!ctl->json)
                        show_findings(ctl, argv[i]);
        }
        return code;
}

int verb_verify(Ctl *ctl, int argc, char *argv[]) {
        int code = HOTPATCH_EXIT_OK;

        for (int i = 1; i < argc; i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
                int r, failed;

                r = call_with_file(ctl, "VerifyBundle", argv[i], &reply, &error);
                if (r >= 0)
                        r = read_answer(ctl, reply, show_verified, i == 1);
                if (r >= 0)
                        continue;
                failed = ctl_fail(ctl, argv[i], &error, r);
                code = code ?: failed;
                if (failed == HOTPATCH_EXIT_UNREACHABLE) {
                        fputs("  Without the service: hotpatchctl bundle verify\n", stderr);
                        break;
                }
        }
        return code;
}
