/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The words of requests, messages and results, and the form of what they name. Package names end on
 * the command line of a package manager: nothing here may begin with '-', and nothing holds a blank or a
 * glob.
 */

#include "baseline/run.h"
#include "dbus/errors.h"
#include "util/limits.h"

static const char *const verbs[_RUN_VERB_MAX] = {
        [RUN_PLAN] = "plan",
        [RUN_DOWNLOAD] = "download",
        [RUN_INSTALL] = "install",
        [RUN_MEND] = "mend",
};

static const char *const outcomes[_RUN_OUTCOME_MAX] = {
        [RUN_RUNNING] = "running",
        [RUN_DONE] = "done",
        [RUN_FAILED] = "failed",
};

static const char *const actions[_RUN_CHANGE_MAX] = {
        [RUN_CHANGE_INSTALL] = "install",
        [RUN_CHANGE_UPGRADE] = "upgrade",
        [RUN_CHANGE_REMOVE] = "remove",
};

static const struct Cause {
        const char *word;
        const char *error;
} causes[_RUN_CAUSE_MAX] = {
        [RUN_CAUSE_NONE] = { "", NULL },
        [RUN_CAUSE_LOCK_HELD] = { "lock-held", HOTPATCH_ERROR("PackagesLocked") },
        [RUN_CAUSE_NO_SPACE] = { "no-space", HOTPATCH_ERROR("DiskFull") },
        [RUN_CAUSE_BOOT_FULL] = { "boot-full", HOTPATCH_ERROR("BootFull") },
        [RUN_CAUSE_PACKAGES_BROKEN] = { "packages-broken", HOTPATCH_ERROR("PackagesBroken") },
        [RUN_CAUSE_CONFFILE] = { "conffile", HOTPATCH_ERROR("ConffileConflict") },
        [RUN_CAUSE_INITRAMFS_MISSING] = { "initramfs-missing", HOTPATCH_ERROR("InitramfsMissing") },
        [RUN_CAUSE_KERNEL_MISSING] = { "kernel-missing", HOTPATCH_ERROR("KernelMissing") },
        [RUN_CAUSE_DOWNLOAD_FAILED] = { "download-failed", HOTPATCH_ERROR("DownloadFailed") },
        [RUN_CAUSE_NOT_TRUSTED] = { "not-trusted", HOTPATCH_ERROR("RepositoryNotTrusted") },
        [RUN_CAUSE_NOT_FOUND] = { "not-found", HOTPATCH_ERROR("PackageNotFound") },
        [RUN_CAUSE_WOULD_REMOVE] = { "would-remove", HOTPATCH_ERROR("WouldRemovePackages") },
        [RUN_CAUSE_WOULD_DOWNGRADE] = { "would-downgrade", HOTPATCH_ERROR("WouldDowngradePackages") },
        [RUN_CAUSE_HELD] = { "held", HOTPATCH_ERROR("PackageHeld") },
        [RUN_CAUSE_INTERRUPTED] = { "interrupted", HOTPATCH_ERROR("InstallInterrupted") },
        [RUN_CAUSE_UNSUPPORTED] = { "unsupported", HOTPATCH_ERROR("BackendUnsupported") },
        [RUN_CAUSE_BACKEND] = { "backend", HOTPATCH_ERROR("BackendFailed") },
};

static int find(const char *const *words, size_t n, const char *s) {
        for (size_t i = 0; i < n; i++)
                if (streq(words[i], s))
                        return (int) i;
        return -EINVAL;
}

/** run_verb_to_string() - the word of the protocol */
const char *run_verb_to_string(RunVerb v) {
        return verbs[v];
}

/** run_verb_from_string() - the verb of a word, or _RUN_VERB_INVALID */
RunVerb run_verb_from_string(const char *s) {
        return find(verbs, ELEMENTSOF(verbs), s);
}

/** run_verb_result_name() - the file of its result; mending is the end of an install */
const char *run_verb_result_name(RunVerb v) {
        return verbs[v == RUN_MEND ? RUN_INSTALL : v];
}

/** run_outcome_to_string() - the word of the result file */
const char *run_outcome_to_string(RunOutcome o) {
        return outcomes[o];
}

/** run_outcome_from_string() - the outcome of a word, or _RUN_OUTCOME_INVALID */
RunOutcome run_outcome_from_string(const char *s) {
        return find(outcomes, ELEMENTSOF(outcomes), s);
}

/** run_action_to_string() - the word of the protocol */
const char *run_action_to_string(RunAction a) {
        return actions[a];
}

/** run_action_from_string() - the action of a word, or _RUN_CHANGE_INVALID */
RunAction run_action_from_string(const char *s) {
        return find(actions, ELEMENTSOF(actions), s);
}

/** run_cause_to_string() - the word of the protocol; empty for none */
const char *run_cause_to_string(RunCause c) {
        return causes[c].word;
}

/** run_cause_from_string() - the cause of a word, or _RUN_CAUSE_INVALID */
RunCause run_cause_from_string(const char *s) {
        for (RunCause c = 0; c < _RUN_CAUSE_MAX; c++)
                if (streq(causes[c].word, s))
                        return c;
        return _RUN_CAUSE_INVALID;
}

/** run_cause_error_name() - its row in the table of errors, which has the remedy; NULL for none */
const char *run_cause_error_name(RunCause c) {
        return causes[c].error;
}

/** run_text_is_valid() - a sentence: no control characters, not empty, not endless */
bool run_text_is_valid(const char *s) {
        size_t n = strlen(s);

        if (n == 0 || n > HOTPATCH_RUN_TEXT_MAX)
                return false;
        for (; *s; s++)
                if ((unsigned char) *s < 0x20 || *s == 0x7f ||
                    /* C1 controls, U+0080 … U+009F */
                    ((unsigned char) s[0] == 0xc2 && (unsigned char) s[1] < 0xa0))
                        return false;
        return true;
}

static bool word_is_valid(const char *s, size_t max, const char *more) {
        for (const char *p = s; *p; p++) {
                bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');

                if (!plain && (p == s || !strchr(more, *p)))
                        return false;
        }
        return *s && strlen(s) <= max;
}

/** run_package_is_valid() - a package's name, with its architecture perhaps: "libc6:amd64", "glibc.x86_64" */
bool run_package_is_valid(const char *name) {
        return word_is_valid(name, HOTPATCH_RUN_WORD_MAX, "+-._:");
}

/** run_version_is_valid() - a version of Debian's or of RPM's */
bool run_version_is_valid(const char *version) {
        return word_is_valid(version, HOTPATCH_RUN_WORD_MAX, "+-._:~^");
}

/** run_release_is_valid() - as uname -r; becomes part of a path */
bool run_release_is_valid(const char *release) {
        return word_is_valid(release, HOTPATCH_RUN_WORD_MAX, "+-._~");
}

/** run_backend_is_valid() - a file name in the folder of backends */
bool run_backend_is_valid(const char *backend) {
        return word_is_valid(backend, 32, "-");
}

/** run_id_is_valid() - 32 lower-case hexadecimal digits */
bool run_id_is_valid(const char *id) {
        return strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32;
}

/** run_baseline_is_valid() - "YYYY.MM" */
bool run_baseline_is_valid(const char *baseline) {
        return strlen(baseline) == strlen("YYYY.MM") && strspn(baseline, "0123456789") == 4 && baseline[4] == '.' &&
                strspn(baseline + 5, "0123456789") == 2;
}

/** run_bundle_is_valid() - the id of a bundle */
bool run_bundle_is_valid(const char *bundle) {
        return word_is_valid(bundle, HOTPATCH_ID_MAX, "._-");
}
