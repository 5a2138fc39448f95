/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the facts mean: a pure function of them and of the policy.
 *
 * Some rows are required by nature: a kernel without livepatch support cannot be patched, whatever the
 * policy says. The others are the site's posture; they are required when its policy names them. What
 * cannot be told is no obstacle by nature (the kernel says no by itself, later and less kindly), and it is
 * one for a demand of the site: a posture that nobody can see is not proved.
 *
 * Every row is shown always, so that a person sees what would be wanted before it is.
 */

#include <inttypes.h>

#include "eligibility/rows.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

typedef struct Finding {
        EligibilityVerdict verdict;
        char *text;
} Finding;

static int found(Finding *to, EligibilityVerdict verdict, const char *text) {
        to->verdict = verdict;
        to->text = strdup(text);
        return to->text ? 0 : -ENOMEM;
}

static int found_bool(Finding *to, bool ok, const char *yes, const char *no) {
        return found(to, ok ? ELIGIBILITY_OK : ELIGIBILITY_MISSING, ok ? yes : no);
}

static int found_possession(Finding *to, Possession p, const char *yes, const char *no) {
        if (p == POSSESSION_UNKNOWN)
                return found(to, ELIGIBILITY_UNKNOWN, "unknown");
        return found_bool(to, p == POSSESSION_YES, yes, no);
}

/* --- one function for each row --- */

static int judge_policy(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        return found_bool(to, !f->denied, "allowed", strempty(f->denied));
}

static int judge_livepatch(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        return found_bool(to, f->livepatch, "supported", "not supported");
}

static int judge_stack_traces(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        return found_possession(to, f->stack_traces, "reliable", "not reliable");
}

/* What hotpatch itself was tried on. */
static int judge_architecture(const EligibilityFacts *f, const Config *policy, Finding *to) {
        _cleanup_free_ char *text = NULL;
        bool preview = strv_contains(policy->preview_architectures, strempty(f->arch));

        if (streq(strempty(f->arch), "x86_64"))
                return found(to, ELIGIBILITY_OK, f->arch);
        if (str_printf(&text, "%s, %s", strempty(f->arch), preview ? "wanted as a preview" : "not supported yet") < 0)
                return -ENOMEM;
        return found(to, preview ? ELIGIBILITY_OK : ELIGIBILITY_MISSING, text);
}

static int judge_ftrace(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        return found_bool(to, f->ftrace, "on", "off");
}

static int judge_memory(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        char text[32];

        if (f->memory_bytes == 0)
                return found(to, ELIGIBILITY_UNKNOWN, "unknown");
        snprintf(text, sizeof(text), "%" PRIu64 " MiB", f->memory_bytes / (1024 * 1024));
        return found_bool(to, f->memory_bytes >= HOTPATCH_MEMORY_MIN, text, text);
}

static int judge_secure_boot(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        static const char *const words[] = {
                [SECURE_BOOT_UNKNOWN] = "unknown: the firmware's variables cannot be read",
                [SECURE_BOOT_NO_UEFI] = "off: not started by UEFI",
                [SECURE_BOOT_OFF] = "off",
                [SECURE_BOOT_SETUP] = "off: setup mode, no platform key",
                [SECURE_BOOT_ON] = "on",
        };

        if (f->secure_boot == SECURE_BOOT_UNKNOWN)
                return found(to, ELIGIBILITY_UNKNOWN, words[f->secure_boot]);
        return found_bool(to, f->secure_boot == SECURE_BOOT_ON, words[SECURE_BOOT_ON], words[f->secure_boot]);
}

static int judge_lockdown(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        return found_bool(to, !streq(strempty(f->lockdown), "none") && *strempty(f->lockdown), strempty(f->lockdown),
                        "none");
}

static int judge_signatures(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        return found_bool(to, f->signatures, "required", "not required");
}

static int judge_tpm(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        if (f->tpm < 0)
                return found(to, ELIGIBILITY_UNKNOWN, "unknown");
        return found_bool(to, f->tpm >= 2, "2.0", f->tpm == 1 ? "1.2" : "none");
}

static int judge_virtualization(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        _cleanup_free_ char *container = NULL;

        if (!f->virtualization)
                return found(to, ELIGIBILITY_UNKNOWN, "unknown");
        if (str_printf(&container, "container: %s", f->virtualization) < 0)
                return -ENOMEM;
        return found_bool(to, !f->container, f->virtualization, container);
}

static int judge_enrolment(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        char text[64];

        if (f->anchors_error)
                return found(to, ELIGIBILITY_MISSING, f->anchors_error);
        snprintf(text, sizeof(text), "%zu trust anchor%s", f->n_anchors, f->n_anchors == 1 ? "" : "s");
        return found_bool(to, f->n_anchors > 0, text, "nobody is trusted");
}

static int judge_baseline(const EligibilityFacts *f, _unused_ const Config *policy, Finding *to) {
        _cleanup_free_ char *late = NULL;

        if (f->baseline == POSSESSION_UNKNOWN)
                return found(to, ELIGIBILITY_UNKNOWN, f->baseline_found ?: "none is known");
        if (str_printf(&late, "%s, and %s was due", f->baseline_found ?: "none", strempty(f->baseline_needed)) < 0)
                return -ENOMEM;
        return found_bool(to, f->baseline == POSSESSION_YES, f->baseline_found ?: "reached", late);
}

/* --- the table --- */

static const struct {
        int (*judge)(const EligibilityFacts *f, const Config *policy, Finding *to);
        bool always; /* required by nature */
        const char *needed;
        const char *remedy;
} rules[_CHECK_MAX] = {
        [CHECK_POLICY] = { judge_policy, true, "allowed",
                "Set 'Hotpatch=yes' in hotpatchd.conf(5) and run 'hotpatchctl policy reload'." },
        [CHECK_LIVEPATCH] = { judge_livepatch, true, "supported",
                "Run a kernel that was built with CONFIG_LIVEPATCH=y." },
        [CHECK_STACK_TRACES] = { judge_stack_traces, true, "reliable",
                "Run a kernel with reliable stack traces (CONFIG_HAVE_RELIABLE_STACKTRACE; on x86 the ORC unwinder)." },
        [CHECK_ARCHITECTURE] = { judge_architecture, true, "x86_64, or one of PreviewArchitectures=",
                "Use a machine of a supported architecture, or name this one in 'PreviewArchitectures' of "
                "hotpatchd.conf(5)." },
        [CHECK_FTRACE] = { judge_ftrace, true, "on",
                "Turn function tracing on: sysctl kernel.ftrace_enabled=1." },
        [CHECK_MEMORY] = { judge_memory, false, "192 MiB",
                "Give the machine more memory; the largest bundles may not fit beside its work." },
        [CHECK_SECURE_BOOT] = { judge_secure_boot, false, "on",
                "Switch Secure Boot on in the firmware; the boot loader and kernels have to be signed for it." },
        [CHECK_LOCKDOWN] = { judge_lockdown, false, "integrity",
                "Start with 'lockdown=integrity' on the kernel command line; many kernels do so by themselves under "
                "Secure Boot." },
        [CHECK_MODULE_SIGNATURES] = { judge_signatures, false, "required",
                "Start with 'module.sig_enforce=1' on the kernel command line, or with lockdown." },
        [CHECK_TPM2] = { judge_tpm, false, "2.0",
                "Switch the TPM on in the firmware, or give the virtual machine one." },
        [CHECK_VIRTUALIZATION] = { judge_virtualization, true, "a machine of its own",
                "Run hotpatch where the kernel is, on the host of this container." },
        [CHECK_ENROLMENT] = { judge_enrolment, true, "a trust anchor",
                "Put the root certificate of a patch vendor into /etc/hotpatch/trust.d; see hotpatch-trust(5)." },
        [CHECK_BASELINE] = { judge_baseline, false, "the newest that was due",
                "Install the baseline that was due: 'hotpatchctl baseline install'." },
};

/**
 * eligibility_judge() - may this machine take hotpatches, and what speaks for or against it
 * @f: the facts
 * @policy: what the site requires
 * @ret: eligibility_table_done() it
 *
 * Return: 0 or -ENOMEM.
 */
int eligibility_judge(const EligibilityFacts *f, const Config *policy, EligibilityTable *ret) {
        EligibilityTable t = { 0 };

        for (EligibilityCheck i = 0; i < _CHECK_MAX; i++) {
                EligibilityRow *row = &t.rows[i];
                bool wanted = policy->require & (1U << i);
                Finding finding = { 0 };
                int r = rules[i].judge(f, policy, &finding);

                if (r < 0) {
                        eligibility_table_done(&t);
                        return r;
                }
                *row = (EligibilityRow) {
                        .check = i,
                        .verdict = finding.verdict,
                        .required = rules[i].always || wanted,
                        .blocks = finding.verdict == ELIGIBILITY_MISSING ? rules[i].always || wanted
                                                                         : finding.verdict == ELIGIBILITY_UNKNOWN && wanted,
                        .found = finding.text,
                        .needed = rules[i].needed,
                        .remedy = finding.verdict == ELIGIBILITY_OK ? "" : rules[i].remedy,
                };
        }
        *ret = t;
        return 0;
}

/** eligibility_table_done() - free what the table owns */
void eligibility_table_done(EligibilityTable *t) {
        for (size_t i = 0; i < ELEMENTSOF(t->rows); i++)
                free(t->rows[i].found);
        *t = (EligibilityTable) { 0 };
}

/** eligibility_first_blocker() - the first row that keeps hotpatches away; NULL: the machine is eligible */
const EligibilityRow *eligibility_first_blocker(const EligibilityTable *t) {
        for (size_t i = 0; i < ELEMENTSOF(t->rows); i++)
                if (t->rows[i].blocks)
                        return &t->rows[i];
        return NULL;
}

/**
 * eligibility_reason() - why this machine takes no hotpatches
 * @with_policy: also when the configuration does not allow them; otherwise that is for others to say
 * @ret: "CHECK: FOUND, needed: NEEDED; …"; NULL: it is eligible; owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int eligibility_reason(const EligibilityTable *t, bool with_policy, char **ret) {
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(t->rows); i++) {
                const EligibilityRow *row = &t->rows[i];
                int r;

                if (!row->blocks || (row->check == CHECK_POLICY && !with_policy))
                        continue;
                r = str_extendf(&text, "%s%s: %s, needed: %s", text ? "; " : "",
                        eligibility_check_to_string(row->check), row->found, row->needed);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(text);
        return 0;
}

/** eligibility_verdict_to_string() - the word of the D-Bus contract */
const char *eligibility_verdict_to_string(EligibilityVerdict v) {
        static const char *const words[] = {
                [ELIGIBILITY_OK] = "ok",
                [ELIGIBILITY_MISSING] = "missing",
                [ELIGIBILITY_UNKNOWN] = "unknown",
        };

        return words[v];
}
