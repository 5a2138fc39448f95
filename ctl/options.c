/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reads the command line by two tables. getopt_long(3) is not used: it keeps its state in globals,
 * takes abbreviations that break when an option is added, and cannot leave the options of
 * `bundle` and `key` alone, which read their own.
 *
 * Options stand before or after the verb, `--` ends them. This file decides only whether the
 * command line is well-formed; it opens nothing and prints nothing but complaints.
 */

#include <time.h>

#include "ctl/argument.h"
#include "ctl/text.h"
#include "ctl/verbs.h"
#include "util/strv.h"

static int set_json(Ctl *ctl, const char *value) {
        if (value && streq(value, "off")) {
                ctl->json = false;
                return 0;
        }
        if (value && !streq(value, "short") && !streq(value, "pretty"))
                return -EINVAL;
        ctl->json = true;
        ctl->json_short = value ? streq(value, "short") : !ctl->terminal;
        return 0;
}

static int set_no_legend(Ctl *ctl, _unused_ const char *value) {
        ctl->legend = false;
        return 0;
}

static int set_no_ask_password(Ctl *ctl, _unused_ const char *value) {
        ctl->ask_password = false;
        return 0;
}

static int set_quiet(Ctl *ctl, _unused_ const char *value) {
        ctl->quiet = true;
        return 0;
}

static int set_no_wait(Ctl *ctl, _unused_ const char *value) {
        ctl->wait = false;
        return 0;
}

static int set_wait_trial(Ctl *ctl, _unused_ const char *value) {
        ctl->wait_trial = true;
        return 0;
}

static int set_allow_downgrade(Ctl *ctl, _unused_ const char *value) {
        ctl->allow_downgrade = true;
        return 0;
}

static int set_allow_replace_foreign(Ctl *ctl, _unused_ const char *value) {
        ctl->allow_replace_foreign = true;
        return 0;
}

static int set_dry_run(Ctl *ctl, _unused_ const char *value) {
        ctl->dry_run = true;
        return 0;
}

static int set_help(Ctl *ctl, _unused_ const char *value) {
        ctl->help = true;
        return 0;
}

static int set_version(Ctl *ctl, _unused_ const char *value) {
        ctl->version = true;
        return 0;
}

static int set_lines(Ctl *ctl, const char *value) {
        char *end;
        unsigned long n;

        if (*value < '0' || *value > '9')
                return -EINVAL;
        errno = 0;
        n = strtoul(value, &end, 10);
        if (errno != 0 || *end != '\0' || n == 0 || n > 1000000)
                return -EINVAL;
        ctl->lines = (unsigned) n;
        return 0;
}

static int set_since(Ctl *ctl, const char *value) {
        return time_parse(value, (uint64_t) time(NULL) * USEC_PER_SEC, &ctl->since_usec);
}

static int set_output(Ctl *ctl, const char *value) {
        ctl->output = value;
        return *value ? 0 : -EINVAL;
}

static int set_format(Ctl *ctl, const char *value) {
        ctl->csaf = streq(value, "csaf");
        return ctl->csaf || streq(value, "openvex") ? 0 : -EINVAL;
}

static int set_author(Ctl *ctl, const char *value) {
        ctl->author = value;
        return *value ? 0 : -EINVAL;
}

static int set_until(Ctl *ctl, const char *value) {
        return time_parse(value, (uint64_t) time(NULL) * USEC_PER_SEC, &ctl->until_usec);
}

static int set_patch(Ctl *ctl, const char *value) {
        ctl->patch = value;
        return argument_is_id(value) ? 0 : -EINVAL;
}

static int set_cve(Ctl *ctl, const char *value) {
        ctl->cve = value;
        return *value ? 0 : -EINVAL;
}

static int set_directory(Ctl *ctl, const char *value) {
        ctl->directory = value;
        return *value ? 0 : -EINVAL;
}

static int set_failed(Ctl *ctl, _unused_ const char *value) {
        ctl->failed = true;
        return 0;
}

const Option ctl_options[] = {
        { "json", 'j', "FORMAT", true, OPTION_COMMON, set_json,
          "print JSON: short, pretty or off" },
        { "no-legend", 0, NULL, false, OPTION_COMMON, set_no_legend,
          "no headings, no closing lines" },
        { "quiet", 'q', NULL, false, OPTION_COMMON, set_quiet,
          "no progress, no word about success" },
        { "no-ask-password", 0, NULL, false, OPTION_COMMON, set_no_ask_password,
          "never ask for a password, be refused instead" },
        { "no-wait", 0, NULL, false, OPTION_NO_WAIT, set_no_wait,
          "return as soon as the job exists" },
        { "wait-trial", 0, NULL, false, OPTION_WAIT_TRIAL, set_wait_trial,
          "wait until the trial is over, too" },
        { "allow-downgrade", 0, NULL, false, OPTION_ALLOW_DOWNGRADE, set_allow_downgrade,
          "accept a lower sequence than seen before" },
        { "allow-replace-foreign", 0, NULL, false, OPTION_ALLOW_REPLACE, set_allow_replace_foreign,
          "other vendors' patches may be taken out for it" },
        { "dry-run", 0, NULL, false, OPTION_DRY_RUN, set_dry_run,
          "say what would be done, and do nothing" },
        { "lines", 'n', "NUMBER", false, OPTION_LINES, set_lines,
          "only the newest NUMBER entries" },
        { "since", 0, "TIME", false, OPTION_SINCE, set_since,
          "from TIME on: 2026-11-21, '2026-11-21 09:30', -2h" },
        { "until", 0, "TIME", false, OPTION_HISTORY, set_until,
          "up to TIME" },
        { "patch", 0, "ID", false, OPTION_HISTORY, set_patch,
          "only what happened to this patch" },
        { "cve", 0, "CVE", false, OPTION_HISTORY, set_cve,
          "only what happened to patches that repair this" },
        { "failed", 0, NULL, false, OPTION_HISTORY, set_failed,
          "only what did not end well" },
        { "directory", 'D', "DIRECTORY", false, OPTION_HISTORY, set_directory,
          "read journal files there, not this machine's" },
        { "output", 'o', "FILE", false, OPTION_OUTPUT, set_output,
          "replace that file as a whole, instead of printing" },
        { "format", 0, "FORMAT", false, OPTION_VEX, set_format,
          "openvex or csaf" },
        { "author", 0, "NAME", false, OPTION_VEX, set_author,
          "who answers for the document" },
        { "help", 'h', NULL, false, OPTION_COMMON, set_help,
          "print this, or the help of a verb" },
        { "version", 0, NULL, false, OPTION_COMMON, set_version,
          "print the version" },
};
const size_t n_ctl_options = ELEMENTSOF(ctl_options);

/* State of one reading; @verb NULL until it was seen. */
typedef struct Reader {
        Ctl *ctl;
        int argc;
        char *const *argv;
        int i;
        const VerbEntry *verb;
        unsigned seen;
        char **args;
} Reader;

static const Option *option_find(const char *name, size_t length) {
        for (size_t i = 0; i < n_ctl_options; i++)
                if (strlen(ctl_options[i].name) == length &&
                                strncmp(ctl_options[i].name, name, length) == 0)
                        return &ctl_options[i];
        return NULL;
}

static const Option *option_find_letter(char letter) {
        for (size_t i = 0; i < n_ctl_options; i++)
                if (ctl_options[i].letter == letter)
                        return &ctl_options[i];
        return NULL;
}

/* Longer ones are no words of ours. */
#define TYPO_MAX 32U

/* How many letters must be put in, taken out or changed to make one of the other. */
static size_t distance(const char *a, const char *b) {
        size_t row[TYPO_MAX + 1], n = strlen(b);

        if (strlen(a) > TYPO_MAX || n > TYPO_MAX)
                return SIZE_MAX;
        for (size_t i = 0; i <= n; i++)
                row[i] = i;
        for (size_t i = 0; a[i]; i++) {
                size_t diagonal = row[0]++;

                for (size_t j = 0; j < n; j++) {
                        size_t change = diagonal + (a[i] != b[j]), shift = 1 + (row[j] < row[j + 1] ? row[j] : row[j + 1]);

                        diagonal = row[j + 1];
                        row[j + 1] = change < shift ? change : shift;
                }
        }
        return row[n];
}

/* The word that somebody may have meant, at most two letters away; NULL: none. */
static const char *verb_meant(const char *typed) {
        const char *best = NULL;
        size_t least = 3;

        for (size_t i = 0; i < n_ctl_verbs; i++) {
                size_t d = distance(typed, ctl_verbs[i].name);

                if (d < least && d < strlen(ctl_verbs[i].name) - 1) {
                        least = d;
                        best = ctl_verbs[i].name;
                }
        }
        return best;
}

static const char *verb_name(const Reader *reader) {
        return reader->verb ? reader->verb->name : NULL;
}

static int option_apply(Reader *reader, const Option *option, const char *value) {
        reader->seen |= option->set;
        if (option->apply(reader->ctl, value) < 0)
                return ctl_usage_of(verb_name(reader), "--%s does not take '%s': %s", option->name, strempty(value), option->help);
        return 0;
}

static int read_long(Reader *reader, const char *text) {
        const char *equals = strchr(text, '=');
        const Option *option = option_find(text, equals ? (size_t) (equals - text) : strlen(text));
        const char *value = equals ? equals + 1 : NULL;

        if (!option)
                return ctl_usage_of(verb_name(reader), "there is no option '--%s'", text);
        if (value && !option->value)
                return ctl_usage_of(verb_name(reader), "--%s takes no value", option->name);
        if (!value && option->value && !option->value_optional) {
                if (reader->i + 1 >= reader->argc)
                        return ctl_usage_of(verb_name(reader), "--%s needs a value, %s: %s", option->name, option->value, option->help);
                value = reader->argv[++reader->i];
        }
        return option_apply(reader, option, value);
}

/* "-jq", "-n5", "-n 5" */
static int read_letters(Reader *reader, const char *text) {
        for (; *text; text++) {
                const Option *option = option_find_letter(*text);
                int r;

                if (!option)
                        return ctl_usage_of(verb_name(reader), "there is no option '-%c'", *text);
                if (!option->value || option->value_optional) {
                        r = option_apply(reader, option, NULL);
                        if (r != 0)
                                return r;
                        continue;
                }
                if (text[1])
                        return option_apply(reader, option, text + 1);
                if (reader->i + 1 >= reader->argc)
                        return ctl_usage_of(verb_name(reader), "-%c needs a value, %s: %s", *text, option->value, option->help);
                return option_apply(reader, option, reader->argv[++reader->i]);
        }
        return 0;
}

static int keep(Reader *reader, const char *arg) {
        return strv_extend(&reader->args, arg) < 0 ? HOTPATCH_EXIT_FAILURE : 0;
}

static int read_verb(Reader *reader, const char *arg) {
        /* What other programs take for --help; the verb that it is about may follow. */
        if (streq(arg, "help")) {
                reader->ctl->help = true;
                return 0;
        }
        reader->verb = verb_find(arg);
        if (!reader->verb) {
                const char *meant = verb_meant(arg);

                return ctl_usage("there is no verb '%s'%s%s%s", arg, meant ? "; is it '" : "", strempty(meant), meant ? "'?" : "");
        }
        return keep(reader, arg);
}

/* A verb with options of its own: take the common ones out, leave the rest as it stands. */
static int read_foreign(Reader *reader, const char *arg) {
        const char *name = startswith(arg, "--");
        const Option *option = NULL;

        if (name && *name)
                option = option_find(name, strcspn(name, "="));
        else if (arg[0] == '-' && arg[1] && !arg[2])
                option = option_find_letter(arg[1]);
        if (!option || option->set != OPTION_COMMON || option->apply == set_help)
                return keep(reader, arg);
        return name ? read_long(reader, name) : read_letters(reader, arg + 1);
}

static int read_argument(Reader *reader, bool *options_ended) {
        const char *arg = reader->argv[reader->i];

        if (reader->verb && reader->verb->own_options) {
                *options_ended = *options_ended || streq(arg, "--");
                return *options_ended ? keep(reader, arg) : read_foreign(reader, arg);
        }
        if (!*options_ended && streq(arg, "--")) {
                *options_ended = true;
                return 0;
        }
        if (!*options_ended && startswith(arg, "--"))
                return read_long(reader, arg + 2);
        if (!*options_ended && arg[0] == '-' && arg[1])
                return read_letters(reader, arg + 1);
        return reader->verb ? keep(reader, arg) : read_verb(reader, arg);
}

static int check_verb(const Reader *reader) {
        const VerbEntry *verb = reader->verb;
        size_t n = strv_length(reader->args);

        for (size_t i = 0; i < n_ctl_options; i++)
                if (reader->seen & ctl_options[i].set & ~verb->options)
                        return ctl_usage_of(verb->name, "'%s' does not take --%s", verb->name, ctl_options[i].name);
        if (verb->own_options)
                return 0;
        if (n - 1 < verb->min)
                return ctl_usage_of(verb->name, "'%s' needs more: %s %s", verb->name, verb->name, verb->args);
        if (n - 1 > verb->max && verb->max == 0)
                return ctl_usage_of(verb->name, "'%s' takes no arguments", verb->name);
        if (n - 1 > verb->max)
                return ctl_usage_of(verb->name, "'%s' takes at most %u arguments", verb->name, verb->max);
        return 0;
}

/**
 * options_parse() - read the command line
 * @ctl: gets the options
 * @argc, @argv: as main() has them
 * @ret_verb: the verb; NULL when only --help or --version was asked for
 * @ret_args: the verb's name and its arguments, owned by the caller
 *
 * Return: 0, or an exit code after the complaint was printed.
 */
int options_parse(Ctl *ctl, int argc, char *const argv[], const VerbEntry **ret_verb,
                char ***ret_args) {
        Reader reader = { .ctl = ctl, .argc = argc, .argv = argv };
        _cleanup_strv_free_ char **args = NULL;
        bool options_ended = false;
        int r = 0;

        for (reader.i = 1; reader.i < argc && r == 0; reader.i++)
                r = read_argument(&reader, &options_ended);
        args = reader.args;
        if (r == 0 && !reader.verb && !ctl->help && !ctl->version)
                r = ctl_usage("say what to do, 'hotpatchctl status' for example");
        if (r == 0 && reader.verb && !ctl->help && !ctl->version)
                r = check_verb(&reader);
        if (r != 0)
                return r;
        *ret_verb = reader.verb;
        *ret_args = TAKE_PTR(args);
        return 0;
}
