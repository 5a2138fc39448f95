/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Copies a manual page's source to standard output and puts the table of named refusals in place of
 * the line `@ERRORS@`. Run while building: the manual says what dbus/errors.c says, always.
 */

#include "dbus/errors.h"

/* The standard D-Bus names that have an exit code and a remedy; dbus/errors.c keeps them private. */
static const char *const standard[] = {
        SD_BUS_ERROR_ACCESS_DENIED,
        SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
        SD_BUS_ERROR_INVALID_ARGS,
        SD_BUS_ERROR_LIMITS_EXCEEDED,
        SD_BUS_ERROR_SERVICE_UNKNOWN,
        SD_BUS_ERROR_NAME_HAS_NO_OWNER,
        SD_BUS_ERROR_NO_REPLY,
};

/* A remedy is plain text; scdoc(5) gives these three a meaning. */
static void print_escaped(const char *s) {
        for (; *s; s++) {
                if (strchr("*_\\", *s))
                        putchar('\\');
                putchar(*s);
        }
}

static void print_row(const HotpatchError *e) {
        printf("*%s*++\n", e->name);
        printf("%s, exit status %d\n\t", strerrorname_np(e->error), (int) e->exit);
        print_escaped(e->remedy);
        printf("\n\n");
}

static void print_table(void) {
        for (size_t i = 0; i < n_hotpatch_errors; i++)
                print_row(&hotpatch_errors[i]);
        printf("Of the errors that D-Bus itself defines:\n\n");
        for (size_t i = 0; i < ELEMENTSOF(standard); i++) {
                const HotpatchError *e = hotpatch_error_find(standard[i]);

                if (e)
                        print_row(e);
        }
}

int main(int argc, char *argv[]) {
        _cleanup_fclose_ FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;
        char line[4096];

        if (!f) {
                fprintf(stderr, "Usage: errors-table PAGE.scd.in\n");
                return EXIT_FAILURE;
        }
        while (fgets(line, sizeof(line), f))
                if (streq(line, "@ERRORS@\n"))
                        print_table();
                else
                        fputs(line, stdout);
        return ferror(f) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
