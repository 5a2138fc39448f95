/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * On a terminal one line on stderr is drawn over and over and wiped at the end; otherwise (a log, a
 * dumb terminal) each new state is a line. stdout carries only results. With --json a terminal on
 * stderr still shows the line, a log gets nothing.
 */

#include <inttypes.h>

#include "ctl/progress.h"
#include "ctl/text.h"
#include "util/str.h"
#include "util/strv.h"

#define BAR_MAX 30U

/* "\r", and erase in line (ECMA-48 8.3.41) */
#define WIPE "\r\033[K"

/** progress_init() - decide how progress is shown: not with --quiet */
void progress_init(Progress *p, const Ctl *ctl) {
        const char *term = getenv("TERM");
        bool live = isatty(STDERR_FILENO) && term && !streq(term, "dumb");

        *p = (Progress) {
                .shown = !ctl->quiet && (live || !ctl->json),
                .live = live,
        };
}

/**
 * progress_format() - the line for a job
 * @job: the job
 * @width: columns that it may fill
 * @ret: to be freed; without escape sequences
 *
 * Return: 0 or -ENOMEM.
 */
int progress_format(const JobInfo *job, unsigned width, char **ret) {
        double share = job->progress < 0 ? 0 : job->progress > 1 ? 1 : job->progress;
        _cleanup_free_ char *state = text_sanitize(job->state);
        unsigned bar, filled;
        char *line;
        int n, r;

        if (!state)
                return -ENOMEM;
        /* "verifying   [] 100 %" and one column that stays free, so that nothing wraps */
        n = snprintf(NULL, 0, "%-11.32s [] 100 %%", state) + 1;
        bar = width > (unsigned) n + 4 ? width - (unsigned) n : 0;
        if (bar > BAR_MAX)
                bar = BAR_MAX;
        filled = (unsigned) (share * bar + 0.5);
        if (bar > 0)
                r = str_printf(&line, "%-11.32s [%.*s%*s] %3.0f %%", state, (int) filled,
                        "##############################", (int) (bar - filled), "", share * 100);
        else
                r = str_printf(&line, "%.16s %3.0f %%", state, share * 100);
        if (r < 0)
                return r;
        *ret = line;
        return 0;
}

static void print_state(Progress *p, const JobInfo *job) {
        _cleanup_free_ char *state = NULL;

        if (streq(p->last_state, job->state))
                return;
        snprintf(p->last_state, sizeof(p->last_state), "%s", job->state);
        state = text_sanitize(job->state);
        fprintf(stderr, "job %" PRIu32 ": %s\n", job->id, strempty(state));
}

static int join_lines(char *const *lines, char **ret) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        for (; lines && *lines; lines++) {
                _cleanup_free_ char *clean = text_line(*lines);
                fprintf(f, "  waits for %s\n", strempty(clean));
        }
        if (fclose(f) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}

/* Told once, and again when it is somebody else or more is known. */
static void print_blockers(Progress *p, const JobInfo *job) {
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *text = NULL;

        if (job->blockers.n == 0 || blocker_list_lines(&job->blockers, job->blockers_note, &lines) < 0 ||
            join_lines(lines, &text) < 0 || streq_ptr(text, p->last_blockers))
                return;
        progress_clear(p);
        fputs(text, stderr);
        free(p->last_blockers);
        p->last_blockers = TAKE_PTR(text);
}

/** progress_done() - free what it holds */
void progress_done(Progress *p) {
        free(p->last_blockers);
        p->last_blockers = NULL;
}

/** progress_update() - show how far @job is now */
void progress_update(Progress *p, const JobInfo *job) {
        _cleanup_free_ char *line = NULL;

        if (!p->shown || !*job->state || !job_is_running(job))
                return;
        if (!p->live)
                print_state(p, job);
        print_blockers(p, job);
        if (!p->live)
                return;
        if (progress_format(job, terminal_width(STDERR_FILENO), &line) < 0)
                return;
        fprintf(stderr, WIPE "%s", line);
        fflush(stderr);
        p->drawn = true;
}

/**
 * progress_waiting() - something takes long that has no steps; to be called each second
 * @what: is waited for
 * @seconds: since it began. What is over at once is not worth a word.
 */
void progress_waiting(Progress *p, const char *what, unsigned seconds) {
        if (!p->shown || seconds == 0)
                return;
        if (p->live) {
                int width = (int) terminal_width(STDERR_FILENO) - 20;

                fprintf(stderr, WIPE "%.*s, %u s", width, what, seconds);
                fflush(stderr);
                p->drawn = true;
        } else if (!*p->last_state) {
                fprintf(stderr, "%s\n", what);
                snprintf(p->last_state, sizeof(p->last_state), "waiting");
        }
}

/** progress_left() - on a terminal, how long something takes still */
void progress_left(Progress *p, const char *what, uint64_t seconds) {
        if (!p->shown || !p->live)
                return;
        fprintf(stderr, WIPE "%s, ", what);
        if (seconds >= 60)
                fprintf(stderr, "%" PRIu64 " min ", seconds / 60);
        fprintf(stderr, "%" PRIu64 " s left", seconds % 60);
        fflush(stderr);
        p->drawn = true;
}

/** progress_clear() - take the line off the screen, so that something else can be printed */
void progress_clear(Progress *p) {
        if (!p->drawn)
                return;
        fputs(WIPE, stderr);
        fflush(stderr);
        p->drawn = false;
}
