/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by replay-*.c only; replay-states.c says what they do together. */

#include "tests/faults/write-log.h"
#include "util/base.h"

/* Behind the file system on the logged disk lie the marks: one sector that says that an operation is over, then
 * the lines of the state as it was seen on the running machine, and a sector for which module the kernel is about to
 * load or unload. */
#define REPLAY_MARK_TEXT_OFFSET 4096
#define REPLAY_MARK_TEXT_SIZE ((size_t) 56 * 1024)
#define REPLAY_MARK_KERNEL_OFFSET ((uint64_t) 512 * 1024)
#define REPLAY_MARK_BEGIN "hotpatch-mark\n"
#define REPLAY_MARK_TEXT "hotpatch-mark-lines\n"
#define REPLAY_MARK_KERNEL "hotpatch-kernel "

/** struct ReplayMark - a moment between two operations */
typedef struct ReplayMark {
        size_t entry;    /* of the log; all before it was done before the operation was said to be over */
        char *name;
        char **live;     /* lines as state_lines() saw them on the running machine */
        char **settled;  /* admitted patches after a power cut at this moment: "ID DIGEST" */
} ReplayMark;

/** struct ReplayState - what a replayed disk holds */
typedef struct ReplayState {
        char **lines;    /* as found */
        char **settled;  /* after the next start of the machine has settled it */
        char *trouble;   /* NULL: it could be read and settled */
} ReplayState;

/** struct ReplayWindow - between which marks a state lies, and which ids an intent has named on the disk since */
typedef struct ReplayWindow {
        const ReplayMark *marks; /* the operation began at the first of them */
        size_t n_marks;
        char **announced;
} ReplayWindow;

void replay_state_done(ReplayState *s);

/* replay-mount.c */
int replay_mount_privately(void) _must_check_;
int replay_mount(int image_fd, const char *type, const char *where) _must_check_;
int replay_unmount(const char *where) _must_check_;

/* replay-mark.c */
int replay_mark_write(const char *disk, uint64_t offset, const char *name, const char *root) _must_check_;
int replay_marks_find(const WriteLog *log, uint64_t offset, ReplayMark **ret, size_t *ret_n) _must_check_;
void replay_marks_free(ReplayMark *marks, size_t n);
char *replay_mark_module(const WriteLogEntry *e, uint64_t offset) _must_check_;

/* replay-rules.c: a sentence, to be freed, or NULL: all rules hold */
char *replay_judge(const ReplayState *s, const ReplayWindow *w) _must_check_;
int replay_admitted(char *const *lines, char ***ret) _must_check_;
