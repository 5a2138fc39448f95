/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Programs that are run for their effect. What they say is only of interest when they fail, and then
 * the one line that says why is: programs write it with "error:", "E:" or what the C library calls an
 * errno, and after it some more lines that only follow from it. So the first such line is kept for the
 * sentence, and the last ones for who wants to read more.
 */

#include "builder/source/step.h"

#include "builder/run.h"
#include "dbus/errors.h"

/* A screen. */
#define TAIL_LINES 24U

typedef struct Listener {
        char *tail[TAIL_LINES];
        size_t n;
        char *complaint;
        bool verbose;
} Listener;

static void listener_done(Listener *l) {
        for (size_t i = 0; i < TAIL_LINES; i++)
                free(l->tail[i]);
        free(l->complaint);
}

/* make's own lines ("make: *** [Makefile:1] Error 2") say where, never why; apt warns root each time that
 * its sandbox user cannot read the folder ("W: … Permission denied"). */
static bool is_complaint(const char *line) {
        static const char *const parts[] = {
                "rror: ", ": not found", "cannot run '", "No space left on device", "File too large",
                "Disk quota exceeded", "No such file or directory", "Permission denied", "Read-only file system",
        };

        if (startswith(line, "make") || startswith(line, "W: "))
                return false;
        if (startswith(line, "E: "))
                return true;
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (strstr(line, parts[i]))
                        return true;
        return false;
}

static void listen_line(const char *line, void *userdata) {
        Listener *l = userdata;
        char **slot = &l->tail[l->n++ % TAIL_LINES];

        if (l->verbose)
                fprintf(stderr, "%s\n", line);
        if (!l->complaint && is_complaint(line))
                l->complaint = strdup(startswith(line, "E: ") ?: line);
        free(*slot);
        *slot = strdup(line);
}

static void show_tail(const Listener *l) {
        for (size_t i = l->n < TAIL_LINES ? 0 : l->n - TAIL_LINES; i < l->n; i++)
                fprintf(stderr, "%s\n", strempty(l->tail[i % TAIL_LINES]));
}

/**
 * step_run() - run one program that has to succeed
 * @s: which, and the words for its failure
 * @error: @s->error_name
 *
 * Return: 0 or a negative errno.
 */
int step_run(const Step *s, sd_bus_error *error) {
        _cleanup_(listener_done) Listener l = { .verbose = s->verbose };
        const char *last;
        int r;

        r = run_program(&(Run) {
                .arguments = s->arguments,
                .folder = s->folder,
                .line = listen_line,
                .userdata = &l,
        });
        if (r == 0)
                return 0;
        if (r == -EINTR)
                return sd_bus_error_setf(error, s->error_name, "%s: a signal ended '%s'", s->what,
                        s->arguments[0]);
        if (r < 0)
                return r;
        if (s->tail && !s->verbose)
                show_tail(&l);
        last = l.n > 0 ? l.tail[(l.n - 1) % TAIL_LINES] : NULL;
        return sd_bus_error_setf(error, s->error_name, "%s: %s", s->what,
                l.complaint ?: last ?: "it does not say why");
}
