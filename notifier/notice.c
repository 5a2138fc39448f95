/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From what is so on the machine, and what was so when it was looked at before, to what should stand on the desktop. A pure
 * function: the bus is elsewhere, and so is what a person has closed (board.c).
 *
 * There are two kinds of topics. Some tell what is so: a restart is planned, a fix was taken out and its hole is open, the
 * machine is off the track. They are there as long as it is so, also for who logs in afterwards. Two tell what has
 * happened: a fix was applied, somebody hit a tripwire. These come from a difference between two looks, so there are
 * none at the first one. As the looks are compared and no signal is counted, nothing is lost with a restart of hotpatchd,
 * and nobody can have a notification shown by a signal of his own.
 */

#include <inttypes.h>

#include "notifier/notice.h"
#include "notifier/text.h"
#include "util/limits.h"
#include "util/strv.h"

/* A tripwire that is hit again after so long is news; so is ten times as many hits, and the first one of each patch. */
#define TRIPWIRE_NEWS_USEC (60 * 60 * USEC_PER_SEC)

/** notice_free() - NULL is fine. Returns NULL. */
Notice *notice_free(Notice *n) {
        if (!n)
                return NULL;
        free(n->key);
        free(n->summary);
        free(n->body);
        free(n->details);
        free(n);
        return NULL;
}

/** notice_set_done() - free what it has */
void notice_set_done(NoticeSet *set) {
        for (size_t i = 0; i < ELEMENTSOF(set->items); i++)
                set->items[i] = notice_free(set->items[i]);
        for (size_t i = 0; i < set->n_told; i++)
                free(set->told[i].patch);
        free(set->told);
        set->told = NULL;
        set->n_told = 0;
}

static bool same(const Notice *a, const Notice *b) {
        return a && b && streq(a->key, b->key) && streq(a->summary, b->summary) && streq(a->body, b->body) &&
                streq_ptr(a->details, b->details) && a->urgency == b->urgency && a->actions == b->actions;
}

/** notice_set_put() - tell this about a topic; NULL: nothing. @notice is taken over. */
void notice_set_put(NoticeSet *set, Topic topic, Notice *notice) {
        if (same(notice, set->items[topic])) {
                notice_free(notice);
                return;
        }
        notice_free(set->items[topic]);
        set->items[topic] = notice;
        if (notice)
                notice->serial = ++set->serial;
}

/** wake_at() - look again then, if that is before what was wanted so far and not over */
void wake_at(uint64_t *wake_usec, uint64_t usec, uint64_t now_usec) {
        if (usec > now_usec && (*wake_usec == 0 || usec < *wake_usec))
                *wake_usec = usec;
}

/** machine_needs_restart() - for something of ours; what packages ask for by themselves is told by others */
bool machine_needs_restart(const Machine *m) {
        for (size_t i = 0; i < m->n_reasons; i++)
                if (streq(m->reasons[i].id, "baseline") || streq(m->reasons[i].id, "forced"))
                        return true;
        return false;
}

static bool is_grave(const char *severity) {
        return streq(severity, "critical") || streq(severity, "important");
}

/* Its title is for people; one that is not ours any more has only its id. */
static const char *title_of(const MachinePatch *p, const char *id) {
        return p && *p->title ? p->title : id;
}

static int append_count(char **to, Text text, size_t n) {
        char count[32];

        (void) snprintf(count, sizeof(count), "%zu", n);
        return text_append(to, text, "count", count, NULL);
}

static int fill_count(char **to, Text text, uint64_t n) {
        char count[32];

        (void) snprintf(count, sizeof(count), "%" PRIu64, n);
        return text_fill(to, text, "count", count, NULL);
}

/* Names of fixes, as many as have room. */
static int join_fixes(const MachinePatch *p, char **ret) {
        _cleanup_free_ char *names = NULL;
        size_t size;
        FILE *f = open_memstream(&names, &size);

        if (!f)
                return -ENOMEM;
        for (size_t i = 0; p->fixes && p->fixes[i]; i++)
                if (i == HOTPATCH_NOTIFIER_ITEMS_MAX) {
                        fputs(" …", f);
                        break;
                } else
                        fprintf(f, "%s%s", i > 0 ? ", " : "", p->fixes[i]);
        if (fclose(f) != 0)
                return -ENOMEM;
        if (!*names) {
                free(names);
                names = strdup(p->id);
        }
        *ret = TAKE_PTR(names);
        return *ret ? 0 : -ENOMEM;
}

/* --- a fix was applied --- */

static bool was_applied(const Machine *before, const MachinePatch *p) {
        const MachinePatch *old = machine_patch(before, p->id);

        return machine_patch_is_active(p) && p->applied_usec > (old ? old->applied_usec : 0);
}

static bool has_gone(const Machine *before, const Machine *machine) {
        for (size_t i = 0; i < before->n_patches; i++) {
                const MachinePatch *now = machine_patch(machine, before->patches[i].id);

                if (machine_patch_is_active(&before->patches[i]) && !(now && machine_patch_is_active(now)))
                        return true;
        }
        return false;
}

static int append_applied(const MachinePatch *p, Notice *n) {
        _cleanup_free_ char *fixes = NULL, *key = NULL;
        int r;

        if (is_grave(p->severity))
                n->urgency = URGENCY_NORMAL;
        if (asprintf(&key, "%s %s %" PRIu64, strempty(n->key), p->id, p->applied_usec) < 0) {
                key = NULL;
                return -ENOMEM;
        }
        free(n->key);
        n->key = TAKE_PTR(key);
        r = join_fixes(p, &fixes);
        return r < 0 ? r : text_append(&n->body, TEXT_APPLIED_FIXES, "title", title_of(p, p->id), "fixes", fixes, NULL);
}

static int end_applied(Notice *n, size_t count, uint64_t trial_usec, uint64_t now_usec) {
        _cleanup_free_ char *when = NULL;
        int r = 0;

        if (count > HOTPATCH_NOTIFIER_ITEMS_MAX)
                r = append_count(&n->body, TEXT_MORE, count - HOTPATCH_NOTIFIER_ITEMS_MAX);
        if (r >= 0)
                r = count == 1 ? text_fill(&n->summary, TEXT_APPLIED_ONE, NULL)
                               : fill_count(&n->summary, TEXT_APPLIED_MANY, count);
        if (r < 0 || trial_usec <= now_usec)
                return r < 0 ? r : text_append(&n->body, TEXT_APPLIED_DONE, NULL);
        r = text_time(&when, trial_usec, now_usec);
        return r < 0 ? r : text_append(&n->body, TEXT_APPLIED_TRIAL, "when", when, NULL);
}

static int decide_applied(const Machine *before, const Machine *machine, uint64_t now_usec, NoticeSet *set) {
        _cleanup_notice_ Notice *n = calloc(1, sizeof(*n));
        uint64_t trial_usec = 0;
        size_t count = 0;
        int r = 0;

        if (!n)
                return -ENOMEM;
        n->transient = true;
        for (size_t i = 0; i < machine->n_patches && r >= 0; i++) {
                const MachinePatch *p = &machine->patches[i];

                if (!was_applied(before, p))
                        continue;
                if (p->trial_until_usec > trial_usec)
                        trial_usec = p->trial_until_usec;
                if (count++ < HOTPATCH_NOTIFIER_ITEMS_MAX)
                        r = append_applied(p, n);
        }
        if (r >= 0 && count > 0)
                r = end_applied(n, count, trial_usec, now_usec);
        if (r < 0)
                return r;
        if (count > 0)
                notice_set_put(set, TOPIC_APPLIED, TAKE_PTR(n));
        else if (has_gone(before, machine))
                notice_set_put(set, TOPIC_APPLIED, NULL);
        return 0;
}

/* --- a tripwire was hit --- */

static ToldHits *find_told(const NoticeSet *set, const char *patch) {
        for (size_t i = 0; i < set->n_told; i++)
                if (streq(set->told[i].patch, patch))
                        return &set->told[i];
        return NULL;
}

static int add_told(NoticeSet *set, const char *patch) {
        ToldHits *list = reallocarray(set->told, set->n_told + 1, sizeof(*list));
        char *copy = strdup(patch);

        if (list)
                set->told = list;
        if (!list || !copy) {
                free(copy);
                return -ENOMEM;
        }
        list[set->n_told++] = (ToldHits) { .patch = copy };
        return 0;
}

/* Of patches that are taken out, nothing was told. What was loaded anew counts from the beginning. */
static void forget_told(const Machine *machine, NoticeSet *set) {
        size_t kept = 0;

        for (size_t i = 0; i < set->n_told; i++) {
                ToldHits *t = &set->told[i];
                const MachinePatch *p = machine_patch(machine, t->patch);

                if (!p || p->tripped == 0) {
                        free(t->patch);
                        continue;
                }
                if (p->tripped < t->hits)
                        t->hits = p->tripped;
                set->told[kept++] = *t;
        }
        set->n_told = kept;
}

/* Who was hit since the last look goes into @set->told. @ret_news: and one of them is news */
static int note_hits(const Machine *before, const Machine *machine, uint64_t now_usec, NoticeSet *set, bool *ret_hit,
                bool *ret_news) {
        bool hit = false, news = false;

        for (size_t i = 0; i < machine->n_patches; i++) {
                const MachinePatch *p = &machine->patches[i], *old = machine_patch(before, p->id);
                uint64_t known = old && old->tripped <= p->tripped ? old->tripped : 0;
                ToldHits *t = find_told(set, p->id);

                if (t)
                        t->news = false;
                if (p->tripped == known)
                        continue;
                if (!t && add_told(set, p->id) < 0)
                        return -ENOMEM;
                t = find_told(set, p->id);
                t->news = t->hits == 0 || now_usec >= t->last_usec + TRIPWIRE_NEWS_USEC || p->tripped / 10 >= t->hits;
                if (t->news)
                        t->hits = p->tripped;
                t->last_usec = now_usec;
                hit = true;
                news = news || t->news;
        }
        *ret_hit = hit;
        *ret_news = news;
        return 0;
}

static int append_hits(const MachinePatch *p, Notice *n) {
        _cleanup_free_ char *fixes = NULL;
        char count[32];
        int r = join_fixes(p, &fixes);

        (void) snprintf(count, sizeof(count), "%" PRIu64, p->tripped);
        return r < 0 ? r : text_append(&n->body, p->tripped == 1 ? TEXT_TRIPWIRE_ONCE : TEXT_TRIPWIRE_TIMES, "title",
                                   title_of(p, p->id), "fixes", fixes, "count", count, NULL);
}

/* News first, and after them what else was hit within the hour: it may stand there unread. */
static int append_all_hits(const Machine *machine, const NoticeSet *set, uint64_t now_usec, Notice *n) {
        size_t count = 0;
        int r = 0;

        for (int news = 1; news >= 0; news--)
                for (size_t i = 0; i < machine->n_patches && r >= 0; i++) {
                        const MachinePatch *p = &machine->patches[i];
                        const ToldHits *t = find_told(set, p->id);

                        if (t && t->news == news && now_usec < t->last_usec + TRIPWIRE_NEWS_USEC &&
                            count++ < HOTPATCH_NOTIFIER_ITEMS_MAX)
                                r = append_hits(p, n);
                }
        if (r >= 0 && count > HOTPATCH_NOTIFIER_ITEMS_MAX)
                r = append_count(&n->body, TEXT_MORE, count - HOTPATCH_NOTIFIER_ITEMS_MAX);
        return r;
}

/* @key: NULL: news, with a key of its own */
static int make_tripwire(const Machine *machine, const NoticeSet *set, const char *key, uint64_t now_usec, Notice **ret) {
        _cleanup_notice_ Notice *n = calloc(1, sizeof(*n));
        int r;

        if (!n)
                return -ENOMEM;
        /* Each look with news has another serial, as it is put into the set. */
        r = key ? asprintf(&n->key, "%s", key) : asprintf(&n->key, "%" PRIu64 " %" PRIu64, set->serial, now_usec);
        if (r < 0) {
                n->key = NULL;
                return -ENOMEM;
        }
        n->urgency = URGENCY_CRITICAL;
        n->actions = ACTION_DETAILS;
        r = append_all_hits(machine, set, now_usec, n);
        if (r >= 0)
                r = text_fill(&n->summary, TEXT_TRIPWIRE, NULL);
        if (r >= 0)
                r = text_append_line(&n->details, n->body);
        if (r >= 0)
                r = text_append(&n->details, TEXT_TRIPWIRE_DETAILS, NULL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}

static int decide_tripwire(const Machine *before, const Machine *machine, uint64_t now_usec, NoticeSet *set) {
        const Notice *old = set->items[TOPIC_TRIPWIRE];
        Notice *n;
        bool hit, news;
        int r;

        forget_told(machine, set);
        r = note_hits(before, machine, now_usec, set, &hit, &news);
        if (r < 0)
                return r;
        if (!hit) {
                /* Who took the fix out knows what he has seen. */
                if (set->n_told == 0)
                        notice_set_put(set, TOPIC_TRIPWIRE, NULL);
                return 0;
        }
        r = make_tripwire(machine, set, old && !news ? old->key : NULL, now_usec, &n);
        if (r < 0)
                return r;
        notice_set_put(set, TOPIC_TRIPWIRE, n);
        return 0;
}

/* --- a fix was taken out again --- */

static int append_rollback(const Machine *machine, const MachineRollback *b, Notice *n) {
        const MachinePatch *p = machine_patch(machine, b->patch);
        char *key;

        if (p && is_grave(p->severity))
                n->urgency = URGENCY_CRITICAL;
        if (asprintf(&key, "%s%s %" PRIu64 " ", strempty(n->key), b->patch, b->when_usec) < 0)
                return -ENOMEM;
        free(n->key);
        n->key = key;
        return text_append(&n->body, TEXT_ROLLED_BACK_ITEM, "title", title_of(p, b->patch), "reason", b->reason, NULL);
}

static int decide_rolled_back(const Machine *machine, Notice **ret) {
        _cleanup_notice_ Notice *n = calloc(1, sizeof(*n));
        size_t count = machine->n_rollbacks;
        int r;

        if (!n)
                return -ENOMEM;
        if (count == 0)
                return 0;
        n->urgency = URGENCY_NORMAL;
        r = count == 1 ? text_fill(&n->summary, TEXT_ROLLED_BACK_ONE, NULL)
                       : fill_count(&n->summary, TEXT_ROLLED_BACK_MANY, count);
        for (size_t i = 0; i < count && i < HOTPATCH_NOTIFIER_ITEMS_MAX && r >= 0; i++)
                r = append_rollback(machine, &machine->rollbacks[i], n);
        if (r >= 0 && count > HOTPATCH_NOTIFIER_ITEMS_MAX)
                r = append_count(&n->body, TEXT_MORE, count - HOTPATCH_NOTIFIER_ITEMS_MAX);
        if (r >= 0)
                r = text_append(&n->body, TEXT_ROLLED_BACK_OPEN, NULL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}

/* --- the machine is off the track --- */

typedef struct Track {
        Notice *notice;
        size_t count;
} Track;

/* @remedy: "" when the sentence says it */
static int add_trouble(Track *t, const char *id, const char *sentence, const char *remedy) {
        char *key;
        int r;

        if (asprintf(&key, "%s%s ", strempty(t->notice->key), id) < 0)
                return -ENOMEM;
        free(t->notice->key);
        t->notice->key = key;
        if (t->count++ >= HOTPATCH_NOTIFIER_ITEMS_MAX)
                return 0;
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
                if (asprintf(&id, "%s %s %s", f->kind, f->patch, f->object) < 0) {
                        id = NULL;
                        return -ENOMEM;
                }
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
                r = text_fill(&sentence, TEXT_TRACK_QUARANTINED, "title", title_of(p, p->id), NULL);
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

static int decide_track(const Machine *m, uint64_t now_usec, Notice **ret, uint64_t *wake_usec) {
        _cleanup_notice_ Notice *n = calloc(1, sizeof(*n));
        Track t = { .notice = n };
        int r;

        if (!n)
                return -ENOMEM;
        n->urgency = URGENCY_CRITICAL;
        n->actions = ACTION_DETAILS;
        wake_at(wake_usec, m->covered_until_usec, now_usec);
        r = add_findings(m, &t);
        if (r >= 0)
                r = add_quarantined(m, &t);
        if (r >= 0)
                r = add_baseline(m, now_usec, &t);
        if (r >= 0)
                r = add_forced(m, &t);
        if (r < 0 || t.count == 0)
                return r;
        if (t.count > HOTPATCH_NOTIFIER_ITEMS_MAX)
                r = append_count(&n->body, TEXT_MORE, t.count - HOTPATCH_NOTIFIER_ITEMS_MAX);
        if (r >= 0)
                r = text_fill(&n->summary, TEXT_TRACK, NULL);
        if (r >= 0)
                r = text_append(&n->details, TEXT_TRACK_DETAILS, NULL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}

/* --- all together --- */

/**
 * notices_decide() - what should stand on the desktop
 * @before: the look before; NULL: this is the first one, and nothing has happened yet
 * @machine: this look; the same as @before when only time has passed
 * @now_usec: CLOCK_REALTIME
 * @set: what there was to be told, and what there is now; after an error some of each
 * @ret_wake_usec: when to ask again, although nothing has changed; 0: never
 *
 * Return: 0 or -ENOMEM.
 */
int notices_decide(const Machine *before, const Machine *machine, uint64_t now_usec, NoticeSet *set,
                uint64_t *ret_wake_usec) {
        Notice *rolled_back = NULL, *restart = NULL, *deadline = NULL, *track = NULL;
        uint64_t wake_usec = 0;
        int r = 0;

        if (before)
                r = decide_applied(before, machine, now_usec, set);
        if (r >= 0 && before)
                r = decide_tripwire(before, machine, now_usec, set);
        if (r >= 0)
                r = decide_rolled_back(machine, &rolled_back);
        if (r >= 0)
                r = decide_restart(machine, now_usec, &restart, &wake_usec);
        if (r >= 0)
                r = decide_deadline(machine, now_usec, &deadline, &wake_usec);
        if (r >= 0)
                r = decide_track(machine, now_usec, &track, &wake_usec);
        if (r < 0) {
                notice_free(rolled_back);
                notice_free(restart);
                notice_free(deadline);
                notice_free(track);
                return r;
        }
        notice_set_put(set, TOPIC_ROLLED_BACK, rolled_back);
        notice_set_put(set, TOPIC_RESTART, restart);
        notice_set_put(set, TOPIC_DEADLINE, deadline);
        notice_set_put(set, TOPIC_TRACK, track);
        *ret_wake_usec = wake_usec;
        return 0;
}

/**
 * notice_answer() - tell what became of a button
 * @good: it was done
 * @summary, @body: plain text; @body is cleaned here
 *
 * Return: 0 or -ENOMEM.
 */
int notice_answer(NoticeSet *set, bool good, const char *summary, const char *body) {
        _cleanup_notice_ Notice *n = calloc(1, sizeof(*n));

        /* Each answer is news. */
        if (!n || asprintf(&n->key, "%" PRIu64, set->serial) < 0)
                return -ENOMEM;
        n->summary = strdup(summary);
        n->body = text_clean(body, HOTPATCH_NOTIFIER_SENTENCE_MAX);
        if (!n->summary || !n->body)
                return -ENOMEM;
        n->urgency = good ? URGENCY_LOW : URGENCY_NORMAL;
        n->transient = true;
        notice_set_put(set, TOPIC_ANSWER, TAKE_PTR(n));
        return 0;
}
