/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Is this machine ready, and is the bundle for it.
 *
 * A kernel with module versions (CONFIG_MODVERSIONS, Debian's) does not compare the release of a
 * module, and symbols reached by klp relocations carry no checksum: the build-id is the only thing
 * that ties a patch to the code it was made for. So it is compared here, for the kernel and for
 * each loaded module, and never left to the loader.
 */

#include "daemon/plan-internal.h"
#include "util/str.h"

/* --- the machine --- */

static int check_disabled(PlanBuild *b) {
        const char *why = b->facts->disabled;
        int r;

        if (!why && b->facts->gates->command_line_off)
                why = "hotpatch=off on the kernel command line";
        r = plan_condition(b->plan, NULL, !why, why ?: "on", "on", "hotpatching");
        if (r < 0 || !why)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("Disabled"),
                        "Hotpatching is switched off on this machine: %s", why);
}

static int check_allowed(PlanBuild *b) {
        const char *why = b->options->policy.denied;
        int r = plan_condition(b->plan, NULL, !why, why ?: "yes", "yes", "allowed");

        if (r < 0 || !why)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("HotpatchDenied"),
                        "Hotpatches are not allowed on this machine: %s", why);
}

/* What has a name of its own comes before this. */
static int check_eligible(PlanBuild *b) {
        const char *ineligible = b->options->policy.ineligible;
        int r = plan_condition(b->plan, NULL, !ineligible, ineligible ?: "yes", "yes", "eligible");

        if (r < 0 || !ineligible)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("NotEligible"),
                        "This machine is not eligible for hotpatches: %s", ineligible);
}

/* A task may be inside a function that was replaced, and the kernel cannot see it any more. */
static int check_forced(PlanBuild *b) {
        const char *why = b->facts->forced;
        int r = plan_condition(b->plan, NULL, !why, why ? "yes" : "no", "no", "forced-transition");

        if (r < 0 || !why)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("ForcedUntilReboot"),
                        "Nothing more is applied before the restart: %s", why);
}

static int check_support(PlanBuild *b) {
        bool ok = b->facts->gates->livepatch_supported;
        int r = plan_condition(b->plan, NULL, ok, ok ? "yes" : "no", "yes", "livepatch-support");

        if (r < 0 || ok)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("NoLivepatchSupport"),
                        "The running kernel '%s' has no livepatch support",
                        b->facts->kernel->release);
}

/* Without them no sleeping task is ever moved to the new code, and every transition would stall. */
static int check_stacks(PlanBuild *b) {
        static const char *const found[] = {
                [UNCERTAIN] = "unknown", [CERTAINLY] = "yes", [CERTAINLY_NOT] = "no",
        };
        Certainty c = b->facts->reliable_stacks;
        int r = plan_condition(b->plan, NULL, c != CERTAINLY_NOT, found[c], "yes", "reliable-stacks");

        if (r < 0 || c != CERTAINLY_NOT)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("NoReliableStacks"),
                        "The running kernel '%s' cannot trace the stacks of its tasks reliably, so that a "
                        "transition might never end", b->facts->kernel->release);
}

static int check_ftrace(PlanBuild *b) {
        bool ok = b->facts->gates->ftrace_enabled;
        int r = plan_condition(b->plan, NULL, ok, ok ? "on" : "off", "on", "ftrace");

        if (r < 0 || ok)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("FtraceDisabled"),
                        "Function tracing, which livepatches are built on, is switched off "
                        "(kernel.ftrace_enabled is 0)");
}

static int check_transition(PlanBuild *b) {
        const char *module = b->facts->transition_module;
        int r = plan_condition(b->plan, NULL, !module, module ?: "none", "none", "transition");

        if (r < 0 || !module)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("TransitionInProgress"),
                        "The livepatch '%s' is in transition, and the kernel does one at a time", module);
}

/* Who uses the kernel's livepatch meets us in its rules. */
static int check_others(PlanBuild *b) {
        for (size_t i = 0; i < b->facts->n_others; i++) {
                const PlanOther *o = &b->facts->others[i];
                _cleanup_free_ char *found = NULL;
                int r;

                if (str_printf(&found, "%s: %s", o->name, o->sign) < 0)
                        return -ENOMEM;
                r = o->hidden ? plan_condition(b->plan, NULL, false, found, "none", "other-patchers")
                              : plan_note(b->plan, NULL, found, "none", "other-patchers");
                if (r < 0)
                        return r;
                if (!o->hidden)
                        continue;
                r = plan_refuse(b->plan, HOTPATCH_ERROR("OtherPatcherAtWork"),
                                "%s patches this kernel in a way that the kernel does not show: %s", o->name,
                                o->sign);
                if (r < 0)
                        return r;
        }
        return b->facts->n_others > 0 ? 0 :
                plan_condition(b->plan, NULL, true, "none", "none", "other-patchers");
}

/* The record of each is written after it is in force: too late to find that there is no room. */
static int check_room(PlanBuild *b) {
        char found[32], needed[48];
        size_t n = 0;
        bool ok;
        int r;

        for (size_t i = 0; i < b->facts->n_patches; i++)
                n += b->facts->patches[i].recorded;
        for (size_t i = 0; i < b->n_items; i++)
                n += !(b->items[i].patch && b->items[i].patch->recorded);
        ok = n <= HOTPATCH_ADMITTED_MAX;
        snprintf(found, sizeof(found), "%zu", n);
        snprintf(needed, sizeof(needed), "at most %u", HOTPATCH_ADMITTED_MAX);
        r = plan_condition(b->plan, NULL, ok, found, needed, "patches");
        if (r < 0 || ok)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("TooManyPatches"),
                        "This machine would have %zu patches then, and it keeps at most %u", n,
                        HOTPATCH_ADMITTED_MAX);
}

static int check_tracing(PlanBuild *b) {
        const char *why = b->facts->no_tracing;
        int r = plan_condition(b->plan, NULL, !why, why ?: "readable", "readable", "tracefs");

        if (r < 0 || !why)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("TracingUnavailable"),
                        "The kernel's list of functions that can be replaced, in tracefs, cannot be read: %s",
                        why);
}

/* What they mean for a module: plan-payload.c. */
static int report_gates(PlanBuild *b) {
        const KernelGates *g = b->facts->gates;
        int r = plan_condition(b->plan, NULL, true, g->module_signature_required ? "required" : "not required",
                        "any", "module-signature");

        return r < 0 ? r : plan_condition(b->plan, NULL, true, strempty(g->lockdown), "any", "lockdown");
}

/**
 * plan_check_machine() - what stands in the way of any livepatch
 *
 * Return: 0 or -ENOMEM.
 */
int plan_check_machine(PlanBuild *b) {
        static int (*const checks[])(PlanBuild *) = {
                check_disabled,   check_allowed, check_forced,   check_support,
                check_stacks,     check_ftrace,  check_eligible, check_tracing,
                check_transition, report_gates,  check_others,   check_room,
        };

        for (size_t i = 0; i < ELEMENTSOF(checks); i++) {
                int r = checks[i](b);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- the bundle --- */

/* The values that the targets have, each once, for a person to read: "6.1.0-50-amd64, 6.1.0-56-amd64". */
static char *list_targets(const Manifest *m, const char *(*value)(const ManifestTarget *)) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        bool first = true;

        if (!f)
                return NULL;
        for (size_t i = 0; i < m->n_targets; i++) {
                bool seen = false;

                for (size_t j = 0; j < i; j++)
                        seen = seen || streq(value(&m->targets[i]), value(&m->targets[j]));
                if (seen)
                        continue;
                fprintf(f, "%s%s", first ? "" : ", ", value(&m->targets[i]));
                first = false;
        }
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static const char *target_arch(const ManifestTarget *t) {
        return t->arch;
}

static const char *target_release(const ManifestTarget *t) {
        return t->release;
}

static const char *target_build_id(const ManifestTarget *t) {
        return t->build_id;
}

typedef struct Identity {
        const char *check;
        const char *error;
        const char *what; /* in the message */
        const char *(*value)(const ManifestTarget *);
        const char *(*found)(const KernelIdentity *);
} Identity;

static const char *kernel_arch(const KernelIdentity *k) {
        return k->arch;
}

static const char *kernel_release(const KernelIdentity *k) {
        return k->release;
}

static const char *kernel_build_id(const KernelIdentity *k) {
        return k->build_id;
}

/* From coarse to fine: each is looked for only among the targets that passed those above it. */
static const Identity identities[] = {
        { "architecture", HOTPATCH_ERROR("ArchitectureMismatch"), "architecture", target_arch, kernel_arch },
        { "kernel-release", HOTPATCH_ERROR("KernelReleaseMismatch"), "kernel release", target_release,
          kernel_release },
        { "kernel-build-id", HOTPATCH_ERROR("KernelBuildIdMismatch"), "kernel build-id", target_build_id,
          kernel_build_id },
};

static bool any_target_fits(const Manifest *m, const KernelIdentity *k, size_t n_identities) {
        for (size_t i = 0; i < m->n_targets; i++) {
                bool fits = true;

                for (size_t j = 0; j < n_identities; j++)
                        fits = fits && streq(identities[j].value(&m->targets[i]), identities[j].found(k));
                if (fits)
                        return true;
        }
        return false;
}

static int check_identity(PlanBuild *b, const PlanItem *item) {
        const KernelIdentity *k = b->facts->kernel;
        const Manifest *m = item->manifest;

        for (size_t i = 0; i < ELEMENTSOF(identities); i++) {
                const Identity *id = &identities[i];
                bool ok = any_target_fits(m, k, i + 1);
                _cleanup_free_ char *needed = list_targets(m, id->value);
                int r;

                if (!needed)
                        return -ENOMEM;
                r = plan_condition(b->plan, m->id, ok, id->found(k), ok ? id->found(k) : needed, "%s",
                                id->check);
                if (r < 0)
                        return r;
                if (!ok)
                        return plan_refuse(b->plan, id->error,
                                        "The bundle '%s' is for the %s '%s', this machine has '%s'",
                                        m->id, id->what, needed, id->found(k));
        }
        return 0;
}

static int check_kind(PlanBuild *b, const PlanItem *item) {
        const Manifest *m = item->manifest;
        bool ok = m->kind == MANIFEST_HOTPATCH;
        int r = plan_condition(b->plan, m->id, ok, ok ? "hotpatch" : "baseline", "hotpatch", "kind");

        if (r < 0 || ok)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("NotAHotpatch"),
                        "The bundle '%s' describes a baseline, which is installed and not applied", m->id);
}

static int check_expiry(PlanBuild *b, const PlanItem *item) {
        const Manifest *m = item->manifest;
        bool ok = m->expires_usec == 0 || b->facts->now_usec < m->expires_usec;
        int r = plan_condition(b->plan, m->id, ok, ok ? "no" : "yes", "no", "expired");

        if (r < 0 || ok)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("BundleExpired"),
                        "The bundle '%s' was to be used only until a time that has passed", m->id);
}

static int check_module_build_id(PlanBuild *b, const Manifest *m, const ManifestObject *o) {
        const PlanModule *module = plan_find_module(b->facts, o->name);
        bool loaded = module && module->loaded, ok;
        int r;

        ok = !loaded || !o->build_id || streq_ptr(module->build_id, o->build_id);
        r = plan_condition(b->plan, m->id, ok, loaded ? module->build_id ?: "none" : "not loaded",
                        o->build_id ?: "any", "module-build-id %s", o->name);
        if (r < 0 || ok)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("ModuleBuildIdMismatch"),
                        "The bundle '%s' is for the build '%s' of the module '%s', loaded is '%s'",
                        m->id, o->build_id, o->name, module->build_id ?: "one without a build-id");
}

/**
 * plan_check_target() - is the bundle for this kernel, and still to be used
 *
 * Return: 0 or -ENOMEM.
 */
int plan_check_target(PlanBuild *b, const PlanItem *item) {
        int r;

        r = check_kind(b, item);
        if (r < 0)
                return r;
        if (item->manifest->kind == MANIFEST_HOTPATCH) {
                r = check_identity(b, item);
                if (r < 0)
                        return r;
        }
        r = check_expiry(b, item);
        if (r < 0 || !item->target)
                return r;
        for (size_t i = 0; i < item->target->n_objects; i++) {
                if (streq(item->target->objects[i].name, "vmlinux"))
                        continue;
                r = check_module_build_id(b, item->manifest, &item->target->objects[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}
