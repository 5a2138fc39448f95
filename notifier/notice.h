/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What should stand on the desktop: at most one notice for each topic, decided from what is so on the machine. */

#include "notifier/machine.h"

typedef enum Topic {
        TOPIC_APPLIED,
        TOPIC_ROLLED_BACK,
        TOPIC_TRIPWIRE,
        TOPIC_RESTART,
        TOPIC_DEADLINE,
        TOPIC_TRACK,
        TOPIC_ANSWER, /* what became of a button */
        _TOPIC_MAX,
} Topic;

/* As the hint "urgency" of the Desktop Notifications Specification has them */
typedef enum Urgency {
        URGENCY_LOW = 0,
        URGENCY_NORMAL = 1,
        URGENCY_CRITICAL = 2,
} Urgency;

typedef enum Action {
        ACTION_RESTART = 1 << 0,
        ACTION_LATER = 1 << 1,
        ACTION_DETAILS = 1 << 2, /* when there are @details */
} Action;

/**
 * struct Notice
 * @key: what it is about; as long as it is the same, there is nothing new to be told
 * @summary, @body: plain text, not markup
 * @details: the body after the button Details; NULL: there is no such button
 * @transient: it need not be kept for later
 * @serial: another one when anything of it is another
 */
typedef struct Notice {
        char *key;
        char *summary;
        char *body;
        char *details;
        Urgency urgency;
        unsigned actions;
        bool transient;
        uint64_t serial;
} Notice;

Notice *notice_free(Notice *n);
DEFINE_TRIVIAL_CLEANUP(Notice *, notice_free);
#define _cleanup_notice_ _cleanup_(notice_freep)

/**
 * struct ToldHits - tripwires of one patch
 * @hits: how many there were when they were news for the last time
 * @last_usec: when the last one was seen
 * @news: they were in the last look
 */
typedef struct ToldHits {
        char *patch;
        uint64_t hits;
        uint64_t last_usec;
        bool news;
} ToldHits;

/**
 * struct NoticeSet - what there is to be told, and what has been told of events
 * @serial: the last one that was given
 * @told: of patches that were hit
 */
typedef struct NoticeSet {
        Notice *items[_TOPIC_MAX];
        uint64_t serial;
        ToldHits *told;
        size_t n_told;
} NoticeSet;

void notice_set_done(NoticeSet *set) _nonnull_(1);
void notice_set_put(NoticeSet *set, Topic topic, Notice *notice) _nonnull_(1);

int notices_decide(const Machine *before, const Machine *machine, uint64_t now_usec, NoticeSet *set,
                uint64_t *ret_wake_usec) _must_check_ _nonnull_(2, 4, 5);
int notice_answer(NoticeSet *set, bool good, const char *summary, const char *body) _must_check_ _nonnull_(1, 3, 4);
