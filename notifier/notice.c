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

#include "notifier/notice-internal.h"
#include "util/limits.h"
#include "util/str.h"

/* --- the set --- */

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

/* --- what the topics share --- */

/** notice_wake_at() - look again then, if that is before what was wanted so far and not over */
void notice_wake_at(uint64_t *wake_usec, uint64_t usec, uint64_t now_usec) {
        if (usec > now_usec && (*wake_usec == 0 || usec < *wake_usec))
                *wake_usec = usec;
}

/** notice_is_grave() - is a person to be disturbed because of it? @severity: of a patch */
bool notice_is_grave(const char *severity) {
        return streq(severity, "critical") || streq(severity, "important");
}

/** notice_title() - what a patch is called; @p: NULL: it is not ours any more, and has only its @id */
const char *notice_title(const MachinePatch *p, const char *id) {
        return p && *p->title ? p->title : id;
}

/** notice_fill_count() - a sentence with a number in it. Return: 0 or -ENOMEM. */
int notice_fill_count(char **to, Text text, uint64_t n) {
        char count[32];

        (void) snprintf(count, sizeof(count), "%" PRIu64, n);
        return text_fill(to, text, "count", count, NULL);
}

/** notice_end_list() - @count lines were to be told; how many did not fit. Return: 0 or -ENOMEM. */
int notice_end_list(Notice *n, size_t count) {
        char more[32];

        if (count <= HOTPATCH_NOTIFIER_ITEMS_MAX)
                return 0;
        (void) snprintf(more, sizeof(more), "%zu", count - HOTPATCH_NOTIFIER_ITEMS_MAX);
        return text_append(&n->body, TEXT_MORE, "count", more, NULL);
}

/** notice_fixes() - names of what a patch repairs, as many as have room; or its own. Return: 0 or -ENOMEM. */
int notice_fixes(const MachinePatch *p, char **ret) {
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
        if (!n || str_printf(&n->key, "%" PRIu64, set->serial) < 0)
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
