/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl monitor` on a terminal: above stands what `status` says, drawn anew when something
 * happens; below what happened last. It has the second screen of the terminal (as less(1)), and what
 * happened stays behind on the first one when it goes, so nothing that was seen is lost.
 *
 * Lines are as wide as the terminal by the same rules as everywhere; one that is wider all the same is
 * cut by the terminal, not wrapped, so that a line is a line.
 */

#include <sys/ioctl.h>
#include <time.h>

#include "ctl/fields.h"
#include "ctl/status.h"
#include "ctl/summary.h"
#include "ctl/text.h"
#include "ctl/view.h"
#include "util/strv.h"

/* What is kept; older ones are forgotten. */
#define EVENTS_MAX 1000U
/* At least so many lines are for what happens. */
#define EVENT_ROWS_MIN 6U
#define ROWS_DEFAULT 24U

/* xterm's alternate screen, no cursor, no wrapping at the edge (DECAWM); and back */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
/* Cursor to the first place; erase to the end of the line, of the screen (ECMA-48 8.3.21, 41, 39) */
#define HOME "\033[H"
#define ERASE_LINE "\033[K"
#define ERASE_BELOW "\033[J"

struct View {
        Ctl *ctl;
        char **events; /* oldest first */
        char *top;     /* what status said last; NULL: nothing yet */
        bool ended;    /* hotpatchd has, or was never there */
};

/** view_is_possible() - somebody looks, at a terminal that can be drawn on */
bool view_is_possible(const Ctl *ctl) {
        const char *term = getenv("TERM");

        return ctl->terminal && !ctl->json && !ctl->quiet && term && !streq(term, "dumb");
}

/**
 * view_new() - take the screen
 * @ctl: borrowed; for the connection
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int view_new(Ctl *ctl, View **ret) {
        View *v = calloc(1, sizeof(*v));

        if (!v)
                return -ENOMEM;
        v->ctl = ctl;
        fputs(ENTER, stdout);
        *ret = v;
        return 0;
}

/** view_free() - give the screen back; what happened is printed there */
View *view_free(View *v) {
        if (!v)
                return NULL;
        fputs(LEAVE, stdout);
        for (char **event = v->events; event && *event; event++)
                puts(*event);
        fflush(stdout);
        strv_free(v->events);
        free(v->top);
        free(v);
        return NULL;
}

/** view_add() - something happened; the line is sanitized already and may have colours */
int view_add(View *v, const char *line) {
        size_t n = strv_length(v->events);

        if (n >= EVENTS_MAX) {
                free(v->events[0]);
                memmove(v->events, v->events + 1, n * sizeof(*v->events));
        }
        return strv_extend(&v->events, line);
}

static int print_status(const Ctl *ctl, const Snapshot *s) {
        _cleanup_summary_ Summary *summary = NULL;
        int r = summary_make(s, &summary);

        return r < 0 ? r : status_print(ctl, s, summary);
}

/** view_look() - ask hotpatchd how it is now. Not being told is shown and no failure. */
int view_look(View *v) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_snapshot_ Snapshot *s = NULL;
        _cleanup_free_ char *text = NULL;
        Ctl ctl = *v->ctl;
        size_t size;
        int r;

        r = snapshot_read(v->ctl, &s, &error);
        v->ended = r < 0;
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        ctl.bus = v->ctl->bus;
        ctl.out = open_memstream(&text, &size);
        if (!ctl.out)
                return -ENOMEM;
        r = print_status(&ctl, s);
        if (fclose(ctl.out) != 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        free(v->top);
        v->top = TAKE_PTR(text);
        return 0;
}

/** view_service_ended() - what stands there is how it was */
int view_service_ended(View *v) {
        v->ended = true;
        return view_draw(v);
}

/** view_service_is_there() - it answered when it was last asked, and has not ended since */
bool view_service_is_there(const View *v) {
        return !v->ended;
}

static unsigned terminal_rows(void) {
        struct winsize size = { 0 };

        return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 ? ROWS_DEFAULT : size.ws_row;
}

static void print_line(const char *line, size_t n) {
        printf("%.*s" ERASE_LINE "\n", (int) n, line);
}

/* The first lines of what status said. Return: how many rows they took. */
static unsigned draw_top(const char *top, unsigned rows) {
        unsigned n = 0;

        for (const char *line = top; *line && n < rows; n++) {
                size_t length = strcspn(line, "\n");

                print_line(line, length);
                line += length + (line[length] == '\n');
        }
        return n;
}

static const char *headline(const View *v) {
        if (!v->ended)
                return "What happens (Ctrl-C ends it):";
        return v->top ? "hotpatchd has ended, above is how it was. What happens (Ctrl-C ends it):"
                      : "hotpatchd is not there. What happens (Ctrl-C ends it):";
}

/** view_draw() - everything anew, in the size that the terminal has now */
int view_draw(View *v) {
        unsigned rows = terminal_rows(), used = 0;
        const Style style = v->ended ? STYLE_YELLOW : STYLE_BOLD;
        size_t n = strv_length(v->events), first;

        fputs(HOME, stdout);
        /* headline, the empty line before it, and the last row, which would scroll */
        if (v->top && rows > EVENT_ROWS_MIN + 3)
                used = draw_top(v->top, rows - EVENT_ROWS_MIN - 3);
        print_line("", 0);
        printf("%s%s%s" ERASE_LINE "\n", style_on(v->ctl->colour, style), headline(v), style_off(v->ctl->colour, style));
        used += 3;
        first = rows > used && n > rows - used ? n - (rows - used) : 0;
        for (size_t i = first; i < n; i++)
                print_line(v->events[i], strlen(v->events[i]));
        fputs(ERASE_BELOW, stdout);
        return fflush(stdout) != 0 ? -errno : 0;
}
