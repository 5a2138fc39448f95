/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Unified diffs, read line by line.
 *
 * The hunks are counted here and handed on as they are, but nothing else of the file is: what GNU
 * patch gets to see are headers of our making with a checked name. So nobody's ed script, "Index:" or
 * "Prereq:" line reaches it, and a rename, a mode or a binary file that patch would pass over in
 * silence is refused with its place.
 *
 * What stands between diffs is a mail or a commit message: its subject and its CVE numbers are kept.
 */

#include "builder/source/fix-parse.h"

#include "builder/source/fix-path.h"
#include "dbus/errors.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

typedef struct Reader {
        Fix *fix;
        size_t source;
        const char *name;
        const char *next;
        const char *end;
        size_t number; /* of @line, from 1 */
        const char *line;
        size_t length; /* without the newline */
        bool complete; /* it has a newline */
        size_t git;    /* number of the "diff --git" line whose header lines these are; 0: none */
        bool git_done; /* that section had hunks */
        bool after_date;
        sd_bus_error *error;
} Reader;

static bool next_line(Reader *r) {
        const char *newline;

        if (r->next == r->end)
                return false;
        newline = memchr(r->next, '\n', (size_t) (r->end - r->next));
        r->line = r->next;
        r->complete = newline;
        r->length = (size_t) ((newline ?: r->end) - r->next);
        r->next = newline ? newline + 1 : r->end;
        r->number++;
        return true;
}

static bool begins(const Reader *r, const char *prefix) {
        size_t l = strlen(prefix);

        return r->length >= l && memcmp(r->line, prefix, l) == 0;
}

static bool next_begins(const Reader *r, const char *prefix) {
        size_t l = strlen(prefix);

        return (size_t) (r->end - r->next) >= l && memcmp(r->next, prefix, l) == 0;
}

static int refuse(Reader *r, const char *what) {
        return sd_bus_error_setf(r->error, HOTPATCH_ERROR("FixInvalid"), "'%s', line %zu: %s", r->name,
                r->number, what);
}

/* What stands in a diff beside hunks and cannot be made a hotpatch of. */
static const struct {
        const char *prefix;
        bool in_git_header;
        const char *what;
} refused_lines[] = {
        { "rename from ", true, "the diff renames a file; make it without -M, or leave that file out" },
        { "copy from ", true, "the diff copies a file; make it without -C, or leave that file out" },
        { "GIT binary patch", true, "the diff changes a binary file" },
        { "Binary files ", false, "the diff changes a binary file" },
        { "diff --cc ", false, "this is the diff of a merge; give one against a single parent" },
        { "diff --combined ", false, "this is the diff of a merge; give one against a single parent" },
        { "Content-Transfer-Encoding: quoted-printable", false,
          "the mail is encoded as quoted-printable; save the patch decoded" },
        { "Content-Transfer-Encoding: base64", false, "the mail is encoded as base64; save the patch decoded" },
};

static int check_refused(Reader *r) {
        for (size_t i = 0; i < ELEMENTSOF(refused_lines); i++)
                if (begins(r, refused_lines[i].prefix) && (r->git || !refused_lines[i].in_git_header))
                        return refuse(r, refused_lines[i].what);
        return 0;
}

/* At the end of what one "diff --git" line began. */
static int end_git_section(Reader *r) {
        size_t git = r->git;

        r->git = 0;
        if (git == 0 || r->git_done)
                return 0;
        return sd_bus_error_setf(r->error, HOTPATCH_ERROR("FixInvalid"),
                "'%s', line %zu: this diff has no lines: it changes a file's mode, or adds or removes an "
                "empty file", r->name, git);
}

static int note_cves(Reader *r) {
        const char *end = r->line + r->length;
        int k;

        for (const char *p = r->line; end - p >= 13 && (p = memmem(p, (size_t) (end - p), "CVE-", 4)); p += 4) {
                char cve[sizeof("CVE-2026-1234567890")];
                size_t n = 0, digits = 0;

                if (p > r->line && (p[-1] == '-' || (p[-1] >= 'A' && p[-1] <= 'Z')))
                        continue;
                for (const char *c = p; c < end && n < sizeof(cve) - 1 && (n < 4 || n == 8 ||
                                     (*c >= '0' && *c <= '9')); c++)
                        cve[n++] = *c;
                cve[n] = '\0';
                /* CVE-YEAR-NUMBER, at least four digits: cve.org, "CVE ID Syntax" */
                digits = n > 9 ? n - 9 : 0;
                if (digits < 4 || cve[8] != '-' || strv_contains(r->fix->cves, cve))
                        continue;
                if (strv_length(r->fix->cves) >= HOTPATCH_FIX_CVES_MAX)
                        return refuse(r, "the texts name too many CVE numbers");
                k = strv_extend(&r->fix->cves, cve);
                if (k < 0)
                        return k;
        }
        return 0;
}

/* Without "[PATCH 6.1 3/7]" and "Re:", on one line, and with the lines that follow folded in. */
static int set_subject(Reader *r, size_t skip) {
        _cleanup_free_ char *s = NULL;
        size_t n;
        char *c;

        s = strndup(r->line + skip, r->length - skip);
        if (!s)
                return -ENOMEM;
        while (next_begins(r, " ") && skip != 4) {
                char *grown;

                (void) next_line(r);
                n = strlen(s);
                grown = realloc(s, n + r->length + 1);
                if (!grown)
                        return -ENOMEM;
                s = grown;
                memcpy(s + n, r->line, r->length);
                s[n + r->length] = '\0';
        }
        for (c = s;;) {
                c += strspn(c, " \t");
                if (*c == '[' && strchr(c, ']'))
                        c = strchr(c, ']') + 1;
                else if (strncasecmp(c, "re:", 3) == 0)
                        c += 3;
                else
                        break;
        }
        n = strlen(c);
        while (n > 0 && (c[n - 1] == ' ' || c[n - 1] == '\r' || c[n - 1] == '\t'))
                n--;
        if (n == 0)
                return 0;
        free(r->fix->subject);
        r->fix->subject = strndup(c, n);
        return r->fix->subject ? 0 : -ENOMEM;
}

static int read_text(Reader *r) {
        int k;

        k = note_cves(r);
        if (k < 0 || r->fix->subject || r->source > 0 || r->fix->n_diffs > 0)
                return k;
        if (begins(r, "Subject: "))
                return set_subject(r, strlen("Subject: "));
        if (begins(r, "Date:"))
                r->after_date = true;
        else if (r->after_date && begins(r, "    ") && r->length > 4) /* git show */
                return set_subject(r, 4);
        return 0;
}

static const char *scan_number(const char *c, const char *end, size_t *ret) {
        size_t v = 0;
        const char *begin = c;

        for (; c < end && *c >= '0' && *c <= '9'; c++) {
                v = v * 10 + (size_t) (*c - '0');
                if (v > HOTPATCH_SOURCE_FILE_MAX)
                        return NULL;
        }
        *ret = v;
        return c == begin ? NULL : c;
}

static const char *scan_range(const char *c, const char *end, char sign, size_t *ret_line, size_t *ret_n) {
        if (c == end || *c++ != sign)
                return NULL;
        c = scan_number(c, end, ret_line);
        *ret_n = 1;
        if (c && c < end && *c == ',')
                c = scan_number(c + 1, end, ret_n);
        return c;
}

typedef struct Hunk {
        size_t old_line, old_n, new_line, new_n;
} Hunk;

static bool scan_hunk(const Reader *r, Hunk *ret) {
        const char *c = r->line + 3, *end = r->line + r->length;

        if (!begins(r, "@@ "))
                return false;
        c = scan_range(c, end, '-', &ret->old_line, &ret->old_n);
        if (!c || c == end || *c != ' ')
                return false;
        c = scan_range(c + 1, end, '+', &ret->new_line, &ret->new_n);
        return c && end - c >= 3 && memcmp(c, " @@", 3) == 0;
}

/* The body of one hunk, the "@@" line having been read. */
static int read_hunk_lines(Reader *r, Hunk h) {
        size_t begin = r->number;
        bool changes = false;

        while (h.old_n > 0 || h.new_n > 0) {
                char c;

                if (!next_line(r))
                        return refuse(r, "the file ends inside a hunk");
                c = r->length > 0 ? *r->line : ' '; /* mailers cut the space of an empty line */
                if ((c == ' ' || c == '-') && h.old_n == 0)
                        break;
                if ((c == ' ' || c == '+') && h.new_n == 0)
                        break;
                if (!strchr(" -+\\", c) || (c == '\\' && r->number == begin + 1))
                        break;
                h.old_n -= c == ' ' || c == '-';
                h.new_n -= c == ' ' || c == '+';
                changes = changes || c == '-' || c == '+';
        }
        if (h.old_n > 0 || h.new_n > 0)
                return refuse(r, "the hunk's lines are not as many as its '@@' line says");
        if (!changes)
                return refuse(r, "the hunk changes nothing");
        if (next_begins(r, "\\ "))
                (void) next_line(r);
        return 0;
}

static int find_file(Reader *r, char *path, FixDiff *d) {
        _cleanup_free_ char *owned = path;
        Fix *f = r->fix;
        FixFile *grown;

        for (d->file = 0; d->file < f->n_files; d->file++)
                if (streq(f->files[d->file].path, path))
                        break;
        if (d->file == f->n_files) {
                if (f->n_files >= HOTPATCH_FIX_FILES_MAX)
                        return refuse(r, "the fix changes too many files");
                grown = reallocarray(f->files, f->n_files + 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                f->files = grown;
                grown[f->n_files++] = (FixFile) { .path = TAKE_PTR(owned), .added = d->adds };
        } else if (f->files[d->file].removed != d->adds)
                return refuse(r, d->adds ? "the fix adds a file that it changed before" :
                                         "the fix changes a file that it removed before");
        if (d->adds && f->files[d->file].removed) /* removed and written anew is changed */
                f->files[d->file].added = false;
        f->files[d->file].removed = d->removes;
        return 0;
}

static int add_diff(Reader *r, FixDiff *d) {
        FixDiff *grown = reallocarray(r->fix->diffs, r->fix->n_diffs + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        r->fix->diffs = grown;
        grown[r->fix->n_diffs++] = *d;
        d->hunks = NULL;
        return 0;
}

/* The name of a header line: without the time stamp of plain diffs. */
static char *header_name(const Reader *r) {
        size_t n = r->length - 4;
        const char *tab = memchr(r->line + 4, '\t', n);

        if (tab)
                n = (size_t) (tab - r->line) - 4;
        while (n > 0 && r->line[4 + n - 1] == ' ')
                n--;
        return strndup(r->line + 4, n);
}

static int read_hunks(Reader *r, FixDiff *d) {
        const char *begin = r->next, *end;
        bool complete = true;
        int k;

        d->line = r->number + 1;
        for (; next_begins(r, "@@ "); d->n_hunks++) {
                Hunk h;

                (void) next_line(r);
                if (!scan_hunk(r, &h))
                        return refuse(r, "this is not the '@@' line of a hunk");
                if (d->n_hunks >= HOTPATCH_FIX_HUNKS_MAX)
                        return refuse(r, "the diff has too many hunks");
                d->adds = d->n_hunks == 0 && h.old_line == 0 && h.old_n == 0;
                d->removes = d->n_hunks == 0 && h.new_line == 0 && h.new_n == 0;
                k = read_hunk_lines(r, h);
                if (k < 0)
                        return k;
                complete = r->complete;
        }
        if (d->n_hunks == 0)
                return refuse(r, "no hunk follows the names of the file");
        end = r->next;
        if (str_printf(&d->hunks, "%.*s%s", (int) (end - begin), begin, complete ? "" : "\n") < 0)
                return -ENOMEM;
        return 0;
}

/* At "--- OLD", and "+++ NEW" follows. */
static int read_diff(Reader *r) {
        _cleanup_free_ char *old = NULL, *new = NULL, *path = NULL, *where = NULL;
        FixDiff d = { .source = r->source };
        int k;

        old = header_name(r);
        (void) (str_printf(&where, "'%s', line %zu", r->name, r->number) < 0);
        (void) next_line(r);
        new = header_name(r);
        if (!old || !new || !where)
                return -ENOMEM;
        k = fix_path(where, old, new, &path, r->error);
        if (k < 0)
                return k;
        k = read_hunks(r, &d);
        if (k == 0 && (streq(old, "/dev/null") ? !d.adds : streq(new, "/dev/null") && !d.removes))
                k = refuse(r, "the names say that the file is added or removed, and the hunk does not");
        if (k == 0)
                k = find_file(r, TAKE_PTR(path), &d);
        if (k == 0)
                k = add_diff(r, &d);
        free(d.hunks);
        r->git_done = true;
        return k;
}

static int read_line(Reader *r) {
        int k;

        k = check_refused(r);
        if (k < 0)
                return k;
        if (begins(r, "diff --git ")) {
                k = end_git_section(r);
                r->git = r->number;
                r->git_done = false;
                return k;
        }
        if (begins(r, "--- ") && next_begins(r, "+++ "))
                return read_diff(r);
        if (begins(r, "@@ -"))
                return refuse(r, "a hunk without the names of a file before it");
        return read_text(r);
}

/**
 * fix_parse() - add the diffs of one text to a fix
 * @f: gets diffs, files, CVE numbers (unsorted), and from the first text the subject
 * @source: index in @f->paths, whose name is used in messages
 * @text: bytes; lines end in LF
 * @error: FixInvalid, naming file and line
 *
 * Return: 0 or a negative errno; then @f is in parts and good only for fix_free().
 */
int fix_parse(Fix *f, size_t source, const char *text, size_t size, sd_bus_error *error) {
        Reader r = {
                .fix = f, .source = source, .name = f->paths[source], .next = text, .end = text + size, .error = error,
        };
        size_t before = f->n_diffs;
        int k;

        if (memchr(text, '\0', size))
                return refuse(&r, "this is not a text file");
        while (next_line(&r)) {
                k = read_line(&r);
                if (k < 0)
                        return k;
        }
        k = end_git_section(&r);
        if (k < 0)
                return k;
        if (f->n_diffs == before)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("FixInvalid"),
                        "There is no unified diff in '%s'", r.name);
        return 0;
}
