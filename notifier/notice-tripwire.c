/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Somebody did what a fix prevents. One who tries does it many times, and a notification for each would bury the next
 * one: so what is told is remembered for each patch, and a hit is news when it is the first one of its patch, comes after a
 * quiet hour, or makes ten times as many.
 *
 * Within the hour what is no news stands below the news, with its count of now: it may not have been read.
 */

#include <inttypes.h>

#include "notifier/notice-internal.h"
#include "util/limits.h"
#include "util/str.h"

/* A tripwire that is hit again after so long is news. */
#define TRIPWIRE_NEWS_USEC (60 * 60 * USEC_PER_SEC)

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
        int r = notice_fixes(p, &fixes);

        (void) snprintf(count, sizeof(count), "%" PRIu64, p->tripped);
        return r < 0 ? r : text_append(&n->body, p->tripped == 1 ? TEXT_TRIPWIRE_ONCE : TEXT_TRIPWIRE_TIMES, "title",
                                   notice_title(p, p->id), "fixes", fixes, "count", count, NULL);
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
        return r < 0 ? r : notice_end_list(n, count);
}

/* @key: NULL: news, with a key of its own */
static int make_tripwire(const Machine *machine, const NoticeSet *set, const char *key, uint64_t now_usec, Notice **ret) {
        _cleanup_notice_ Notice *n = calloc(1, sizeof(*n));
        int r;

        if (!n)
                return -ENOMEM;
        /* Each look with news has another serial, as it is put into the set. */
        r = key ? str_printf(&n->key, "%s", key) : str_printf(&n->key, "%" PRIu64 " %" PRIu64, set->serial, now_usec);
        if (r < 0)
                return r;
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

/** decide_tripwire() - who was hit since the last look goes into @set. Return: 0 or -ENOMEM. */
int decide_tripwire(const Machine *before, const Machine *machine, uint64_t now_usec, NoticeSet *set) {
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
