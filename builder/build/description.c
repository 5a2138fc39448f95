/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The in-memory twin of a patch.json: the table of functions comes from the examined objects, title
 * and problems from options or, without them, from the fix's own text (its subject, its CVE numbers).
 * What nobody said is not invented: there is no description and no severity of a single problem.
 */

#include "builder/build/description.h"

#include "dbus/errors.h"
#include "util/limits.h"
#include "util/strv.h"

#define TITLE_MAX 256U /* bundle/manifest-parse.c: lines of a manifest */

static int invalid(sd_bus_error *error, const char *what, const char *value) {
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "%s: '%s'", what, value);
}

/* ---- names ---- */

/* OUT.hpb without folder and suffix, if that is an id. */
static char *id_of_output(const char *output) {
        const char *slash = strrchr(output, '/'), *name = slash ? slash + 1 : output;
        size_t n = strlen(name);
        char *id = strndup(name, n > 4 && streq(name + n - 4, ".hpb") ? n - 4 : n);

        if (id && !manifest_id_is_valid(id)) {
                free(id);
                return NULL;
        }
        return id;
}

static int set_id(const Build *b, Manifest *m, sd_bus_error *error) {
        const char *given = b->options->id;

        if (given && !manifest_id_is_valid(given))
                return invalid(error, "An id has lower-case letters, digits, '.', '_' and '-' only", given);
        m->id = given ? strdup(given) : b->options->output ? id_of_output(b->options->output) : NULL;
        if (!m->id)
                return given ? -ENOMEM : invalid(error, "The name of the output is no id; give one with --id",
                                                 strempty(b->options->output));
        m->stream = strdup(b->options->stream ?: m->id);
        return m->stream ? 0 : -ENOMEM;
}

static int set_module(PatchFile *p, sd_bus_error *error) {
        int r = patch_module_name(p->manifest->id, &p->module);

        if (r < 0)
                return r;
        if (strlen(p->module) > HOTPATCH_MODULE_NAME_MAX)
                return invalid(error, "The name that the module would get from the id is too long", p->module);
        return 0;
}

/* "Change of a(), b() and 3 more" */
static int title_of_functions(const PatchFile *p, char **ret) {
        size_t shown = p->n_functions < 3 ? p->n_functions : 3, size;
        char *text = NULL;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        fputs("Change of ", f);
        for (size_t i = 0; i < shown; i++)
                fprintf(f, "%s%s()", i > 0 ? ", " : "", p->functions[i].function);
        if (p->n_functions > shown)
                fprintf(f, " and %zu more", p->n_functions - shown);
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/* At the end of a character: continuation bytes of UTF-8 are 10xxxxxx (RFC 3629). */
static void shorten(char *s, size_t max) {
        if (strlen(s) <= max)
                return;
        while (max > 0 && ((unsigned char) s[max] & 0xc0) == 0x80)
                max--;
        s[max] = '\0';
}

static int set_title(const Build *b, PatchFile *p) {
        const char *title = b->options->title ?: b->fix->subject;
        int r = 0;

        if (title)
                p->manifest->title = strdup(title);
        else
                r = title_of_functions(p, &p->manifest->title);
        if (r < 0 || !p->manifest->title)
                return -ENOMEM;
        shorten(p->manifest->title, TITLE_MAX);
        return 0;
}

/* ---- what is repaired ---- */

static int set_fixes(const Build *b, Manifest *m) {
        int r = 0;

        for (char **f = b->options->fixes ?: b->fix->cves; f && *f && r >= 0; f++)
                r = manifest_add_fix(m, *f);
        return r;
}

static int set_numbers(const Build *b, Manifest *m, sd_bus_error *error) {
        const char *sequence = b->options->sequence ?: "1", *severity = b->options->severity ?: "moderate";

        m->severity = severity_from_string(severity);
        if (m->severity < 0)
                return invalid(error, "--severity takes low, moderate, important or critical", severity);
        if (manifest_sequence_parse(sequence, &m->sequence) < 0)
                return invalid(error, "--sequence takes a number from 1 on", sequence);
        return 0;
}

static int set_relations(Manifest *m) {
        char ***lists[] = { &m->requires, &m->conflicts, &m->supersedes };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                *lists[i] = calloc(1, sizeof(char *));
                if (!*lists[i])
                        return -ENOMEM;
        }
        return 0;
}

/* ---- the table ---- */

static int take_functions(PatchFile *p, Extracted *e) {
        PatchFunction *grown = reallocarray(p->functions, p->n_functions + e->n_functions + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        p->functions = grown;
        memcpy(grown + p->n_functions, e->functions, e->n_functions * sizeof(*grown));
        p->n_functions += e->n_functions;
        free(TAKE_PTR(e->functions));
        e->n_functions = 0;
        return 0;
}

static int take_symbols(PatchFile *p, Extracted *e) {
        PatchSymbol *grown = reallocarray(p->symbols, p->n_symbols + e->n_symbols + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        p->symbols = grown;
        memcpy(grown + p->n_symbols, e->symbols, e->n_symbols * sizeof(*grown));
        p->n_symbols += e->n_symbols;
        free(TAKE_PTR(e->symbols));
        e->n_symbols = 0;
        return 0;
}

static int set_table(const Build *b, PatchFile *p) {
        int r = 0;

        for (size_t i = 0; i < b->n_units && r >= 0; i++) {
                r = take_functions(p, &b->units[i].extracted);
                if (r >= 0)
                        r = take_symbols(p, &b->units[i].extracted);
        }
        return r;
}

/* What only the options decide. */
static int set_options(const Build *b, PatchFile *p, sd_bus_error *error) {
        int r;

        r = set_id(b, p->manifest, error);
        if (r >= 0)
                r = set_numbers(b, p->manifest, error);
        return r < 0 ? r : set_module(p, error);
}

/**
 * describe_check() - could a bundle be described with these options?
 * @b: with options; nothing else is looked at
 * @error: InvalidArgs
 *
 * Asked before a minute of work.
 *
 * Return: 0 or a negative errno.
 */
int describe_check(const Build *b, sd_bus_error *error) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        int r;

        r = patch_file_new(&p);
        return r < 0 ? r : set_options(b, p, error);
}

/**
 * describe_patch() - what hotpatch-module would read from a patch.json
 * @b: examined; the functions and symbols of its units move to the result
 * @ret: free with patch_file_free()
 * @error: InvalidArgs: an option, or the lack of one
 *
 * Return: 0 or a negative errno.
 */
int describe_patch(const Build *b, PatchFile **ret, sd_bus_error *error) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        int r;

        r = patch_file_new(&p);
        if (r >= 0)
                r = set_options(b, p, error);
        if (r >= 0)
                r = set_fixes(b, p->manifest);
        if (r >= 0)
                r = set_relations(p->manifest);
        if (r >= 0)
                r = set_table(b, p);
        if (r >= 0)
                r = set_title(b, p);
        if (r >= 0)
                *ret = TAKE_PTR(p);
        return r;
}
