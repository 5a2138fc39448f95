/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a backend says, line by line, becomes the result of its run. */

#include "baseline/run.h"

/**
 * struct RunTranscript
 * @result: filled line by line; not owned
 * @greeted, @ended: the first and the last line have come
 * @broken: a line could not be understood; the rest is not looked at
 * @lines: how many there were
 * @percent: of the work, 0 to 100
 * @status: what is being done, for people; may be NULL
 */
typedef struct RunTranscript {
        RunResult *result;
        bool greeted;
        bool ended;
        bool broken;
        size_t lines;
        unsigned percent;
        char *status;
} RunTranscript;

void run_transcript_done(RunTranscript *t);
int run_transcript_line(RunTranscript *t, const char *line, size_t size, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);
int run_transcript_end(RunTranscript *t, int wait_status) _must_check_ _nonnull_(1);
