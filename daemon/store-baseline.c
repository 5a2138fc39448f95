/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The state of this machine's baseline, one file that is replaced as a whole: a power cut leaves the state
 * before a step or after it, and what the kernel and the package manager say then tells which.
 */

#include "bundle/manifest.h"
#include "daemon/store-baseline.h"
#include "daemon/store-internal.h"
#include "util/limits.h"
#include "util/strv.h"

#define BASELINE_FILE "baseline-state"

static bool valid_phase(const char *s) {
        return baseline_phase_from_string(s) >= 0;
}

static bool valid_cause(const char *s) {
        return baseline_cause_from_string(s) >= 0;
}

static bool valid_text(const char *s) {
        return strlen(s) <= HOTPATCH_BASELINE_TEXT_MAX;
}

static bool valid_release(const char *s) {
        /* __NEW_UTS_LEN of include/uapi/linux/utsname.h */
        return *s && strlen(s) <= 64 && !strchr(s, '/');
}

#define STATE(member) offsetof(BaselineFile, state.member)

const Field store_baseline_fields[] = {
        { "SINCE_USEC", FIELD_U64, true, STATE(since_usec), NULL },
        { "NAME", FIELD_STRING, false, STATE(name), baseline_name_is_valid },
        { "BUNDLE", FIELD_STRING, false, STATE(bundle), manifest_id_is_valid },
        { "DEADLINE_USEC", FIELD_U64, true, STATE(deadline_usec), NULL },
        { "FORCED", FIELD_BOOL, false, STATE(forced), NULL },
        { "PHASE", FIELD_STRING, true, offsetof(BaselineFile, phase), valid_phase },
        { "PHASE_USEC", FIELD_U64, true, STATE(phase_usec), NULL },
        { "CAUSE", FIELD_STRING, true, offsetof(BaselineFile, cause), valid_cause },
        { "TEXT", FIELD_STRING, false, STATE(text), valid_text },
        { "RUN", FIELD_ID128, false, STATE(run), NULL },
        { "SEEN_RUN", FIELD_ID128, false, STATE(seen_run), NULL },
        { "AGAIN_USEC", FIELD_U64, false, STATE(again_usec), NULL },
        { "KERNEL", FIELD_STRING, false, STATE(kernel), valid_release },
        { "BOOT_ID", FIELD_ID128, true, STATE(boot_id), NULL },
        { "CLEAN", FIELD_BOOL, true, STATE(clean), NULL },
        { "RESTART_USEC", FIELD_U64, true, STATE(restart_usec), NULL },
        { "RESTART_FIRM", FIELD_BOOL, true, STATE(restart_firm), NULL },
        { "RESTART_BOOT", FIELD_ID128, false, STATE(restart_boot), NULL },
        { "HANDED_OVER", FIELD_BOOL, false, STATE(handed_over), NULL },
        { "TAKEN_OVER", FIELD_BOOL, false, STATE(taken_over), NULL },
        { "FIRST_RESTART_USEC", FIELD_U64, false, STATE(first_restart_usec), NULL },
        { "DEFERRALS", FIELD_U64, true, STATE(deferrals), NULL },
        { "DEFERRED_UNTIL_USEC", FIELD_U64, true, STATE(deferred_until_usec), NULL },
        { "REACHED", FIELD_STRING, false, STATE(reached), baseline_name_is_valid },
        { "REACHED_USEC", FIELD_U64, true, STATE(reached_usec), NULL },
        { "REACHED_KERNEL", FIELD_STRING, false, STATE(reached_kernel), valid_release },
        { "HISTORY", FIELD_STRV, false, STATE(history), baseline_history_is_valid },
        { "RETIRED", FIELD_STRV, false, STATE(retired), baseline_retired_is_valid },
};
const size_t store_n_baseline_fields = ELEMENTSOF(store_baseline_fields);

static void file_done(BaselineFile *f) {
        fields_done(store_baseline_fields, ELEMENTSOF(store_baseline_fields), f);
}

/* What is in work has a name, and only what failed has a cause. */
static bool is_sound(const BaselineState *s) {
        return (s->name || s->phase == BASELINE_IDLE) && (s->reached || s->phase != BASELINE_REACHED) &&
                (s->phase == BASELINE_FAILED) == (s->cause != BASELINE_CAUSE_NONE) &&
                strv_length(s->history) <= HOTPATCH_BASELINE_HISTORY_MAX &&
                strv_length(s->retired) <= HOTPATCH_BASELINE_RETIRED_MAX;
}

/**
 * store_baseline_read() - the state of this machine's baseline
 * @ret: baseline_state_done() it
 *
 * Return: 0; -ENOENT: there is none yet; -EBADMSG: it is damaged; another negative errno.
 */
int store_baseline_read(const Store *s, BaselineState *ret) {
        BaselineFile file = { 0 };
        int r = store_read(s->dir_fd, BASELINE_FILE, store_baseline_fields, ELEMENTSOF(store_baseline_fields), &file);

        if (r < 0)
                return r;
        file.state.phase = baseline_phase_from_string(file.phase);
        file.state.cause = baseline_cause_from_string(file.cause);
        if (!is_sound(&file.state)) {
                file_done(&file);
                return -EBADMSG;
        }
        free(file.phase);
        free(file.cause);
        *ret = file.state;
        return 0;
}

/**
 * store_baseline_write() - replace it
 *
 * Return: 0, or a negative errno with StateUnwritable.
 */
int store_baseline_write(const Store *s, const BaselineState *state, sd_bus_error *error) {
        BaselineFile file = {
                .state = *state,
                .phase = (char *) baseline_phase_to_string(state->phase),
                .cause = (char *) baseline_cause_to_string(state->cause),
        };
        int r = -EINVAL;

        if (is_sound(state))
                r = store_write(s->dir_fd, BASELINE_FILE, store_baseline_fields,
                                ELEMENTSOF(store_baseline_fields), &file);
        return r < 0 ? store_write_failed(error, "the state of the baseline", r) : 0;
}

/** store_baseline_damaged() - append its name if it is there and cannot be read. Return: 0 or a negative errno. */
int store_baseline_damaged(const Store *s, char ***names) {
        _cleanup_(baseline_state_done) BaselineState state = { 0 };
        int r = store_baseline_read(s, &state);

        return r >= 0 || r == -ENOENT ? 0 : store_damage_add(names, "%s", BASELINE_FILE);
}
