/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How hotpatchctl says no: one line with what and where, one line with what can be done about it,
 * and the exit code of the table in dbus/errors.c. With --json the same goes to stdout as
 * {"error": …}, so that a program need not read prose.
 */

#include "ctl/json.h"
#include "ctl/text.h"
#include "util/str.h"

static const char *message_of(const sd_bus_error *error, int r) {
        if (error && sd_bus_error_is_set(error) && error->message && *error->message)
                return error->message;
        return strerror(r < 0 ? -r : EIO);
}

/* The errno values that the client itself meets and that have a row of their own. */
static const char *name_of(const sd_bus_error *error, int r) {
        if (error && sd_bus_error_is_set(error))
                return error->name;
        switch (r) {
        case -ENOENT:
                return SD_BUS_ERROR_FILE_NOT_FOUND;
        case -ECONNRESET:
        case -ENOTCONN:
                return SD_BUS_ERROR_DISCONNECTED;
        default:
                return SD_BUS_ERROR_FAILED;
        }
}

/* On a terminal broken between words, aligned behind @label; into a pipe or a log each line as it is. */
static void print_wrapped(const char *label, const char *text, const char *on, const char *off) {
        _cleanup_free_ char *lines = NULL;
        unsigned width = isatty(STDERR_FILENO) == 1 ? terminal_width(STDERR_FILENO) : UINT32_MAX;
        char indent[32];

        (void) snprintf(indent, sizeof(indent), "%*s", (int) strlen(label) + 1, "");
        if (text_wrap(text, indent, width, &lines) < 0)
                lines = NULL;
        fprintf(stderr, "%s%s%s %s\n", on, label, off, lines ?: "out of memory");
}

static void print_text(
                const Ctl *ctl, const char *subject, const char *message, const char *remedy) {
        _cleanup_free_ char *what = text_line(subject), *why = text_sanitize(message), *all = NULL;

        (void) (str_printf(&all, "%s%s%s", strempty(what), what && *what ? ": " : "", strempty(why)) < 0);
        /* Lines of the kernel log come in a message; they must not look like lines of ours. */
        print_wrapped("hotpatchctl:", all ?: "out of memory", style_on(ctl->colour_stderr, STYLE_RED),
                style_off(ctl->colour_stderr, STYLE_RED));
        if (remedy && *remedy)
                print_wrapped("  Remedy:", remedy, "", "");
}

/**
 * ctl_fail() - tell about a refusal
 * @ctl: the options
 * @subject: what was asked for: a file, an id; NULL when there is nothing to name
 * @error: the refusal; NULL or unset when there is only @r
 * @r: negative errno, used when @error does not say
 *
 * Return: the exit code.
 */
int ctl_fail(const Ctl *ctl, const char *subject, const sd_bus_error *error, int r) {
        const char *name = name_of(error, r), *message = message_of(error, r);
        const HotpatchError *row = hotpatch_error_find(name);

        /* Then it is not the file or the id that is at fault. */
        if (row && row->exit == HOTPATCH_EXIT_UNREACHABLE)
                subject = streq(name, SD_BUS_ERROR_DISCONNECTED) ? NULL : "hotpatchd";
        if (ctl->json)
                (void) value_print_error(ctl, subject, name, message, row ? row->remedy : NULL);
        print_text(ctl, subject, message, row ? row->remedy : NULL);
        return row ? row->exit : HOTPATCH_EXIT_FAILURE;
}

/**
 * ctl_usage_of() - tell that the command line is wrong
 * @verb: whose help has the answer; NULL: it is not known
 * @format: what is wrong, one sentence without a full stop
 *
 * Return: HOTPATCH_EXIT_USAGE.
 */
int ctl_usage_of(const char *verb, const char *format, ...) {
        _cleanup_free_ char *message = NULL, *clean = NULL;
        va_list ap;

        va_start(ap, format);
        (void) (str_vprintf(&message, format, ap) < 0);
        va_end(ap);
        clean = text_line(message);
        fprintf(stderr, "hotpatchctl: %s\n", strempty(clean));
        /* Some say themselves where to read on. */
        if (!strstr(strempty(clean), "--help'"))
                fprintf(stderr, "  Try 'hotpatchctl %s%s--help'.\n", strempty(verb), verb ? " " : "");
        return HOTPATCH_EXIT_USAGE;
}
