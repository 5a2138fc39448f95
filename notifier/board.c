/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Between what there is to be told (NoticeSet) and what stands on the desktop. Each topic has one notification, which is
 * replaced when what it says has changed, and closed when it is not so any more. What a person has closed, or what has
 * gone by itself, is not shown again until its key is another one: that is what "new" means.
 *
 * While the desktop wants to be left alone, only what is critical goes out: it is up to the notification daemon what it
 * does with that, and a restart in a few minutes has to be told. So do answers to a button. The rest is told afterwards, if
 * it is still so. What stands there already is kept right all the time: a restart that was called off is not threatened.
 *
 * When the notification daemon goes, what was open on it went with it, and is shown to the next one.
 */

#include "notifier/board.h"

/** board_done() - free what it has */
void board_done(Board *b) {
        for (size_t i = 0; i < ELEMENTSOF(b->slots); i++)
                free(b->slots[i].key);
}

/* Who has pressed a button is at the screen, and waits for its answer. */
static bool may_show(const Board *b, Topic topic, const Notice *n) {
        return !b->inhibited || n->urgency == URGENCY_CRITICAL || topic == TOPIC_ANSWER;
}

static bool is_new(const Slot *s, const Notice *n) {
        return !streq_ptr(s->key, n->key);
}

static bool wants_show(const Board *b, Topic topic) {
        const Slot *s = &b->slots[topic];
        const Notice *n = b->set->items[topic];

        if (!n)
                return false;
        if (s->expand)
                return true;
        /* What stands there and is not so any more is put right, whoever wants to be left alone. */
        return s->id > 0 ? is_new(s, n) || s->serial != n->serial : may_show(b, topic, n) && is_new(s, n);
}

/** board_waits() - is there something to be shown, and nobody who shows it? */
bool board_waits(const Board *b) {
        for (size_t i = 0; i < ELEMENTSOF(b->slots); i++)
                if (!b->present && wants_show(b, (Topic) i))
                        return true;
        return false;
}

static int show(Board *b, Topic topic, BoardStep *ret) {
        const Notice *n = b->set->items[topic];
        Slot *s = &b->slots[topic];
        char *key = strdup(n->key);

        if (!key)
                return -ENOMEM;
        /* Details that a person asked for stay until there is something new. */
        s->expanded = n->details && (s->expand || (s->expanded && !is_new(s, n)));
        s->expand = false;
        free(s->key);
        s->key = key;
        s->serial = n->serial;
        s->busy = true;
        *ret = (BoardStep) { BOARD_SHOW, topic, s->id, n, s->expanded };
        return 1;
}

/**
 * board_next() - the next thing to say to the notification daemon
 * @ret: valid until the set changes; after BOARD_SHOW board_shown() is called
 *
 * Return: 1, 0 when there is nothing (@ret is untouched), -ENOMEM.
 */
int board_next(Board *b, BoardStep *ret) {
        for (size_t i = 0; b->present && i < ELEMENTSOF(b->slots); i++) {
                const Notice *n = b->set->items[i];
                Slot *s = &b->slots[i];

                if (s->busy)
                        continue;
                if (!n) {
                        uint32_t id = s->id;

                        /* When it is so again that is new. */
                        free(s->key);
                        *s = (Slot) { 0 };
                        if (id == 0)
                                continue;
                        *ret = (BoardStep) { BOARD_CLOSE, (Topic) i, id, NULL, false };
                        return 1;
                }
                if (wants_show(b, (Topic) i))
                        return show(b, (Topic) i, ret);
        }
        return 0;
}

/** board_shown() - the answer to a BOARD_SHOW: its @id, or 0 when it was not shown; that is not tried again */
void board_shown(Board *b, Topic topic, uint32_t id) {
        b->slots[topic].busy = false;
        b->slots[topic].id = id;
}

/** board_find() - whose notification is it? */
bool board_find(const Board *b, uint32_t id, Topic *ret) {
        for (size_t i = 0; i < ELEMENTSOF(b->slots); i++)
                if (id > 0 && b->slots[i].id == id) {
                        *ret = (Topic) i;
                        return true;
                }
        return false;
}

/** board_closed() - somebody closed it, or it has gone by itself */
void board_closed(Board *b, uint32_t id) {
        Topic topic;

        if (!board_find(b, id, &topic))
                return;
        b->slots[topic].id = 0;
        /* Some close what a button was pressed on; what comes in its place is under way. */
        if (!b->slots[topic].busy)
                b->slots[topic].expanded = false;
}

/** board_expand() - a person wants the details; they are shown even if the notification is closed by that */
void board_expand(Board *b, Topic topic) {
        b->slots[topic].expand = b->set->items[topic] && b->set->items[topic]->details;
}

/** board_lost() - the notification daemon has gone, and with it what was open */
void board_lost(Board *b) {
        b->present = b->inhibited = false;
        for (size_t i = 0; i < ELEMENTSOF(b->slots); i++) {
                Slot *s = &b->slots[i];
                bool again = s->busy || (s->id > 0 && b->set->items[i] && !b->set->items[i]->transient);

                s->id = 0;
                s->busy = s->expanded = s->expand = false;
                if (!again)
                        continue;
                free(s->key);
                s->key = NULL;
        }
}
