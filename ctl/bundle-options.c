/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Second level of the command line: `hotpatchctl bundle create --id …`. The rules are those of the
 * first level (options.c): long options by full name, `--` ends options, no global state.
 */

#include "ctl/bundle-options.h"
#include "util/strv.h"

static const BundleOption *find_long(const BundleVerb *verb, const char *name, size_t length) {
        for (const BundleOption *o = verb->options; o && o->name; o++)
                if (strlen(o->name) == length && strncmp(o->name, name, length) == 0)
                        return o;
        return NULL;
}

static const BundleOption *find_letter(const BundleVerb *verb, char letter) {
        for (const BundleOption *o = verb->options; o && o->name; o++)
                if (o->letter == letter)
                        return o;
        return NULL;
}

static int store(const BundleOption *o, const char *value, void *into) {
        void *at = (uint8_t *) into + o->offset;

        switch (o->kind) {
        case OPTION_SWITCH:
                *(bool *) at = true;
                return 0;
        case OPTION_STRING:
                *(const char **) at = value;
                return 0;
        case OPTION_LIST:
                return strv_extend(at, value) < 0 ? HOTPATCH_EXIT_FAILURE : 0;
        }
        return HOTPATCH_EXIT_FAILURE;
}

/* Takes argv[*i] and, where the value stands apart, the one after it. */
static int read_option(const BundleVerb *verb, int argc, char *argv[], int *i, void *into) {
        const char *arg = argv[*i], *name = startswith(arg, "--"), *value = NULL;
        const BundleOption *o;

        if (name) {
                size_t length = strcspn(name, "=");

                o = find_long(verb, name, length);
                value = name[length] == '=' ? name + length + 1 : NULL;
        } else {
                o = find_letter(verb, arg[1]);
                value = arg[2] ? arg + 2 : NULL;
        }
        if (!o)
                return ctl_usage("'%s' has no option '%s'", verb->name, arg);
        if (o->kind == OPTION_SWITCH && value)
                return ctl_usage("--%s takes no value", o->name);
        if (o->kind != OPTION_SWITCH && !value) {
                if (*i + 1 >= argc)
                        return ctl_usage("--%s needs a value, %s", o->name, o->value);
                value = argv[++*i];
        }
        return store(o, value, into);
}

/**
 * bundle_options_parse() - read what follows a second-level verb
 * @argv: argv[0] is the verb
 * @into: the structure that the offsets of the options mean
 * @ret_args: all that is not an option; to be freed with strv_free()
 *
 * Return: 0, or an exit code after the complaint was printed.
 */
int bundle_options_parse(const BundleVerb *verb, int argc, char *argv[], void *into, char ***ret_args) {
        _cleanup_strv_free_ char **args = calloc(1, sizeof(char *));
        bool ended = false;
        int r = args ? 0 : HOTPATCH_EXIT_FAILURE;

        for (int i = 1; i < argc && r == 0; i++) {
                if (!ended && streq(argv[i], "--"))
                        ended = true;
                else if (!ended && argv[i][0] == '-' && argv[i][1])
                        r = read_option(verb, argc, argv, &i, into);
                else if (strv_extend(&args, argv[i]) < 0)
                        r = HOTPATCH_EXIT_FAILURE;
        }
        if (r != 0)
                return r;
        *ret_args = TAKE_PTR(args);
        return 0;
}

static void help_verb(const char *name, const BundleVerb *verb) {
        printf("hotpatchctl %s %s %s\n  %s\n", name, verb->name, verb->args, verb->summary);
        if (verb->options && verb->options->name)
                puts("\nOptions:");
        for (const BundleOption *o = verb->options; o && o->name; o++) {
                char left[64];

                snprintf(left, sizeof(left), "%c%c%c --%s%s%s", o->letter ? '-' : ' ', o->letter ?: ' ',
                        o->letter ? ',' : ' ', o->name, o->value ? "=" : "", strempty(o->value));
                printf("  %-28s %s\n", left, o->help);
        }
}

static void help_all(const char *name, const BundleVerb *verbs, size_t n) {
        printf("hotpatchctl %s VERB [OPTIONS] ...\n\nVerbs:\n", name);
        for (size_t i = 0; i < n; i++) {
                char left[64];

                snprintf(left, sizeof(left), "%s %s", verbs[i].name, verbs[i].args);
                printf("  %-28s %s\n", left, verbs[i].summary);
        }
        printf("\nThese work without hotpatchd and without root. 'hotpatchctl %s VERB --help' tells more.\n", name);
}

static bool is_help(const char *arg) {
        return streq(arg, "--help") || streq(arg, "-h") || streq(arg, "help");
}

/**
 * bundle_verbs_run() - find the second-level verb and run it, or print help
 * @name: of the first-level verb
 *
 * Return: an exit code.
 */
int bundle_verbs_run(const char *name, const BundleVerb *verbs, size_t n, Ctl *ctl, int argc, char *argv[]) {
        if (argc < 2)
                return ctl_usage_of(name, "say what to do with '%s'", name);
        if (is_help(argv[1])) {
                help_all(name, verbs, n);
                return HOTPATCH_EXIT_OK;
        }
        for (size_t i = 0; i < n; i++) {
                if (!streq(verbs[i].name, argv[1]))
                        continue;
                for (int j = 2; j < argc && !streq(argv[j], "--"); j++)
                        if (streq(argv[j], "--help") || streq(argv[j], "-h")) {
                                help_verb(name, &verbs[i]);
                                return HOTPATCH_EXIT_OK;
                        }
                return verbs[i].run(ctl, &verbs[i], argc - 1, argv + 1);
        }
        return ctl_usage_of(name, "'%s' has no verb '%s'", name, argv[1]);
}
