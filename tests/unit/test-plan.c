/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every rule of the plan, as a table: a world in which the plan is good, one change to it, and the
 * refusal that must come of it.
 */

#include "daemon/plan.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"
#include "util/limits.h"

#define N 4

/* A world that a test may change at will; everything in it is static or inside. */
typedef struct World {
        KernelIdentity kernel;
        KernelGates gates;
        char *functions[N][4];
        ManifestObject objects[N][2];
        ManifestOriginal originals[N];
        ManifestTarget targets[N];
        Manifest manifests[N];
        const Manifest *order[N];
        const char *digests[N];
        size_t n_manifests;
        PlanModule modules[N];
        char *patch_functions[N][4];
        ManifestObject patch_objects[N];
        char *lists[3 * N][2];
        PlanPatch patches[N];
        PlanStream streams[N];
        SymbolFacts symbols[8];
        PlanPayload payloads[N];
        PlanFacts facts;
        PlanOptions options;
} World;

static char *const ids[N] = { (char *) "hp-a", (char *) "hp-b", (char *) "hp-c", (char *) "hp-d" };
static char *const module_names[N] = { (char *) "hp_a", (char *) "hp_b", (char *) "hp_c", (char *) "hp_d" };
static char *const function_names[N] = { (char *) "fa", (char *) "fb", (char *) "fc", (char *) "fd" };

static void world_manifest(World *w, size_t i) {
        w->functions[i][0] = function_names[i];
        w->objects[i][0] = (ManifestObject) { .name = (char *) "vmlinux", .functions = w->functions[i] };
        w->targets[i] = (ManifestTarget) {
                .arch = (char *) "x86_64", .release = (char *) "6.1.0-50-cloud-amd64",
                .build_id = (char *) "aa", .member = (char *) "m.ko", .module = module_names[i],
                .objects = w->objects[i], .n_objects = 1,
        };
        w->manifests[i] = (Manifest) {
                .id = ids[i], .title = (char *) "A title", .kind = MANIFEST_HOTPATCH,
                .stream = (char *) (i == 0 ? "stream-a" : i == 1 ? "stream-b" : "stream-c"),
                .sequence = 3, .targets = &w->targets[i], .n_targets = 1,
        };
        w->order[i] = &w->manifests[i];
        w->digests[i] = ids[i];
}

static void world_init(World *w) {
        *w = (World) { 0 };
        w->kernel = (KernelIdentity) {
                .arch = (char *) "x86_64", .release = (char *) "6.1.0-50-cloud-amd64", .build_id = (char *) "aa",
        };
        w->gates = (KernelGates) {
                .livepatch_supported = true, .ftrace_enabled = true, .lockdown = (char *) "none",
        };
        for (size_t i = 0; i < N; i++) {
                world_manifest(w, i);
                w->payloads[i] = (PlanPayload) {
                        .is_signed = true, .signer = "'Our key' with the serial number 01", .key = CERTAINLY,
                        .ring = ".platform", .states_known = true,
                };
                w->symbols[i] = (SymbolFacts) {
                        .object = "vmlinux", .name = function_names[i], .matches = 1, .object_loaded = true,
                        .traceable = true,
                };
        }
        w->n_manifests = 1;
        w->facts = (PlanFacts) {
                .kernel = &w->kernel, .gates = &w->gates, .now_usec = 1000,
                .modules = w->modules, .patches = w->patches, .streams = w->streams,
                .symbols = w->symbols, .n_symbols = N, .payloads = w->payloads,
                .reliable_stacks = CERTAINLY,
        };
}

/* A patch that is in the kernel and recorded: that of manifest @i. */
static PlanPatch *world_patch(World *w, size_t i) {
        size_t n = w->facts.n_patches++;

        w->patch_functions[n][0] = function_names[i];
        w->patch_objects[n] = (ManifestObject) {
                .name = (char *) "vmlinux", .functions = w->patch_functions[n],
        };
        w->patches[n] = (PlanPatch) {
                .module = module_names[i], .id = ids[i], .stream = w->manifests[i].stream, .digest = ids[i],
                .recorded = true, .sequence = 3, .order = 10 + n, .state = LIVEPATCH_PATCHED,
                .objects = &w->patch_objects[n], .n_objects = 1,
        };
        w->symbols[i].livepatched = true;
        w->symbols[i].busy = false;
        return &w->patches[n];
}

/* A livepatch of somebody else's with the function of manifest @i. */
static PlanPatch *world_foreign(World *w, size_t i) {
        PlanPatch *p = world_patch(w, i);

        p->module = "kpatch_foo";
        p->id = NULL;
        p->stream = p->digest = NULL;
        p->recorded = false;
        return p;
}

static char **world_list(World *w, char *id) {
        for (size_t i = 0; i < 3 * N; i++)
                if (!w->lists[i][0]) {
                        w->lists[i][0] = id;
                        return w->lists[i];
                }
        ck_abort_msg("too many lists");
}

static void world_stream(World *w, const char *name, uint64_t sequence, const char *digest) {
        w->streams[w->facts.n_streams++] =
                (PlanStream) { .name = name, .sequence = sequence, .digest = digest };
}

static Plan *apply(const World *w) {
        Plan *p = NULL;

        ck_assert_ok(plan_apply(w->order, w->digests, w->n_manifests, &w->facts, &w->options, &p));
        ck_assert_ptr_nonnull(p);
        return p;
}

/* "insert hp-a, transition hp-a" */
static char *steps_text(const Plan *p) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        for (size_t i = 0; i < p->n_steps; i++)
                fprintf(f, "%s%s %s", i ? ", " : "", step_action_to_string(p->steps[i].action),
                        p->steps[i].id);
        fclose(f);
        return text;
}

static void assert_steps(const Plan *p, const char *expected) {
        _cleanup_free_ char *text = steps_text(p);

        ck_assert_msg(!sd_bus_error_is_set(&p->refusal), "refused: %s: %s", strempty(p->refusal.name),
                strempty(p->refusal.message));
        ck_assert_str_eq(text, expected);
        ck_assert(p->changed == (*expected != 0));
}

static const PlanFunction *find_function(const Plan *p, const char *id, const char *function) {
        for (size_t i = 0; i < p->n_functions; i++)
                if (streq(p->functions[i].id, id) && streq(p->functions[i].function, function))
                        return &p->functions[i];
        return NULL;
}

static size_t failed_conditions(const Plan *p) {
        size_t n = 0;

        for (size_t i = 0; i < p->n_conditions; i++)
                n += !p->conditions[i].ok;
        return n;
}

/* --- refusals --- */

/* Strikes against the content of manifest @i. */
static void strike(World *w, const char *id, const char *digest, size_t count, const char *last) {
        static PlanStrikes strikes;

        strikes = (PlanStrikes) { .id = id, .digest = digest, .count = count, .quarantined = count != 1, .last = last };
        w->facts.strikes = &strikes;
        w->facts.n_strikes = 1;
}
static void struck_once(World *w) {
        strike(w, ids[0], ids[0], 1, "It went down");
}
static void quarantined(World *w) {
        strike(w, ids[0], ids[0], 2, "It went down again");
}
static void quarantine_damaged(World *w) {
        strike(w, ids[0], ids[0], 0, NULL);
}
static void quarantined_other_content(World *w) {
        strike(w, ids[0], "another digest", 2, "It went down again");
}
static void quarantined_other_id(World *w) {
        strike(w, ids[1], ids[0], 2, "It went down again");
}

static void no_change(_unused_ World *w) {
}
static void disabled(World *w) {
        w->facts.disabled = "the file /etc/hotpatch/disable";
}
static void denied(World *w) {
        w->options.policy.denied = "'Hotpatch=no' is set at /etc/x:2";
}
static void ineligible(World *w) {
        w->options.policy.ineligible = "TPM 2.0 is missing";
}
static void command_line(World *w) {
        w->gates.command_line_off = true;
}
static void no_support(World *w) {
        w->gates.livepatch_supported = false;
}
static void unreliable_stacks(World *w) {
        w->facts.reliable_stacks = CERTAINLY_NOT;
}
static void no_ftrace(World *w) {
        w->gates.ftrace_enabled = false;
}
static void transition(World *w) {
        w->facts.transition_module = "other";
}
static void baseline(World *w) {
        w->manifests[0].kind = MANIFEST_BASELINE;
        w->manifests[0].n_targets = 0;
}
static void wrong_arch(World *w) {
        w->targets[0].arch = (char *) "aarch64";
}
static void wrong_release(World *w) {
        w->targets[0].release = (char *) "6.1.0-56-cloud-amd64";
}
static void wrong_build_id(World *w) {
        w->targets[0].build_id = (char *) "ab";
}
static void expired(World *w) {
        w->manifests[0].expires_usec = 1000;
}
static void object_module(World *w, const char *build_id) {
        w->objects[0][1] = (ManifestObject) {
                .name = (char *) "ext4", .build_id = (char *) "cc", .functions = w->functions[1],
        };
        w->targets[0].n_objects = 2;
        w->symbols[4] = (SymbolFacts) {
                .object = "ext4", .name = "fb", .matches = 1, .object_loaded = true, .traceable = true,
        };
        w->facts.n_symbols = 5;
        w->modules[0] = (PlanModule) { .name = "ext4", .loaded = true, .build_id = build_id };
        w->facts.n_modules = 1;
}
static void other_module_build(World *w) {
        object_module(w, "cd");
}
static void module_without_build_id(World *w) {
        object_module(w, NULL);
}
static void right_module_build(World *w) {
        object_module(w, "cc");
}
static void lower_sequence(World *w) {
        world_stream(w, "stream-a", 4, "other");
}
static void lower_sequence_allowed(World *w) {
        lower_sequence(w);
        w->options.allow_downgrade = true;
}
static void lower_than_active(World *w) {
        /* the mark is lost, the patch is not */
        PlanPatch *p = world_patch(w, 1);
        p->stream = "stream-a";
        p->sequence = 9;
}
static void other_stream(World *w) {
        world_stream(w, "stream-b", 9, "other");
}
static void reused_sequence(World *w) {
        world_stream(w, "stream-a", 3, "other");
}
static void same_again(World *w) {
        world_stream(w, "stream-a", 3, "hp-a");
}
static void same_stream_twice(World *w) {
        w->n_manifests = 2;
        w->manifests[1].stream = w->manifests[0].stream;
}
static void named_twice(World *w) {
        w->n_manifests = 2;
        w->order[1] = w->order[0];
}
static void cycle(World *w) {
        w->n_manifests = 2;
        w->manifests[0].requires = world_list(w, ids[1]);
        w->manifests[1].requires = world_list(w, ids[0]);
}
static void superseded_by_active(World *w) {
        world_patch(w, 1)->supersedes = world_list(w, ids[0]);
}
static void supersedes_within(World *w) {
        w->n_manifests = 2;
        w->manifests[1].supersedes = world_list(w, ids[0]);
}
static void missing_requirement(World *w) {
        w->manifests[0].requires = world_list(w, ids[1]);
}
static void requirement_not_in_force(World *w) {
        missing_requirement(w);
        world_patch(w, 1)->state = LIVEPATCH_ABSENT;
}
static void requirement_met(World *w) {
        missing_requirement(w);
        world_patch(w, 1);
}
static void requirement_superseded(World *w) {
        missing_requirement(w);
        world_patch(w, 2)->supersedes = world_list(w, ids[1]);
}
static void conflict(World *w) {
        w->manifests[0].conflicts = world_list(w, ids[1]);
        world_patch(w, 1);
}
static void conflict_declared_by_other(World *w) {
        world_patch(w, 1)->conflicts = world_list(w, ids[0]);
}
static void conflict_with_wanted(World *w) {
        w->manifests[0].conflicts = world_list(w, ids[1]);
        world_patch(w, 1)->state = LIVEPATCH_ABSENT;
}
static void conflict_within(World *w) {
        w->n_manifests = 2;
        w->manifests[1].conflicts = world_list(w, ids[0]);
}
static void conflict_elsewhere(World *w) {
        w->manifests[0].conflicts = world_list(w, (char *) "hp-z");
        world_patch(w, 1);
}
static void same_id_other_content(World *w) {
        world_patch(w, 0)->digest = "changed";
}
static void module_loaded(World *w) {
        w->modules[0] = (PlanModule) { .name = "hp_a", .loaded = true };
        w->facts.n_modules = 1;
}
static void module_of_other_patch(World *w) {
        world_patch(w, 1)->module = "hp_a";
}
static void module_of_other_bundle(World *w) {
        w->n_manifests = 2;
        w->targets[1].module = module_names[0];
}
static void module_pinned(World *w) {
        world_patch(w, 0)->state = LIVEPATCH_HELD;
        w->symbols[0].livepatched = false;
}
static void not_found(World *w) {
        w->symbols[0].matches = 0;
}
static void ambiguous(World *w) {
        w->symbols[0].matches = 2;
}
static void position_out_of_range(World *w) {
        w->symbols[0].matches = 2;
        w->functions[0][0] = (char *) "fa,3";
}
static void position_in_range(World *w) {
        w->symbols[0].matches = 2;
        w->functions[0][0] = (char *) "fa,2";
}
static void position_of_unique(World *w) {
        w->functions[0][0] = (char *) "fa,1";
}
static void not_traceable(World *w) {
        w->symbols[0].traceable = false;
}
static void busy(World *w) {
        w->symbols[0].busy = true;
}
static void busy_named(World *w) {
        w->symbols[0].busy = true;
        strcpy(w->symbols[0].owner, "their_handler [theirs]");
}
static void busy_kprobe(World *w) {
        w->symbols[0].busy = true;
        strcpy(w->symbols[0].owner, "kprobe_ftrace_handler");
}
static void second_function_bad(World *w) {
        w->functions[0][1] = (char *) "fb";
        w->symbols[1].traceable = false;
}
static void not_loaded_yet(World *w) {
        w->objects[0][0].name = (char *) "ext4";
        w->symbols[0] = (SymbolFacts) { .object = "ext4", .name = "fa" };
}
static void overlap(World *w) {
        world_patch(w, 1);
        w->patch_functions[0][0] = function_names[0];
}
static void overlap_by_position(World *w) {
        overlap(w);
        w->patch_functions[0][0] = (char *) "fa,1";
}
static void overlap_other_position(World *w) {
        overlap_by_position(w);
        w->symbols[0].matches = 2;
        w->symbols[0].livepatched = true; /* the kernel's lists tell names only */
        w->functions[0][0] = (char *) "fa,2";
}
static void overlap_superseded(World *w) {
        overlap(w);
        w->manifests[0].supersedes = world_list(w, ids[1]);
}
static void overlap_foreign(World *w) {
        world_foreign(w, 0);
}
static void overlap_unknown(World *w) {
        world_foreign(w, 0)->n_objects = 0;
}
static void overlap_within(World *w) {
        w->n_manifests = 2;
        w->functions[1][0] = function_names[0];
}
static void foreign_elsewhere(World *w) {
        world_foreign(w, 1);
}
static void replace_alone(World *w) {
        w->targets[0].replace = true;
}
static void replace_with_other(World *w) {
        w->targets[0].replace = true;
        world_patch(w, 1);
}
static void replace_with_superseded(World *w) {
        replace_with_other(w);
        w->manifests[0].supersedes = world_list(w, ids[1]);
}
static void replace_with_foreign(World *w) {
        w->targets[0].replace = true;
        world_foreign(w, 1);
}
static void replace_with_consent(World *w) {
        replace_with_other(w);
        w->options.allow_replace_foreign = true;
}
static void replace_foreign_with_consent(World *w) {
        replace_with_foreign(w);
        w->options.allow_replace_foreign = true;
}
static void replace_same_function_with_consent(World *w) {
        w->targets[0].replace = true;
        world_foreign(w, 0);
        w->options.allow_replace_foreign = true;
}
static void replace_both(World *w) {
        w->targets[0].replace = true;
        world_patch(w, 1);
        world_foreign(w, 2);
}
static void consent_without_replace(World *w) {
        world_foreign(w, 0);
        w->options.allow_replace_foreign = true;
}
static void replace_active_item(World *w) {
        replace_with_consent(w);
        w->n_manifests = 2;
}
static void replace_twice_with_consent(World *w) {
        w->n_manifests = 2;
        w->targets[0].replace = w->targets[1].replace = true;
        w->options.allow_replace_foreign = true;
}
static void requires_what_leaves(World *w) {
        w->n_manifests = 2;
        w->manifests[0].requires = world_list(w, ids[1]);
        /* the other one takes the place of all: it goes first */
        w->order[1] = &w->manifests[2];
        w->digests[1] = ids[2];
        w->targets[2].replace = true;
        w->options.allow_replace_foreign = true;
        world_patch(w, 1);
}
static void superseding_a_requirement(World *w) {
        w->n_manifests = 2;
        w->manifests[0].requires = world_list(w, ids[2]);
        w->manifests[1].supersedes = world_list(w, ids[2]);
        world_patch(w, 2);
}
static void supersedes_active_item(World *w) {
        w->n_manifests = 2;
        w->manifests[0].supersedes = world_list(w, ids[1]);
        world_patch(w, 1);
}
static void stream_changed(World *w) {
        PlanPatch *p = world_patch(w, 0);

        p->state = LIVEPATCH_ABSENT;
        p->stream = "stream-z";
        p->digest = "other";
        w->symbols[0].livepatched = false;
}
static void stream_changed_allowed(World *w) {
        stream_changed(w);
        w->options.allow_downgrade = true;
}
static void supersedes_other_stream(World *w) {
        w->manifests[0].supersedes = world_list(w, ids[1]);
        world_patch(w, 1);
}
static void ksplice(World *w) {
        static const PlanOther other = { "Ksplice", "module 'ksplice_x' is loaded", true };

        w->facts.others = &other;
        w->facts.n_others = 1;
}
static void kpatch_service(World *w) {
        static const PlanOther other = { "kpatch", "kpatch.service is active", false };

        w->facts.others = &other;
        w->facts.n_others = 1;
}
static void many_records(World *w, size_t n) {
        static PlanPatch many[HOTPATCH_ADMITTED_MAX];

        for (size_t i = 0; i < n; i++)
                many[i] = (PlanPatch) { .id = "hp-old", .module = "hp_old", .recorded = true, .state = LIVEPATCH_ABSENT };
        w->facts.patches = many;
        w->facts.n_patches = n;
}
static void no_room(World *w) {
        many_records(w, HOTPATCH_ADMITTED_MAX);
}
static void room_for_one(World *w) {
        many_records(w, HOTPATCH_ADMITTED_MAX - 1);
}
static void replace_twice(World *w) {
        w->n_manifests = 2;
        w->targets[0].replace = w->targets[1].replace = true;
}
static void forbid(World *w, char *pattern) {
        w->options.policy.forbid = world_list(w, pattern);
}
static void source_of(World *w, size_t i, char *source) {
        w->originals[i] = (ManifestOriginal) { .function = function_names[i], .source = source };
        w->objects[i][0].originals = &w->originals[i];
        w->objects[i][0].n_originals = 1;
}
static void policy_unreadable(World *w) {
        w->options.policy.unreadable = true;
}
static void forbid_object(World *w) {
        forbid(w, (char *) "vm*");
}
static void forbid_other_object(World *w) {
        forbid(w, (char *) "nf_tables");
}
static void forbid_object_by_dash(World *w) {
        w->objects[0][0].name = (char *) "nf_tables";
        w->symbols[0] = (SymbolFacts) { .object = "nf_tables", .name = "fa" };
        forbid(w, (char *) "nf-table[a-z]");
}
static void forbid_function(World *w) {
        forbid(w, (char *) "vmlinux:f?");
}
static void forbid_function_at_position(World *w) {
        forbid(w, (char *) "vmlinux:fa");
        w->functions[0][0] = (char *) "fa,1";
}
static void forbid_other_function(World *w) {
        forbid(w, (char *) "vmlinux:tcp_*");
}
static void forbid_function_of_other_object(World *w) {
        forbid(w, (char *) "ext4:fa");
}
static void forbid_folder(World *w) {
        forbid(w, (char *) "mm/");
        source_of(w, 0, (char *) "mm/kasan/report.c");
}
static void forbid_folder_only(World *w) {
        forbid(w, (char *) "mm/");
        source_of(w, 0, (char *) "arch/x86/mm/fault.c");
}
static void forbid_path(World *w) {
        forbid(w, (char *) "net/ipv4/*");
        source_of(w, 0, (char *) "net/ipv4/netfilter/ip_tables.c");
}
static void forbid_path_unknown(World *w) {
        forbid(w, (char *) "net/ipv4/*");
}
static void forbid_path_half_known(World *w) {
        forbid(w, (char *) "net/");
        source_of(w, 0, (char *) "fs/open.c");
        w->functions[0][1] = (char *) "fb";
}
static void forbid_second_pattern(World *w) {
        static char *patterns[] = { (char *) "nf_tables", (char *) "fs/*.c", NULL };

        w->options.policy.forbid = patterns;
        source_of(w, 0, (char *) "fs/open.c");
}
static void sig_enforce(World *w) {
        w->gates.module_signature_required = true;
}
static void lockdown(World *w) {
        w->gates.module_signature_required = true;
        w->gates.lockdown = (char *) "integrity";
}
static void unsigned_and_lockdown(World *w) {
        lockdown(w);
        w->payloads[0].is_signed = false;
        w->payloads[0].signer = NULL;
}
static void unsigned_and_sig_enforce(World *w) {
        sig_enforce(w);
        w->payloads[0].is_signed = false;
        w->payloads[0].signer = NULL;
}
static void unsigned_and_free(World *w) {
        w->payloads[0].is_signed = false;
        w->payloads[0].signer = NULL;
}
static void signature_unreadable(World *w) {
        sig_enforce(w);
        w->payloads[0].signer = NULL;
}
static void key_missing(World *w) {
        lockdown(w);
        w->payloads[0].key = CERTAINLY_NOT;
}
static void others_trusted(World *w) {
        unsigned_and_lockdown(w);
        w->facts.trusted_keys = "'Our key' in .platform";
}
static void key_missing_others_trusted(World *w) {
        key_missing(w);
        w->facts.trusted_keys = "no key";
}
static void key_missing_and_free(World *w) {
        w->payloads[0].key = CERTAINLY_NOT;
}
static void key_uncertain(World *w) {
        lockdown(w);
        w->payloads[0].key = UNCERTAIN;
}
static void second_unsigned(World *w) {
        lockdown(w);
        w->n_manifests = 2;
        w->payloads[1].is_signed = false;
}
static void no_tracing(World *w) {
        w->facts.no_tracing = "it is not mounted";
        w->facts.n_symbols = 0;
}
static void states(World *w, char *mine, char *theirs) {
        if (mine)
                w->payloads[0].states = world_list(w, mine);
        world_patch(w, 1)->states = theirs ? world_list(w, theirs) : NULL;
}
static void state_same(World *w) {
        states(w, (char *) "5:2", (char *) "5:2");
}
static void state_higher(World *w) {
        states(w, (char *) "5:10", (char *) "5:9");
}
static void state_lower(World *w) {
        states(w, (char *) "5:9", (char *) "5:10");
}
static void state_unknown_to_one_more(World *w) {
        states(w, NULL, (char *) "5:2");
}
static void state_unknown_to_one_that_replaces(World *w) {
        states(w, (char *) "6:1", (char *) "5:2");
        w->targets[0].replace = true;
        w->manifests[0].supersedes = world_list(w, ids[1]);
}
static void state_lower_within(World *w) {
        w->n_manifests = 2;
        w->payloads[0].states = world_list(w, (char *) "5:2");
        w->payloads[1].states = world_list(w, (char *) "5:1");
}
static void state_of_a_stranger(World *w) {
        states(w, (char *) "5:1", NULL);
        w->patches[0].recorded = false;
        w->patches[0].id = NULL;
}

#define E(name) HOTPATCH_ERROR(name)
static const struct {
        const char *name;
        void (*change)(World *w);
        const char *refusal; /* NULL: none */
        const char *in_message;
} rules[] = {
        { "the world is good", no_change, NULL, NULL },
        { "hotpatching switched off", disabled, E("Disabled"), "/etc/hotpatch/disable" },
        { "denied by policy", denied, E("HotpatchDenied"), "/etc/x:2" },
        { "not eligible", ineligible, E("NotEligible"), "TPM 2.0 is missing" },
        { "switched off at boot", command_line, E("Disabled"), "hotpatch=off" },
        { "no livepatch support", no_support, E("NoLivepatchSupport"), "6.1.0-50" },
        { "no reliable stacks", unreliable_stacks, E("NoReliableStacks"), "6.1.0-50" },
        { "ftrace off", no_ftrace, E("FtraceDisabled"), "ftrace_enabled" },
        { "transition running", transition, E("TransitionInProgress"), "'other'" },
        { "a baseline", baseline, E("NotAHotpatch"), "'hp-a'" },
        { "other architecture", wrong_arch, E("ArchitectureMismatch"), "aarch64" },
        { "other release", wrong_release, E("KernelReleaseMismatch"), "6.1.0-56-cloud-amd64" },
        { "right release, other build", wrong_build_id, E("KernelBuildIdMismatch"), "'ab'" },
        { "expired", expired, E("BundleExpired"), "'hp-a'" },
        { "other build of a module", other_module_build, E("ModuleBuildIdMismatch"), "'ext4'" },
        { "module without build-id", module_without_build_id, E("ModuleBuildIdMismatch"), "'ext4'" },
        { "right build of a module", right_module_build, NULL, NULL },
        { "one strike", struck_once, NULL, NULL },
        { "two strikes", quarantined, E("Quarantined"), "It went down again" },
        { "strikes that cannot be read", quarantine_damaged, E("Quarantined"), "cannot be read" },
        { "two strikes of other content", quarantined_other_content, NULL, NULL },
        { "two strikes of another bundle", quarantined_other_id, NULL, NULL },
        { "lower sequence", lower_sequence, E("Downgrade"), "reached 4" },
        { "lower sequence, allowed", lower_sequence_allowed, NULL, NULL },
        { "lower than an active one", lower_than_active, E("Downgrade"), "reached 9" },
        { "other stream is further", other_stream, NULL, NULL },
        { "sequence reused", reused_sequence, E("SequenceReused"), "'stream-a'" },
        { "the same bundle again", same_again, NULL, NULL },
        { "one sequence twice in one go", same_stream_twice, E("SequenceReused"), "'stream-a'" },
        { "named twice", named_twice, SD_BUS_ERROR_INVALID_ARGS, "'hp-a'" },
        { "require each other", cycle, E("RequirementCycle"), "'hp-b'" },
        { "superseded by an active one", superseded_by_active, E("Downgrade"), "'hp-b'" },
        { "superseded in the same go", supersedes_within, E("Conflict"), "'hp-b' supersedes 'hp-a'" },
        { "requirement missing", missing_requirement, E("MissingRequirement"), "'hp-b'" },
        { "requirement only wanted", requirement_not_in_force, E("MissingRequirement"), "'hp-b'" },
        { "requirement met", requirement_met, NULL, NULL },
        { "requirement met by its successor", requirement_superseded, NULL, NULL },
        { "conflict", conflict, E("Conflict"), "'hp-b'" },
        { "conflict declared by the other", conflict_declared_by_other, E("Conflict"), "'hp-b'" },
        { "conflict with a wanted one", conflict_with_wanted, E("Conflict"), "'hp-b'" },
        { "conflict in the same go", conflict_within, E("Conflict"), "'hp-a'" },
        { "conflict with nobody here", conflict_elsewhere, NULL, NULL },
        { "same id, other content", same_id_other_content, E("Conflict"), "other content" },
        { "module name loaded", module_loaded, E("ModuleNameInUse"), "'hp_a'" },
        { "module name of a patch", module_of_other_patch, E("ModuleNameInUse"), "'hp_a'" },
        { "module name in the same go", module_of_other_bundle, E("ModuleNameInUse"), "'hp_a'" },
        { "module pinned", module_pinned, E("PinnedUntilReboot"), "'hp_a'" },
        { "function not there", not_found, E("FunctionNotFound"), "'fa'" },
        { "function ambiguous", ambiguous, E("FunctionAmbiguous"), "'fa'" },
        { "position out of range", position_out_of_range, E("FunctionAmbiguous"), "'fa,3'" },
        { "position in range", position_in_range, NULL, NULL },
        { "position of a unique function", position_of_unique, NULL, NULL },
        { "no ftrace site", not_traceable, E("FunctionNotTraceable"), "'fa'" },
        { "function busy", busy, E("FunctionBusy"), "'fa' of 'vmlinux', which something that the kernel" },
        { "function of a named owner", busy_named, E("FunctionBusy"), "handler 'their_handler [theirs]'" },
        { "function of a kprobe", busy_kprobe, E("FunctionBusy"), "which a kprobe" },
        { "second function bad", second_function_bad, E("FunctionNotTraceable"), "'fb'" },
        { "module not loaded yet", not_loaded_yet, NULL, NULL },
        { "function of an active patch", overlap, E("Conflict"), "'hp-b'" },
        { "same function by position", overlap_by_position, E("Conflict"), "'hp-b'" },
        { "other function of the name", overlap_other_position, NULL, NULL },
        { "function of a superseded patch", overlap_superseded, NULL, NULL },
        { "function of a stranger's patch", overlap_foreign, E("Conflict"), "'kpatch_foo'" },
        { "function of an unknown patch", overlap_unknown, E("Conflict"), "unknown" },
        { "function twice in one go", overlap_within, E("Conflict"), "'hp-a'" },
        { "stranger's patch elsewhere", foreign_elsewhere, NULL, NULL },
        { "replace, nobody there", replace_alone, NULL, NULL },
        { "replace, another there", replace_with_other, E("WouldReplaceOthers"), "does not supersede 'hp-b'" },
        { "replace, another there, with consent", replace_with_consent, NULL, NULL },
        { "replace, another superseded", replace_with_superseded, NULL, NULL },
        { "replace, stranger there", replace_with_foreign, E("WouldReplaceOthers"), "take out 'kpatch_foo', which is not ours" },
        { "replace, stranger there, with consent", replace_foreign_with_consent, NULL, NULL },
        { "replace a stranger's function, with consent", replace_same_function_with_consent, NULL, NULL },
        { "replace both", replace_both, E("WouldReplaceOthers"), "'kpatch_foo', which is not ours, and 'hp-b', which it does not supersede" },
        { "consent is for replacing only", consent_without_replace, E("Conflict"), "'kpatch_foo'" },
        { "replace what is asked for", replace_active_item, E("Conflict"), "also of 'hp-b' in the same transaction" },
        { "two that replace, with consent", replace_twice_with_consent, E("Conflict"), "'hp-a'" },
        { "requires what it takes out", requires_what_leaves, E("MissingRequirement"), "'hp-a' requires 'hp-b', which this transaction takes out" },
        { "superseding what another requires", superseding_a_requirement, NULL, NULL },
        { "supersedes an active one of the same go", supersedes_active_item, E("Conflict"), "'hp-a' supersedes 'hp-b'" },
        { "same id, other stream", stream_changed, E("Downgrade"), "of the stream 'stream-a', and this machine knows it in the stream 'stream-z'" },
        { "same id, other stream, allowed", stream_changed_allowed, NULL, NULL },
        { "supersedes a patch of another stream", supersedes_other_stream, NULL, NULL },
        { "Ksplice at work", ksplice, E("OtherPatcherAtWork"), "module 'ksplice_x' is loaded" },
        { "kpatch's service", kpatch_service, NULL, NULL },
        { "no room for a record", no_room, E("TooManyPatches"), "129 patches" },
        { "room for the last record", room_for_one, NULL, NULL },
        { "two that replace", replace_twice, E("Conflict"), "'hp-a'" },
        { "policy unreadable", policy_unreadable, E("ForbiddenByPolicy"), "cannot be read" },
        { "object forbidden", forbid_object, E("ForbiddenByPolicy"), "'fa' of 'vmlinux', and the policy of this machine forbids 'vm*'" },
        { "other object forbidden", forbid_other_object, NULL, NULL },
        { "object forbidden by its file's name", forbid_object_by_dash, E("ForbiddenByPolicy"), "'nf-table[a-z]'" },
        { "function forbidden", forbid_function, E("ForbiddenByPolicy"), "'vmlinux:f?'" },
        { "function at a position forbidden", forbid_function_at_position, E("ForbiddenByPolicy"), "'fa,1'" },
        { "other function forbidden", forbid_other_function, NULL, NULL },
        { "function of another object forbidden", forbid_function_of_other_object, NULL, NULL },
        { "folder forbidden", forbid_folder, E("ForbiddenByPolicy"), "'fa' of 'vmlinux' from 'mm/kasan/report.c'" },
        { "folder of the name elsewhere", forbid_folder_only, NULL, NULL },
        { "path forbidden", forbid_path, E("ForbiddenByPolicy"), "'net/ipv4/*'" },
        { "source unknown", forbid_path_unknown, E("ForbiddenByPolicy"), "does not say which source file the function 'fa'" },
        { "source of one unknown", forbid_path_half_known, E("ForbiddenByPolicy"), "'fb'" },
        { "second pattern", forbid_second_pattern, E("ForbiddenByPolicy"), "'fs/*.c'" },
        { "lockdown, signed", lockdown, NULL, NULL },
        { "lockdown, not signed", unsigned_and_lockdown, E("ModuleSignatureRequired"), "is not signed, and this kernel loads only modules that are signed with a key it trusts (lockdown is 'integrity')" },
        { "sig_enforce, not signed", unsigned_and_sig_enforce, E("ModuleSignatureRequired"), "module.sig_enforce" },
        { "not signed", unsigned_and_free, NULL, NULL },
        { "signature unreadable", signature_unreadable, E("ModuleSignatureRequired"), "cannot be read" },
        { "key missing", key_missing, E("ModuleSignatureRequired"), "'Our key' with the serial number 01, which is in none" },
        { "not signed, keys known", others_trusted, E("ModuleSignatureRequired"), "(lockdown is 'integrity'); it trusts 'Our key' in .platform" },
        { "key missing, no keys", key_missing_others_trusted, E("ModuleSignatureRequired"), "; it trusts no key" },
        { "key missing where nobody asks", key_missing_and_free, NULL, NULL },
        { "key uncertain", key_uncertain, NULL, NULL },
        { "second of two not signed", second_unsigned, E("ModuleSignatureRequired"), "'hp-b'" },
        { "no tracefs", no_tracing, E("TracingUnavailable"), "not mounted" },
        { "same version of a state", state_same, NULL, NULL },
        { "higher version of a state", state_higher, NULL, NULL },
        { "lower version of a state", state_lower, E("SystemStateIncompatible"), "state 5 in version 9, and 'hp-b' has it in version 10" },
        { "state not known to one more", state_unknown_to_one_more, NULL, NULL },
        { "state not known to one that replaces", state_unknown_to_one_that_replaces, E("SystemStateIncompatible"), "does not know the system state 5 of 'hp-b'" },
        { "lower version in one go", state_lower_within, E("SystemStateIncompatible"), "'hp-a' has it in version 2" },
        { "states of a stranger", state_of_a_stranger, NULL, NULL },
};

START_TEST(test_rules) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        rules[_i].change(&w);
        p = apply(&w);
        if (!rules[_i].refusal) {
                ck_assert_msg(!sd_bus_error_is_set(&p->refusal), "%s: refused: %s: %s", rules[_i].name,
                        strempty(p->refusal.name), strempty(p->refusal.message));
                ck_assert_msg(p->changed && p->n_steps > 0, "%s: nothing to do", rules[_i].name);
                ck_assert_msg(failed_conditions(p) == 0, "%s: a condition failed", rules[_i].name);
                return;
        }
        ck_assert_msg(sd_bus_error_has_name(&p->refusal, rules[_i].refusal), "%s: not %s but %s: %s",
                rules[_i].name, rules[_i].refusal, strempty(p->refusal.name), strempty(p->refusal.message));
        ck_assert_msg(strstr(p->refusal.message, rules[_i].in_message), "%s: \"%s\" does not say %s",
                rules[_i].name, p->refusal.message, rules[_i].in_message);
        ck_assert_ptr_nonnull(hotpatch_error_find(p->refusal.name));
        ck_assert_uint_eq(p->n_steps, 0);
        ck_assert(!p->changed);
}
END_TEST

/* All that is in the way is reported; the first is said. */
START_TEST(test_all_conditions) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        w.gates.ftrace_enabled = false;
        w.manifests[0].expires_usec = 1;
        w.symbols[0].traceable = false;
        p = apply(&w);
        ck_assert(sd_bus_error_has_name(&p->refusal, HOTPATCH_ERROR("FtraceDisabled")));
        ck_assert_uint_eq(failed_conditions(p), 3);
        ck_assert_uint_eq(p->n_functions, 1);
}
END_TEST

static const PlanCondition *find_condition(const Plan *p, const char *check) {
        for (size_t i = 0; i < p->n_conditions; i++)
                if (startswith(p->conditions[i].check, check))
                        return &p->conditions[i];
        ck_abort_msg("no condition '%s'", check);
}

static void assert_condition(const World *w, const char *check, bool note, const char *found) {
        _cleanup_(plan_freep) Plan *p = apply(w);
        const PlanCondition *c = find_condition(p, check);

        ck_assert(c->ok);
        ck_assert_msg(c->note == note, "%s: note %d", check, c->note);
        ck_assert_msg(strstr(c->found, found), "\"%s\" does not say %s", c->found, found);
}

/* What cannot be known does not stand in the way, and is said. */
START_TEST(test_notes) {
        World w;

        world_init(&w);
        lockdown(&w);
        assert_condition(&w, "signature hp_a", false, "in .platform");
        key_uncertain(&w);
        assert_condition(&w, "signature hp_a", true, "perhaps not");
        assert_condition(&w, "system-states", false, "none");
        state_of_a_stranger(&w);
        assert_condition(&w, "system-states", true, "5:1; those of 'hp_b' are not known");
        kpatch_service(&w);
        assert_condition(&w, "other-patchers", true, "kpatch: kpatch.service is active");
        w.payloads[0].states_known = false;
        assert_condition(&w, "system-states", true, "not known");
}
END_TEST

/* --- steps and functions --- */

START_TEST(test_one_bundle) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        p = apply(&w);
        assert_steps(p, "insert hp-a, transition hp-a, commit hp-a");
        ck_assert_str_eq(p->steps[0].module, "hp_a");
        ck_assert_int_eq(find_function(p, "hp-a", "fa")->change, FUNCTION_ADDED);
        ck_assert(!find_function(p, "hp-a", "fa")->deferred);
}
END_TEST

START_TEST(test_deferred) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        not_loaded_yet(&w);
        p = apply(&w);
        ck_assert(find_function(p, "hp-a", "fa")->deferred);
        ck_assert(find_condition(p, "function ext4:fa")->note);
}
END_TEST

START_TEST(test_several) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        w.n_manifests = 3;
        /* c needs a, a needs b */
        w.order[0] = &w.manifests[2];
        w.order[1] = &w.manifests[0];
        w.order[2] = &w.manifests[1];
        w.manifests[2].requires = world_list(&w, ids[0]);
        w.manifests[0].requires = world_list(&w, ids[1]);
        p = apply(&w);
        assert_steps(p, "insert hp-b, transition hp-b, insert hp-a, transition hp-a, "
                "insert hp-c, transition hp-c, commit hp-b, commit hp-a, commit hp-c");
}
END_TEST

START_TEST(test_stream_order) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        w.n_manifests = 2;
        w.manifests[1].stream = w.manifests[0].stream;
        w.manifests[1].sequence = 2;
        p = apply(&w);
        assert_steps(p, "insert hp-b, transition hp-b, insert hp-a, transition hp-a, commit hp-b, commit hp-a");
}
END_TEST

START_TEST(test_replace_goes_first) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        w.n_manifests = 2;
        w.targets[1].replace = true;
        p = apply(&w);
        assert_steps(p, "insert hp-b, transition hp-b, insert hp-a, transition hp-a, commit hp-b, commit hp-a");
}
END_TEST

START_TEST(test_supersede) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        world_patch(&w, 1);
        world_patch(&w, 2);
        w.patch_functions[0][1] = function_names[0];
        w.lists[0][0] = NULL;
        w.manifests[0].supersedes = (char *[]) { ids[1], ids[2], NULL };
        p = apply(&w);
        /* the later one leaves first */
        assert_steps(p, "insert hp-a, transition hp-a, commit hp-a, "
                "disable hp-c, vanish hp-c, unload hp-c, forget hp-c, "
                "disable hp-b, vanish hp-b, unload hp-b, forget hp-b");
        ck_assert_int_eq(find_function(p, "hp-a", "fa")->change, FUNCTION_KEPT);
        ck_assert_int_eq(find_function(p, "hp-b", "fb")->change, FUNCTION_DROPPED);
        ck_assert_ptr_null(find_function(p, "hp-b", "fa"));
        ck_assert_int_eq(find_function(p, "hp-c", "fc")->change, FUNCTION_DROPPED);
}
END_TEST

START_TEST(test_supersede_by_replace) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        replace_with_superseded(&w);
        p = apply(&w);
        /* the kernel disables it */
        assert_steps(p, "insert hp-a, transition hp-a, commit hp-a, vanish hp-b, unload hp-b, forget hp-b");
}
END_TEST

/* Ours leave as if superseded, a stranger's module is not ours to unload. */
START_TEST(test_replace_with_consent) {
        _cleanup_(plan_freep) Plan *p = NULL;
        const PlanCondition *c;
        World w;

        world_init(&w);
        replace_both(&w);
        w.options.allow_replace_foreign = true;
        p = apply(&w);
        assert_steps(p, "insert hp-a, transition hp-a, commit hp-a, vanish hp-b, unload hp-b, forget hp-b");
        c = find_condition(p, "replaces");
        ck_assert(c->ok && c->note);
        ck_assert_str_eq(c->found, "'hp-b', 'kpatch_foo'");
        ck_assert_int_eq(find_function(p, "hp-b", "fb")->change, FUNCTION_DROPPED);
        ck_assert_int_eq(find_function(p, "kpatch_foo", "fc")->change, FUNCTION_DROPPED);
}
END_TEST

START_TEST(test_supersede_states) {
        static const struct {
                LivepatchState state;
                const char *steps;
        } cases[] = {
                { LIVEPATCH_INACTIVE, "insert hp-a, transition hp-a, commit hp-a, unload hp-b, forget hp-b" },
                { LIVEPATCH_HELD, "insert hp-a, transition hp-a, commit hp-a, forget hp-b, vanish hp-b, unload hp-b" },
                { LIVEPATCH_ABSENT, "insert hp-a, transition hp-a, commit hp-a, forget hp-b" },
        };
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        world_patch(&w, 1)->state = cases[_i].state;
        w.manifests[0].supersedes = world_list(&w, ids[1]);
        p = apply(&w);
        assert_steps(p, cases[_i].steps);
}
END_TEST

START_TEST(test_already) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        world_patch(&w, 0);
        /* what would stand in the way does not matter where nothing is to be done */
        w.facts.disabled = "a test";
        p = apply(&w);
        assert_steps(p, "");
        ck_assert_uint_eq(p->n_functions, 0);
}
END_TEST

START_TEST(test_already_one_of_two) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        world_patch(&w, 0);
        w.n_manifests = 2;
        p = apply(&w);
        assert_steps(p, "insert hp-b, transition hp-b, commit hp-b");
}
END_TEST

/* Disabled by hand, so loaded without effect: unload, then load again. */
START_TEST(test_leftover) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        world_patch(&w, 0)->state = LIVEPATCH_INACTIVE;
        w.symbols[0].livepatched = false;
        module_loaded(&w);
        p = apply(&w);
        assert_steps(p, "unload hp-a, insert hp-a, transition hp-a, commit hp-a");
}
END_TEST

START_TEST(test_limits) {
        const Manifest *many[HOTPATCH_TRANSACTION_MAX + 1];
        const char *digests[HOTPATCH_TRANSACTION_MAX + 1];
        Plan *p = (Plan *) 1;
        World w;

        world_init(&w);
        for (size_t i = 0; i < ELEMENTSOF(many); i++) {
                many[i] = &w.manifests[0];
                digests[i] = "x";
        }
        /* untouched where there is no plan */
        ck_assert_int_eq(plan_apply(many, digests, 0, &w.facts, &w.options, &p), -EINVAL);
        ck_assert_ptr_eq(p, (Plan *) 1);
        w.facts.n_symbols = 0;
        ck_assert_int_eq(plan_apply(many, digests, 1, &w.facts, &w.options, &p), -ENODATA);
        ck_assert_ptr_eq(p, (Plan *) 1);

        ck_assert_ok(plan_apply(many, digests, ELEMENTSOF(many), &w.facts, &w.options, &p));
        ck_assert(sd_bus_error_has_name(&p->refusal, SD_BUS_ERROR_LIMITS_EXCEEDED));
        plan_free(p);
}
END_TEST

/* --- remove --- */

static Plan *take_out(const World *w, char *const *which) {
        Plan *p = NULL;

        ck_assert_ok(plan_remove(which, &w->facts, &p));
        return p;
}

static void assert_remove_refused(const World *w, char *const *which, const char *name, const char *text) {
        _cleanup_(plan_freep) Plan *p = take_out(w, which);

        ck_assert_msg(sd_bus_error_has_name(&p->refusal, name), "not %s but %s", name, strempty(p->refusal.name));
        ck_assert_msg(strstr(p->refusal.message, text), "\"%s\" does not say %s", p->refusal.message, text);
        ck_assert_uint_eq(p->n_steps, 0);
}

START_TEST(test_remove_states) {
        static const struct {
                LivepatchState state;
                const char *steps;
        } cases[] = {
                { LIVEPATCH_PATCHED, "disable hp-a, vanish hp-a, unload hp-a, forget hp-a" },
                { LIVEPATCH_INACTIVE, "unload hp-a, forget hp-a" },
                { LIVEPATCH_HELD, "forget hp-a, vanish hp-a, unload hp-a" },
                { LIVEPATCH_ABSENT, "forget hp-a" },
        };
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        world_patch(&w, 0)->state = cases[_i].state;
        /* removing is allowed where applying is not */
        w.facts.disabled = "a test";
        p = take_out(&w, (char *[]) { ids[0], ids[0], NULL });
        assert_steps(p, cases[_i].steps);
        ck_assert_uint_eq(p->n_functions, cases[_i].state == LIVEPATCH_PATCHED);
}
END_TEST

START_TEST(test_remove_order) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        world_patch(&w, 0);
        world_patch(&w, 1);
        w.patches[1].requires = world_list(&w, ids[0]);
        p = take_out(&w, (char *[]) { ids[0], ids[1], NULL });
        assert_steps(p, "disable hp-b, vanish hp-b, unload hp-b, forget hp-b, "
                "disable hp-a, vanish hp-a, unload hp-a, forget hp-a");
}
END_TEST

START_TEST(test_remove_of_a_staged_one_is_nothing_to_do) {
        char *staged[] = { (char *) "hp-z", NULL };
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        w.facts.staged = staged;
        p = take_out(&w, staged);
        ck_assert(!p->changed);
        assert_steps(p, "");
}
END_TEST

START_TEST(test_remove_refusals) {
        World w;

        world_init(&w);
        world_patch(&w, 0);
        world_foreign(&w, 1);
        assert_remove_refused(&w, (char *[]) { (char *) "hp-z", NULL }, HOTPATCH_ERROR("NoSuchPatch"), "'hp-z'");
        assert_remove_refused(&w, (char *[]) { (char *) "kpatch_foo", NULL }, HOTPATCH_ERROR("NotOurs"),
                "'kpatch_foo'");
        assert_remove_refused(&w, (char *[]) { ids[0], (char *) "hp-z", NULL },
                HOTPATCH_ERROR("NoSuchPatch"), "'hp-z'");

        world_patch(&w, 2)->requires = world_list(&w, ids[0]);
        assert_remove_refused(&w, (char *[]) { ids[0], NULL }, HOTPATCH_ERROR("Conflict"),
                "'hp-a' is required by the active patch 'hp-c'");
        world_patch(&w, 3)->requires = world_list(&w, ids[0]);
        assert_remove_refused(&w, (char *[]) { ids[0], NULL }, HOTPATCH_ERROR("Conflict"),
                "required by the active patches 'hp-c', 'hp-d'");

        w.facts.transition_module = "other";
        assert_remove_refused(&w, (char *[]) { ids[0], NULL }, HOTPATCH_ERROR("TransitionInProgress"), "'other'");
}
END_TEST

START_TEST(test_remove_provided_by_other) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        world_patch(&w, 0);
        world_patch(&w, 1)->requires = world_list(&w, ids[0]);
        world_patch(&w, 2)->supersedes = world_list(&w, ids[0]);
        p = take_out(&w, (char *[]) { ids[0], NULL });
        assert_steps(p, "disable hp-a, vanish hp-a, unload hp-a, forget hp-a");
}
END_TEST

/* Forgetting a patch that is not loaded need not wait for anybody. */
START_TEST(test_forget_in_transition) {
        _cleanup_(plan_freep) Plan *p = NULL;
        World w;

        world_init(&w);
        world_patch(&w, 0)->state = LIVEPATCH_ABSENT;
        w.facts.transition_module = "other";
        p = take_out(&w, (char *[]) { ids[0], NULL });
        assert_steps(p, "forget hp-a");
}
END_TEST

static Suite *plan_suite(void) {
        Suite *s = suite_create("plan");
        TCase *c = tcase_create("refusals");

        tcase_add_loop_test(c, test_rules, 0, ELEMENTSOF(rules));
        tcase_add_test(c, test_all_conditions);
        tcase_add_test(c, test_notes);
        suite_add_tcase(s, c);

        c = tcase_create("apply");
        tcase_add_test(c, test_one_bundle);
        tcase_add_test(c, test_deferred);
        tcase_add_test(c, test_several);
        tcase_add_test(c, test_stream_order);
        tcase_add_test(c, test_replace_goes_first);
        tcase_add_test(c, test_supersede);
        tcase_add_test(c, test_supersede_by_replace);
        tcase_add_test(c, test_replace_with_consent);
        tcase_add_loop_test(c, test_supersede_states, 0, 3);
        tcase_add_test(c, test_already);
        tcase_add_test(c, test_already_one_of_two);
        tcase_add_test(c, test_leftover);
        tcase_add_test(c, test_limits);
        suite_add_tcase(s, c);

        c = tcase_create("remove");
        tcase_add_loop_test(c, test_remove_states, 0, 4);
        tcase_add_test(c, test_remove_order);
        tcase_add_test(c, test_remove_of_a_staged_one_is_nothing_to_do);
        tcase_add_test(c, test_remove_refusals);
        tcase_add_test(c, test_remove_provided_by_other);
        tcase_add_test(c, test_forget_in_transition);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(plan_suite)
