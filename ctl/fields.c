/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Labels stand to the right of one edge, texts begin at one column and are wrapped under themselves
 * on a terminal. Into a pipe nothing is wrapped. Texts are sanitised here.
 */

#include "ctl/fields.h"
#include "util/str.h"
#include "util/strv.h"

#define LABEL_WIDTH 10

/**
 * field_print() - one labelled text
 * @ctl: the options
 * @label: at most 10 characters; empty for a further line of the same kind
 * @text: anybody's
 * @style: how the text looks
 *
 * Return: 0 or -ENOMEM.
 */
int field_print(const Ctl *ctl, const char *label, const char *text, Style style) {
        static const char indent[] = "            ";
        _cleanup_free_ char *clean = text_sanitize(text), *lines = NULL;
        int r;

        if (!clean)
                return -ENOMEM;
        r = text_wrap(clean, indent, ctl->terminal ? terminal_width(STDOUT_FILENO) : UINT32_MAX,
                        &lines);
        if (r < 0)
                return r;
        fprintf(ctl->out ?: stdout, "%*s%s %s%s%s\n", LABEL_WIDTH, label, *label ? ":" : " ",
                        style_on(ctl->colour, style), lines, style_off(ctl->colour, style));
        return 0;
}

/** field_printf() - as field_print(), with the text made by a format */
int field_printf(const Ctl *ctl, const char *label, Style style, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = str_vprintf(&text, format, ap);
        va_end(ap);
        return r < 0 ? r : field_print(ctl, label, text, style);
}

/** fields_print_blockers() - who holds the transition of a job up; nothing when nobody does */
int fields_print_blockers(const Ctl *ctl, const JobInfo *job) {
        _cleanup_strv_free_ char **lines = NULL;
        int r;

        r = blocker_list_lines(&job->blockers, job->blockers_note, &lines);
        for (char **line = lines; r >= 0 && line && *line; line++)
                r = field_print(ctl, line == lines ? "Waits for" : "", *line, STYLE_YELLOW);
        return r;
}
