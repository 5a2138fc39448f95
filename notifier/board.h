/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What stands on the desktop, and what has to be said to the notification daemon next. Without a bus. */

#include "notifier/notice.h"

/**
 * struct Slot - one topic on the desktop
 * @id: of the notification that is open; 0: none
 * @key: of what was shown last; NULL: nothing was
 * @serial: likewise
 * @busy: an answer is awaited
 * @expanded: with its details
 * @expand: a person has just asked for these
 */
typedef struct Slot {
        uint32_t id;
        char *key;
        uint64_t serial;
        bool busy;
        bool expanded;
        bool expand;
} Slot;

/**
 * struct Board
 * @set: what there is to be told; not owned
 * @present: there is a notification daemon, and it was asked what it can
 * @inhibited: the desktop wants to be left alone
 */
typedef struct Board {
        const NoticeSet *set;
        Slot slots[_TOPIC_MAX];
        bool present;
        bool inhibited;
} Board;

typedef enum BoardOperation {
        BOARD_NOTHING,
        BOARD_SHOW,
        BOARD_CLOSE,
} BoardOperation;

/**
 * struct BoardStep
 * @id: with BOARD_CLOSE what to close, with BOARD_SHOW what to replace (0: nothing)
 * @notice: with BOARD_SHOW
 * @expanded: with its details as body
 */
typedef struct BoardStep {
        BoardOperation operation;
        Topic topic;
        uint32_t id;
        const Notice *notice;
        bool expanded;
} BoardStep;

void board_done(Board *b) _nonnull_(1);
bool board_waits(const Board *b) _nonnull_(1);
int board_next(Board *b, BoardStep *ret) _must_check_ _nonnull_(1, 2);
void board_shown(Board *b, Topic topic, uint32_t id) _nonnull_(1);
void board_closed(Board *b, uint32_t id) _nonnull_(1);
bool board_find(const Board *b, uint32_t id, Topic *ret) _nonnull_(1, 3);
void board_expand(Board *b, Topic topic) _nonnull_(1);
void board_lost(Board *b) _nonnull_(1);
