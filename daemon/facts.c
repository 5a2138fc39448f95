/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a plan needs to know, gathered in one place so that the plan need not look.
 *
 * Everything but the symbols is a few small files of sysfs and of the state directory. Symbols are
 * one pass over /proc/kallsyms and tracefs, some 10 MB of text that the kernel formats line by line,
 * so that pass runs in a worker (facts_symbols()) and its answer is added later.
 *
 * Which livepatches there are, and whose they are, is in facts-patches.c.
 */

#include "daemon/facts-internal.h"
#include "daemon/store-forced.h"
#include "dbus/errors.h"
#include "livepatch/others.h"
#include "util/limits.h"
#include "util/strv.h"

/** facts_free() - free everything that facts_for_plan() points to; accepts NULL. Returns NULL. */
Facts *facts_free(Facts *f) {
        if (!f)
                return NULL;
        kernel_identity_done(&f->identity);
        kernel_gates_done(&f->gates);
        strv_free(f->staged);
        free(f->disabled);
        free(f->forced);
        free(f->transition_module);
        admitted_records_free(f->records, f->n_records);
        free(f->unreadable);
        facts_patches_free(f);
        for (size_t i = 0; i < f->n_modules; i++) {
                free((char *) f->modules[i].name);
                free((char *) f->modules[i].build_id);
        }
        free(f->modules);
        for (size_t i = 0; i < f->n_streams; i++) {
                free((char *) f->streams[i].name);
                free((char *) f->streams[i].digest);
        }
        free(f->streams);
        free(f->symbols_text);
        free(f->symbols);
        free(f->no_tracing);
        other_patchers_free(f->found_others, f->n_others);
        free(f->others);
        facts_payloads_free(f->payloads, f->n_payloads);
        free(f->trusted_keys);
        strike_records_free(f->strike_records, f->n_strikes);
        free(f->strikes);
        free(f);
        return NULL;
}

/** facts_unreadable() - file name of a record that could not be read and that the plan would not know; or NULL */
const char *facts_unreadable(const Facts *f) {
        return f->unreadable;
}

/** facts_for_plan() - the facts as plan_apply() and plan_remove() take them; live as long as @f */
const PlanFacts *facts_for_plan(const Facts *f) {
        return &f->plan;
}

/** facts_take_symbols() - make @symbols, which point into @text, the symbol facts; owns both now */
void facts_take_symbols(Facts *f, char *text, SymbolFacts *symbols, size_t n) {
        free(f->symbols_text);
        free(f->symbols);
        f->symbols_text = text;
        f->symbols = symbols;
        f->plan.symbols = symbols;
        f->plan.n_symbols = n;
        f->plan.reliable_stacks = facts_reliable_stacks(symbols, n);
}

/** facts_take_payloads() - make @payloads the payloads of the plan; owns them now */
void facts_take_payloads(Facts *f, PlanPayload *payloads, size_t n) {
        facts_payloads_free(f->payloads, f->n_payloads);
        f->plan.payloads = f->payloads = payloads;
        f->n_payloads = n;
}

/** facts_take_trusted_keys() - the keys that modules may be signed with; NULL: not known. Owns them now. */
void facts_take_trusted_keys(Facts *f, char *keys) {
        free(f->trusted_keys);
        f->plan.trusted_keys = f->trusted_keys = keys;
}

/** facts_set_no_tracing() - the symbols could not be looked up; @why is copied. Return: 0 or -ENOMEM. */
int facts_set_no_tracing(Facts *f, const char *why) {
        char *copy = strdup(strempty(why));

        if (!copy)
                return -ENOMEM;
        free(f->no_tracing);
        f->plan.no_tracing = f->no_tracing = copy;
        return 0;
}

/* --- others that patch --- */

static int gather_others(Facts *f, const Kernel *k) {
        int r = kernel_other_patchers(k, &f->found_others, &f->n_others);

        if (r < 0)
                return r;
        f->others = calloc(f->n_others + 1, sizeof(*f->others));
        if (!f->others)
                return -ENOMEM;
        for (size_t i = 0; i < f->n_others; i++)
                f->others[i] = (PlanOther) {
                        .name = f->found_others[i].name,
                        .sign = f->found_others[i].sign,
                        .hidden = f->found_others[i].hidden,
                };
        return 0;
}

/* --- modules and streams of the targets --- */

static int add_module(Facts *f, const Kernel *k, const char *name) {
        _cleanup_free_ char *copy = NULL, *build_id = NULL;
        PlanModule *grown;
        int loaded, r;

        if (streq(name, "vmlinux"))
                return 0;
        for (size_t i = 0; i < f->n_modules; i++)
                if (streq(f->modules[i].name, name))
                        return 0;
        loaded = kernel_module_loaded(k, name);
        if (loaded < 0)
                return loaded;
        if (loaded) {
                r = kernel_module_build_id(k, name, &build_id);
                if (r < 0 && r != -ENOENT && r != -EBADMSG)
                        return r;
        }
        copy = strdup(name);
        grown = reallocarray(f->modules, f->n_modules + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        f->modules = grown;
        if (!copy)
                return -ENOMEM;
        f->modules[f->n_modules++] = (PlanModule) {
                .name = TAKE_PTR(copy), .loaded = loaded, .build_id = TAKE_PTR(build_id),
        };
        return 0;
}

static int add_stream(Facts *f, const Store *s, const char *name, sd_bus_error *error) {
        _cleanup_free_ char *copy = strdup(name), *digest = NULL;
        PlanStream *grown;
        uint64_t sequence;
        int r = store_stream_get(s, name, &sequence, &digest);

        if (r == -EBADMSG)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateDamaged"),
                                "The mark 'streams/%s' against downgrades cannot be read", name);
        if (r < 0)
                return r;
        grown = reallocarray(f->streams, f->n_streams + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        f->streams = grown;
        if (!copy)
                return -ENOMEM;
        f->streams[f->n_streams++] = (PlanStream) {
                .name = TAKE_PTR(copy), .sequence = sequence, .digest = TAKE_PTR(digest),
        };
        return 0;
}

static const ManifestTarget *find_target(const Manifest *m, const KernelIdentity *k) {
        return manifest_find_target(m, k->arch, k->release, k->build_id);
}

static int gather_manifest(Facts *f, const Kernel *k, const Store *s, const Manifest *m, sd_bus_error *error) {
        const ManifestTarget *t = find_target(m, &f->identity);
        int r = add_stream(f, s, m->stream, error);

        if (r < 0 || !t)
                return r;
        for (size_t i = 0; i < t->n_objects; i++) {
                r = add_module(f, k, t->objects[i].name);
                if (r < 0)
                        return r;
        }
        r = add_module(f, k, t->module);
        if (r < 0)
                return r;
        return facts_add_leftover(f, k, m, t->module);
}

/* --- strikes --- */

static int gather_strikes(Facts *f, const Store *s) {
        int r = store_strike_list(s, &f->strike_records, &f->n_strikes);

        if (r < 0)
                return r;
        f->strikes = calloc(f->n_strikes + 1, sizeof(*f->strikes));
        if (!f->strikes)
                return -ENOMEM;
        for (size_t i = 0; i < f->n_strikes; i++) {
                const StrikeRecord *record = &f->strike_records[i];
                size_t n = strike_record_count(record);

                f->strikes[i] = (PlanStrikes) {
                        .id = record->id, .digest = record->digest, .count = strike_record_full(record),
                        .quarantined = strike_record_is_quarantined(record),
                        .last = n > 0 ? record->reasons[n - 1] : NULL,
                };
        }
        return 0;
}

/* --- all of it --- */

static int gather(Facts *f, const Kernel *k, const Store *s, const Manifest *const *manifests,
                size_t n_manifests, sd_bus_error *error) {
        int r = kernel_identity(k, &f->identity);

        if (r < 0)
                return r;
        r = kernel_gates(k, &f->gates);
        if (r < 0)
                return r;
        r = store_forced_why(s, &f->forced);
        if (r < 0)
                return r;
        r = livepatch_transition_running(k, &f->transition_module);
        if (r < 0)
                return r;
        r = facts_gather_patches(f, k, s);
        if (r < 0)
                return r;
        r = store_spool_list(s, &f->staged);
        if (r < 0)
                return r;
        r = gather_others(f, k);
        if (r < 0)
                return r;
        r = gather_strikes(f, s);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n_manifests; i++) {
                r = gather_manifest(f, k, s, manifests[i], error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * facts_gather() - everything but the symbols
 * @manifests: what is to be applied; none for plan_remove()
 * @disabled: why hotpatching is off here, copied; NULL: it is on
 * @now_usec: for BundleExpired
 * @ret: free with facts_free()
 * @error: StateDamaged
 *
 * Return: 0 or a negative errno.
 */
int facts_gather(const Kernel *k, const Store *s, const Manifest *const *manifests, size_t n_manifests,
                const char *disabled, uint64_t now_usec, Facts **ret, sd_bus_error *error) {
        _cleanup_facts_free_ Facts *f = calloc(1, sizeof(*f));
        int r;

        if (!f)
                return -ENOMEM;
        if (disabled) {
                f->disabled = strdup(disabled);
                if (!f->disabled)
                        return -ENOMEM;
        }
        r = gather(f, k, s, manifests, n_manifests, error);
        if (r < 0)
                return r;
        f->plan = (PlanFacts) {
                .kernel = &f->identity,
                .gates = &f->gates,
                .disabled = f->disabled,
                .forced = f->forced,
                .transition_module = f->transition_module,
                .now_usec = now_usec,
                .modules = f->modules,
                .n_modules = f->n_modules,
                .patches = f->patches,
                .n_patches = f->n_patches,
                .streams = f->streams,
                .n_streams = f->n_streams,
                .staged = f->staged,
                .others = f->others,
                .n_others = f->n_others,
                .strikes = f->strikes,
                .n_strikes = f->n_strikes,
        };
        *ret = TAKE_PTR(f);
        return 0;
}
