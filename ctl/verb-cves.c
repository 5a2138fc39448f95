/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl cves [CVE...]`: of all that the bundles on this machine say to repair, what is fixed now,
 * what would be fixed by applying what is staged, and what is known to need a restart (cves.c). With ids
 * only these, and the exit status says whether all of them are fixed.
 *
 * What no bundle here speaks of is "unknown": that is no statement about the machine.
 */

#include "ctl/call.h"
#include "ctl/cves.h"
#include "ctl/fields.h"
#include "ctl/table.h"
#include "dbus/names.h"
#include "util/str.h"
#include "util/strv.h"

/** struct Descriptions - what Describe answered for each patch of a snapshot; NULL: nothing */
typedef struct Descriptions {
        Value **items;
        size_t n;
} Descriptions;

static void descriptions_done(Descriptions *d) {
        for (size_t i = 0; i < d->n; i++)
                value_unref(d->items[i]);
        free(d->items);
        *d = (Descriptions) { 0 };
}

/* A patch may go between the two looks. */
static int describe(Ctl *ctl, const char *id, Value **ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        const char *text;
        int r;

        r = call_new(ctl, "Describe", &m, error);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", id);
        if (r >= 0)
                r = sd_bus_call(ctl->bus, m, 0, error, &reply);
        if (r < 0 && sd_bus_error_has_name(error, HOTPATCH_ERROR("NoSuchPatch"))) {
                sd_bus_error_free(error);
                return 0;
        }
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &text);
        return r < 0 ? r : value_parse(text, ret);
}

static int descriptions_read(Ctl *ctl, const Snapshot *s, Descriptions *d, sd_bus_error *error) {
        int r = 0;

        d->items = calloc(s->n_patches + 1, sizeof(*d->items));
        if (!d->items)
                return -ENOMEM;
        d->n = s->n_patches;
        for (size_t i = 0; i < d->n && r >= 0; i++)
                if (!s->patches[i].foreign && strv_length(s->patches[i].fixes) > 0)
                        r = describe(ctl, s->patches[i].id, &d->items[i], error);
        return r;
}

static int cves_read(Ctl *ctl, char *const *ids, Snapshot **ret_snapshot, CveList *ret, sd_bus_error *error) {
        _cleanup_(descriptions_done) Descriptions d = { 0 };
        _cleanup_snapshot_ Snapshot *s = NULL;
        int r;

        r = snapshot_read(ctl, &s, error);
        if (r >= 0)
                r = descriptions_read(ctl, s, &d, error);
        if (r >= 0)
                r = cve_list_make(s, (const Value *const *) d.items, ret);
        if (r >= 0 && *ids)
                r = cve_list_select(ret, ids);
        if (r < 0)
                return r;
        *ret_snapshot = TAKE_PTR(s);
        return 0;
}

/* ---- text ---- */

static Style state_style(CveState state) {
        static const Style styles[_CVE_STATE_MAX] = {
                [CVE_FIXED] = STYLE_GREEN,
                [CVE_UNDER_WAY] = STYLE_YELLOW,
                [CVE_STAGED] = STYLE_YELLOW,
                [CVE_RESTART] = STYLE_YELLOW,
                [CVE_OPEN] = STYLE_RED,
                [CVE_UNKNOWN] = STYLE_NONE,
        };

        return styles[state];
}

/* What it is; where the state does not say why, that first. */
static int what(const Cve *c, char **ret) {
        bool why = c->state == CVE_OPEN && c->reason;

        return str_printf(ret, "%s%s%s", why ? c->reason : "", why && c->summary ? ": " : "", strempty(c->summary));
}

static int add_row(Table *t, const Cve *c) {
        _cleanup_free_ char *by = NULL, *text = NULL;
        int r;

        r = strv_join(c->patches, ", ", &by);
        if (r >= 0)
                r = what(c, &text);
        if (r >= 0)
                r = table_add_row(t);
        if (r >= 0)
                r = table_set(t, 0, c->id, STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 1, cve_state_to_string(c->state), state_style(c->state));
        if (r >= 0)
                r = table_set(t, 2, c->severity, STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 3, by, STYLE_NONE);
        return r < 0 ? r : table_set(t, 4, text, STYLE_NONE);
}

/* Ids of the bundles that bring a state, each once. */
static int bundles_of(const CveList *l, CveState state, char **ret) {
        _cleanup_strv_free_ char **ids = NULL;
        int r = 0;

        for (size_t i = 0; i < l->n; i++)
                for (char **id = l->items[i].patches; l->items[i].state == state && id && *id && r >= 0; id++)
                        if (!strv_contains(ids, *id))
                                r = strv_extend(&ids, *id);
        return r < 0 ? r : strv_join(ids, " ", ret);
}

static int print_sums(const Ctl *ctl, const CveList *l) {
        static const struct {
                CveState state;
                const char *label;
                const char *text; /* takes the ids */
        } rows[] = {
                { CVE_FIXED, "Fixed", "now, by %s" },
                { CVE_UNDER_WAY, "Under way", "in a job right now: %s" },
                { CVE_STAGED, "Staged", "by what is staged: hotpatchctl apply %s" },
                { CVE_RESTART, "Restart", "known to need a baseline and a restart: %s" },
                { CVE_OPEN, "Open", "that nothing here can fix as it is; 'hotpatchctl show' tells more about %s" },
                { CVE_UNKNOWN, "Unknown", "that no bundle here speaks of, which says nothing about this machine%s" },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(rows) && r >= 0; i++) {
                _cleanup_free_ char *ids = NULL, *text = NULL;
                size_t n = cve_list_count(l, rows[i].state);

                if (n == 0)
                        continue;
                r = bundles_of(l, rows[i].state, &ids);
                if (r < 0)
                        return r;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from the table above */
                if (str_printf(&text, rows[i].text, ids) < 0)
                        return -ENOMEM;
#pragma GCC diagnostic pop
                r = field_printf(ctl, rows[i].label, state_style(rows[i].state), "%zu %s", n, text);
        }
        return r;
}

static int print_text(const Ctl *ctl, const CveList *l) {
        static const Column columns[] = {
                { "CVE" }, { "STATE" }, { "SEVERITY" }, { "BY", .wrap = true }, { "WHAT", .wrap = true },
        };
        _cleanup_table_ Table *t = NULL;
        int r;

        r = table_new(ctl, columns, ELEMENTSOF(columns), &t);
        for (size_t i = 0; i < l->n && r >= 0; i++)
                r = add_row(t, &l->items[i]);
        if (r < 0 || !ctl->legend)
                return r < 0 ? r : table_print(t);
        if (l->n == 0)
                return puts("No bundle on this machine says what it repairs.") == EOF ? -EIO : 0;
        r = table_print_block(t);
        return r < 0 ? r : print_sums(ctl, l);
}

/* ---- JSON ---- */

static int cve_to_value(const Cve *c, Value **ret) {
        _cleanup_value_ Value *v = value_object();

        if (value_set_string(v, "id", c->id) < 0 || value_set_string(v, "state", cve_state_to_string(c->state)) < 0 ||
            value_set_string(v, "severity", c->severity) < 0 || value_set_string(v, "summary", c->summary) < 0 ||
            value_set_strv(v, "references", c->references) < 0 || value_set_strv(v, "patches", c->patches) < 0 ||
            value_set_string(v, "reason", c->reason) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(v);
        return 0;
}

static int print_json(const Ctl *ctl, const Snapshot *s, const CveList *l) {
        _cleanup_value_ Value *answer = value_object();
        Value *counts = value_object(), *cves = value_array();

        if (value_set_string(answer, "kernel", s->manager.release) < 0 || value_set(answer, "counts", counts) < 0 ||
            value_set(answer, "cves", cves) < 0)
                return -ENOMEM;
        for (CveState state = 0; state < _CVE_STATE_MAX; state++)
                if (value_set_integer(counts, cve_state_to_string(state), cve_list_count(l, state)) < 0)
                        return -ENOMEM;
        for (size_t i = 0; i < l->n; i++) {
                Value *v;

                if (cve_to_value(&l->items[i], &v) < 0 || value_append(cves, v) < 0)
                        return -ENOMEM;
        }
        return value_print(ctl, answer);
}

int verb_cves(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(cve_list_done) CveList l = { 0 };
        _cleanup_snapshot_ Snapshot *s = NULL;
        int r;

        r = cves_read(ctl, argv + 1, &s, &l, &error);
        if (r >= 0)
                r = ctl->json ? print_json(ctl, s, &l) : print_text(ctl, &l);
        if (r < 0)
                return ctl_fail(ctl, NULL, &error, r);
        return argc > 1 && cve_list_count(&l, CVE_FIXED) < l.n ? HOTPATCH_EXIT_NO : HOTPATCH_EXIT_OK;
}
