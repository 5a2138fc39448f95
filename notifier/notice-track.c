/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The machine is off the track: it takes no hotpatches any more, or what it took is not as it should be. Everything of the kind
 * is one notification with a line for each trouble, as one of them often brings the next.
 *
 * hotpatchd's findings are told when they are alerts; the others are for hotpatchctl.
 */

#include "notifier/notice-internal.h"
#include "util/limits.h"
#include "util/str.h"

typedef struct Track {
        Notice *notice;
        size_t count;
} Track;

/* @remedy: "" when the sentence says it */
static int add_trouble(Track *t, const char *id, const char *sentence, const char *remedy) {
        int r = str_extendf(&t->notice->key, "%s ", id);

        if (r < 0 || t->count++ >= HOTPATCH_NOTIFIER_ITEMS_MAX)
                return r;
        r = text_append_line(&t->notice->body, sentence);
        if (r >= 0)
                r = text_append_line(&t->notice->details, sentence);
        if (r >= 0 && *remedy)
                r = text_append_line(&t->notice->details, remedy);
        return r;
}

static int add_cleaned(Track *t, const char *id, const char *sentence, const char *remedy) {
        _cleanup_free_ char *clean = text_clean(sentence, HOTPATCH_NOTIFIER_SENTENCE_MAX);
        _cleanup_free_ char *clean_remedy = text_clean(remedy, HOTPATCH_NOTIFIER_SENTENCE_MAX);

        return !clean || !clean_remedy ? -ENOMEM : add_trouble(t, id, clean, clean_remedy);
}

static int add_findings(const Machine *m, Track *t) {
        int r = 0;

        for (size_t i = 0; i < m->n_findings && r >= 0; i++) {
                const MachineFinding *f = &m->findings[i];
                _cleanup_free_ char *id = NULL;

                if (!streq(f->severity, "alert"))
                        continue;
                r = str_printf(&id, "%s %s %s", f->kind, f->patch, f->object);
                if (r >= 0)
                        r = add_cleaned(t, id, f->sentence, f->remedy);
        }
        return r;
}

static int add_quarantined(const Machine *m, Track *t) {
        int r = 0;

        for (size_t i = 0; i < m->n_patches && r >= 0; i++) {
                const MachinePatch *p = &m->patches[i];
                _cleanup_free_ char *sentence = NULL;

                if (!p->wanted || !p->quarantined)
                        continue;
                r = text_fill(&sentence, TEXT_TRACK_QUARANTINED, "title", notice_title(p, p->id), NULL);
                if (r >= 0)
                        r = add_trouble(t, p->id, sentence, "");
        }
        return r;
}

static int add_baseline(const Machine *m, uint64_t now_usec, Track *t) {
        static const char *const failures[] = {
                "install-failed", "interrupted", "old-kernel-returned", "boot-check-failed", "crashed-in-trial", "missed",
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(failures) && r >= 0; i++)
                if (streq(m->baseline_state, failures[i]))
                        r = add_cleaned(t, failures[i],
                                *m->baseline_text ? m->baseline_text : text_of(TEXT_TRACK_BASELINE_FAILED), "");
        if (r >= 0 && m->covered_until_usec > 0 && m->covered_until_usec <= now_usec)
                r = add_trouble(t, "ended", text_of(TEXT_TRACK_ENDED), "");
        return r;
}

static int add_forced(const Machine *m, Track *t) {
        int r = 0;

        for (size_t i = 0; i < m->n_reasons && r >= 0; i++)
                if (streq(m->reasons[i].id, "forced"))
                        r = add_cleaned(t, "forced", m->reasons[i].sentence, "");
        return r;
}

/** decide_track() - what keeps it off. @ret: untouched when nothing does. Return: 0 or -ENOMEM. */
int decide_track(const Machine *m, uint64_t now_usec, Notice **ret, uint64_t *wake_usec) {
        _cleanup_notice_ Notice *n = calloc(1, sizeof(*n));
        Track t = { .notice = n };
        int r;

        if (!n)
                return -ENOMEM;
        n->urgency = URGENCY_CRITICAL;
        n->actions = ACTION_DETAILS;
        notice_wake_at(wake_usec, m->covered_until_usec, now_usec);
        r = add_findings(m, &t);
        if (r >= 0)
                r = add_quarantined(m, &t);
        if (r >= 0)
                r = add_baseline(m, now_usec, &t);
        if (r >= 0)
                r = add_forced(m, &t);
        if (r < 0 || t.count == 0)
                return r;
        r = notice_end_list(n, t.count);
        if (r >= 0)
                r = text_fill(&n->summary, TEXT_TRACK, NULL);
        if (r >= 0)
                r = text_append(&n->details, TEXT_TRACK_DETAILS, NULL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}
