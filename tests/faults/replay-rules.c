/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Old or new, never corrupt: what must hold of a state directory after a power cut in the middle of an operation.
 *
 *   1. Nothing in it is damaged, and every bundle that a record names is there, whole and well signed.
 *   2. No record of an admitted patch says anything that was not said before or after the operation.
 *   3. Without an open intent each line is one of before or after, and what is admitted is all of before or all of after.
 *   4. A patch is admitted anew, or no longer, only after an intent that names it was on the disk; a rollback
 *      also brings back what is written down as superseded.
 *   5. The next start settles it: no intent and no trial of the last boot is left, nothing is damaged by it, and what
 *      is admitted then is what was admitted before or after, or would be after a power cut at those moments.
 */

#include "tests/faults/replay.h"
#include "tests/faults/state-lines.h"
#include "util/strv.h"

/** replay_state_done() - free what it owns */
void replay_state_done(ReplayState *s) {
        s->lines = strv_free(s->lines);
        s->settled = strv_free(s->settled);
        free(s->trouble);
        s->trouble = NULL;
}

/** replay_admitted() - "ID DIGEST" of the lines of admitted patches. Return: 0 or a negative errno. */
int replay_admitted(char *const *lines, char ***ret) {
        _cleanup_strv_free_ char **found = NULL;

        for (; lines && *lines; lines++) {
                char id[256], digest[80], both[340];

                if (!startswith(*lines, "admitted ") || sscanf(*lines, "admitted %255s %79s", id, digest) != 2)
                        continue;
                snprintf(both, sizeof(both), "%s %s", id, digest);
                if (strv_extend(&found, both) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(found);
        return 0;
}

/* @what is broken: the line @which shows it */
static char *say(const char *what, const char *which) {
        char *text;

        return asprintf(&text, "%s: %s", what, which) < 0 ? strdup("out of memory") : text;
}

static bool is_of(const char *line, const char *kind) {
        size_t n = strlen(kind);

        return strncmp(line, kind, n) == 0 && line[n] == ' ';
}

static const char *find_kind(char *const *lines, const char *kind) {
        for (; lines && *lines; lines++)
                if (is_of(*lines, kind))
                        return *lines;
        return NULL;
}

static bool is_known(const ReplayWindow *w, const char *line) {
        for (size_t i = 0; i < w->n_marks; i++)
                if (strv_contains(w->marks[i].live, line))
                        return true;
        return false;
}

/* --- the rules --- */

static char *rule_undamaged(const ReplayState *s, _unused_ const ReplayWindow *w) {
        static const char *const kinds[] = { "damaged", "bad" };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                const char *line = find_kind(s->lines, kinds[i]);
                if (line)
                        return say("corrupt", line);
                line = find_kind(s->settled, kinds[i]);
                if (line)
                        return say("corrupt after it was settled", line);
        }
        return NULL;
}

static char *rule_old_or_new(const ReplayState *s, const ReplayWindow *w) {
        bool open = find_kind(s->lines, "intent");

        for (char **line = s->lines; line && *line; line++)
                if ((!open || is_of(*line, "admitted") || is_of(*line, "admitted-at")) && !is_known(w, *line))
                        return say("neither old nor new", *line);
        return NULL;
}

static bool admits_like(char *const *admitted, char *const *lines) {
        _cleanup_strv_free_ char **other = NULL;

        return state_lines_of(lines, "admitted", &other) >= 0 && state_lines_equal(admitted, other);
}

static char *rule_all_or_nothing(const ReplayState *s, const ReplayWindow *w) {
        _cleanup_strv_free_ char **admitted = NULL;

        if (find_kind(s->lines, "intent"))
                return NULL;
        if (state_lines_of(s->lines, "admitted", &admitted) < 0)
                return strdup("out of memory");
        for (size_t i = 0; i < w->n_marks; i++)
                if (admits_like(admitted, w->marks[i].live))
                        return NULL;
        return strdup("admitted are some of before and some of after, and no intent is open");
}

/* The first id that is admitted by one and not by the other, or otherwise, and that nobody has announced. */
static char *find_unannounced(char *const *a, char *const *b, char *const *announced) {
        for (; a && *a; a++) {
                char id[256];

                if (!startswith(*a, "admitted ") || sscanf(*a, "admitted %255s", id) != 1)
                        continue;
                if (strv_contains(b, *a) || strv_contains(announced, id))
                        continue;
                return say("changed without an intent on the disk before", *a);
        }
        return NULL;
}

static char *rule_announced(const ReplayState *s, const ReplayWindow *w) {
        char *found = find_unannounced(s->lines, w->marks[0].live, w->announced);

        return found ?: find_unannounced(w->marks[0].live, s->lines, w->announced);
}

static char *rule_settles(const ReplayState *s, const ReplayWindow *w) {
        _cleanup_strv_free_ char **admitted = NULL;
        const char *left = find_kind(s->settled, "intent") ?: find_kind(s->settled, "trial");

        if (left)
                return say("left after it was settled", left);
        if (replay_admitted(s->settled, &admitted) < 0)
                return strdup("out of memory");
        for (size_t i = 0; i < w->n_marks; i++) {
                _cleanup_strv_free_ char **live = NULL;

                if (replay_admitted(w->marks[i].live, &live) < 0)
                        return strdup("out of memory");
                if (state_lines_equal(admitted, live) || state_lines_equal(admitted, w->marks[i].settled))
                        return NULL;
        }
        return say("settled to something that is neither old nor new; the first admitted", admitted ? admitted[0] : "none");
}

/** replay_judge() - Return: the first rule that is broken, in words, to be freed; NULL: none. */
char *replay_judge(const ReplayState *s, const ReplayWindow *w) {
        static char *(*const rules[])(const ReplayState *s, const ReplayWindow *w) = {
                rule_undamaged, rule_old_or_new, rule_all_or_nothing, rule_announced, rule_settles,
        };

        if (s->trouble)
                return strdup(s->trouble);
        for (size_t i = 0; i < ELEMENTSOF(rules); i++) {
                char *broken = rules[i](s, w);
                if (broken)
                        return broken;
        }
        return NULL;
}
