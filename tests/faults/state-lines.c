/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One line for each thing that the state directory says, in the order of strcmp(3):
 *
 *   admitted ID DIGEST MODULE ORDER     admitted-at ID USEC
 *   intent TYPE ID…                     touches MODULE: named by the intent
 *   spool ID                            stream NAME SEQUENCE DIGEST
 *   strike ID DIGEST COUNT              superseded TRANSACTION ID DIGEST
 *   trial TRANSACTION KIND ID…
 *   damaged NAME                        bad NAME WHY: never to be seen
 *
 * Everything comes from the functions that hotpatchd and hotpatch-restore read with; bundles are opened, their
 * signatures and every byte in them checked.
 */

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>

#include "config/config.h"
#include "daemon/admit.h"
#include "daemon/store-forced.h"
#include "daemon/store-internal.h"
#include "tests/faults/state-lines.h"
#include "util/strv.h"

/** struct Look - what is collected, and how bundles are verified */
typedef struct Look {
        const Store *store;
        const char *root;
        bool verify;
        Config *config;
        char **lines;
} Look;

static int _printf_(2, 3) add(Look *l, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = strv_extendv(&l->lines, format, ap);
        va_end(ap);
        return r;
}

/* @ids as " ID ID" */
static char *join(char *const *ids) {
        char *joined = strdup("");

        for (; joined && ids && *ids; ids++) {
                char *longer;

                if (asprintf(&longer, "%s %s", joined, *ids) < 0)
                        longer = NULL;
                free(joined);
                joined = longer;
        }
        return joined;
}

/* --- bundles --- */

static int check_bundle(Look *l, const char *where, const char *id, const char *digest, uint64_t at_usec, int fd) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_verified_free_ Verified *v = NULL;
        int r = fd;

        if (!l->verify)
                return 0;
        if (r >= 0)
                r = admit_open(fd, l->root, &l->config->trust, at_usec, &v, &error);
        if (r >= 0)
                r = verified_check_members(v, &error);
        if (r < 0)
                return add(l, "bad %s %s: %s", where, id, error.message ?: strerror(-r));
        if (!streq(verified_manifest(v)->id, id) || (digest && !streq(verified_digest(v), digest)))
                return add(l, "bad %s %s: another bundle", where, id);
        return 0;
}

static int look_admitted(Look *l) {
        AdmittedRecord *records;
        size_t n;
        int r = store_admitted_list(l->store, &records, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                const AdmittedRecord *a = &records[i];
                _cleanup_close_ int fd = store_admitted_open(l->store, a->id);

                r = add(l, "admitted %s %s %s %" PRIu64, a->id, a->digest, a->module, a->order);
                if (r >= 0)
                        r = add(l, "admitted-at %s %" PRIu64, a->id, a->applied_usec);
                if (r >= 0)
                        r = check_bundle(l, "admitted", a->id, a->digest, a->admitted_usec, fd);
        }
        admitted_records_free(records, n);
        return r;
}

static int look_superseded_by(Look *l, const char *transaction) {
        AdmittedRecord *records;
        size_t n;
        int r = store_superseded_list(l->store, transaction, &records, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                const AdmittedRecord *a = &records[i];
                _cleanup_close_ int fd = store_superseded_open(l->store, transaction, a->id);

                r = add(l, "superseded %s %s %s", transaction, a->id, a->digest);
                if (r >= 0)
                        r = check_bundle(l, "superseded", a->id, a->digest, a->admitted_usec, fd);
        }
        admitted_records_free(records, n);
        return r;
}

static int look_spool(Look *l) {
        _cleanup_strv_free_ char **ids = NULL;
        int r = store_spool_list(l->store, &ids);

        for (char **id = ids; r >= 0 && id && *id; id++) {
                _cleanup_close_ int fd = store_spool_open(l->store, *id, NULL);
                uint64_t now_usec = (uint64_t) time(NULL) * USEC_PER_SEC;

                r = add(l, "spool %s", *id);
                if (r >= 0)
                        r = check_bundle(l, "spool", *id, NULL, now_usec, fd);
        }
        return r;
}

/* --- records --- */

static int look_intent(Look *l) {
        _cleanup_(intent_done) Intent intent = {};
        _cleanup_free_ char *ids = NULL;
        int r = store_intent_read(l->store, &intent);

        if (r < 0)
                return r == -ENOENT || r == -EBADMSG ? 0 : r;
        ids = join(intent.ids);
        r = ids ? add(l, "intent %s%s", intent.type, ids) : -ENOMEM;
        for (char **module = intent.modules; r >= 0 && module && *module; module++)
                r = add(l, "touches %s", *module);
        return r;
}

static int look_trials(Look *l) {
        TrialRecord *trials;
        size_t n;
        int r = store_trial_list(l->store, &trials, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                _cleanup_free_ char *ids = join(trials[i].ids);

                r = ids ? add(l, "trial %s %s%s", trials[i].transaction, trials[i].kind, ids) : -ENOMEM;
        }
        trial_records_free(trials, n);
        return r;
}

static int look_strikes(Look *l) {
        StrikeRecord *strikes;
        size_t n;
        int r = store_strike_list(l->store, &strikes, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add(l, "strike %s %s %zu", strikes[i].id, strikes[i].digest, strike_record_count(&strikes[i]));
        strike_records_free(strikes, n);
        return r;
}

static int look_stream(_unused_ int dir_fd, const char *name, void *userdata) {
        _cleanup_free_ char *digest = NULL;
        Look *l = userdata;
        uint64_t sequence;
        int r;

        if (*name == '.')
                return 0;
        r = store_stream_get(l->store, name, &sequence, &digest);
        return r < 0 ? add(l, "bad streams %s: %s", name, strerror(-r))
                     : add(l, "stream %s %" PRIu64 " %s", name, sequence, strempty(digest));
}

static int look_superseded(_unused_ int dir_fd, const char *name, void *userdata) {
        return *name == '.' ? 0 : look_superseded_by(userdata, name);
}

static int look_damage(Look *l) {
        _cleanup_strv_free_ char **names = NULL;
        int r = store_damaged(l->store, &names);

        for (char **name = names; r >= 0 && name && *name; name++)
                r = add(l, "damaged %s", *name);
        return r;
}

static int look_streams(Look *l) {
        return store_walk(l->store->streams_fd, look_stream, l);
}

static int look_all_superseded(Look *l) {
        return store_walk(l->store->superseded_fd, look_superseded, l);
}

static int look_all(Look *l) {
        static const struct {
                const char *name;
                int (*look)(Look *l);
        } looks[] = {
                { "admitted", look_admitted }, { "spool", look_spool },     { "intent", look_intent },
                { "trials", look_trials },     { "strikes", look_strikes }, { "streams", look_streams },
                { "superseded", look_all_superseded }, { "damage", look_damage },
        };
        char **warnings = NULL;
        int r = config_load(l->root, &l->config, &warnings);

        strv_free(warnings);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(looks); i++) {
                r = looks[i].look(l);
                if (r < 0 && r != -ENOMEM)
                        r = add(l, "bad %s: %s", looks[i].name, strerror(-r));
        }
        return r;
}

static int compare_lines(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/**
 * state_lines() - what the state directory says
 * @root: the store's, with the trust anchors in it
 * @verify: also open and verify the bundles
 * @ret: sorted lines; free with strv_free(), NULL when there are none
 *
 * Return: 0 or a negative errno.
 */
int state_lines(const Store *s, const char *root, bool verify, char ***ret) {
        Look l = { .store = s, .root = root, .verify = verify };
        int r = look_all(&l);

        config_unref(l.config);
        if (r < 0) {
                strv_free(l.lines);
                return r;
        }
        if (l.lines)
                qsort(l.lines, strv_length(l.lines), sizeof(*l.lines), compare_lines);
        *ret = l.lines;
        return 0;
}

/** state_lines_of() - a copy of the lines that begin with the word @kind. Return: 0 or -ENOMEM. */
int state_lines_of(char *const *lines, const char *kind, char ***ret) {
        _cleanup_strv_free_ char **found = NULL;
        size_t n = strlen(kind);

        for (; lines && *lines; lines++)
                if (strncmp(*lines, kind, n) == 0 && (*lines)[n] == ' ' && strv_extend(&found, *lines) < 0)
                        return -ENOMEM;
        *ret = TAKE_PTR(found);
        return 0;
}

/** state_lines_equal() - whether both say the same */
bool state_lines_equal(char *const *a, char *const *b) {
        for (; a && *a && b && *b; a++, b++)
                if (!streq(*a, *b))
                        return false;
        return !(a && *a) && !(b && *b);
}
