/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Findings as data: the table of kinds, and sets of findings that are made in one process and shown
 * in another.
 *
 * The name, the severity and the remedy belong to the kind, so that the same thing is called the
 * same on the bus, in the journal and in the manual. The kinds are in the order of their severity,
 * worst first; that is also the order in which a set is shown.
 *
 * A set is filled by whoever looks (drift.c, audit-store.c …) and stops growing at FINDINGS_MAX: what
 * is broken in five hundred places is found out by the first.
 */

#include "daemon/finding.h"
#include "util/str.h"

static const struct {
        const char *name;
        FindingSeverity severity;
        const char *remedy;
} kinds[_FINDING_KIND_MAX] = {
        [FINDING_NOT_LOADED] = { "not-loaded", FINDING_ALERT,
                "Apply it again, or remove it if it is no longer wanted." },
        [FINDING_NOT_IN_FORCE] = { "not-in-force", FINDING_ALERT,
                "Apply it again, or remove it if it is no longer wanted; find out who disabled it." },
        [FINDING_ALTERED] = { "altered", FINDING_ALERT,
                "Find out who loaded this module; disable and unload it by hand, then apply the patch again." },
        [FINDING_TARGET_MISMATCH] = { "target-mismatch", FINDING_ALERT,
                "Apply a bundle that was made for this build of the module, or remove the patch." },
        [FINDING_TARGET_UNPATCHED] = { "target-unpatched", FINDING_ALERT,
                "Unload the module and load it again, or remove the patch and apply it again." },
        [FINDING_TARGET_REFUSED] = { "target-refused", FINDING_ALERT,
                "Apply a bundle that was made for this build of the module, or remove the patch; then load the "
                "module again." },
        [FINDING_BUNDLE_CHANGED] = { "bundle-changed", FINDING_ALERT,
                "Apply the vendor's bundle again, which replaces the copy; find out who changed it." },
        [FINDING_BUNDLE_REFUSED] = { "bundle-refused", FINDING_ALERT,
                "Remove the patch, or apply one that this machine trusts." },
        [FINDING_HOOK_IN_THE_WAY] = { "hook-in-the-way", FINDING_ALERT,
                "Stop the other user of this function, then apply the patch again." },
        [FINDING_RESTART_HELD_UP] = { "restart-held-up", FINDING_ALERT,
                "Let it come, or cancel it with 'shutdown -c', and the restart for the baseline follows." },
        [FINDING_UNRECORDED] = { "unrecorded", FINDING_ATTENTION,
                "Nobody verified what was loaded: apply its bundle, which checks it and writes its record, or remove it." },
        [FINDING_FOREIGN] = { "foreign", FINDING_ATTENTION,
                "If nobody here loaded it, find out who did; two live patching tools stand in each other's way." },
        [FINDING_HOOK] = { "hook", FINDING_ATTENTION,
                "If nobody here set it, find out who did; no patch can replace this function meanwhile." },
        [FINDING_DRIVER_UPDATE] = { "driver-update", FINDING_ATTENTION,
                "Apply a bundle that was made for the new build, or remove the patch before the module is "
                "loaded again." },
        [FINDING_BUNDLE_MISSING] = { "bundle-missing", FINDING_ATTENTION,
                "Apply its bundle again; without it the patch is not there after a restart." },
        [FINDING_STAGED_REFUSED] = { "staged-refused", FINDING_ATTENTION,
                "Stage the vendor's bundle again, or remove the file from /var/lib/hotpatch/spool." },
        [FINDING_DAMAGED] = { "damaged", FINDING_ATTENTION,
                "Restore the file from a backup or remove it; check the file system and the disk." },
        [FINDING_RECORD_LOST] = { "record-lost", FINDING_ATTENTION,
                "Apply its bundle again if it is still wanted; find out who removed the records." },
        [FINDING_OTHER_KERNEL] = { "other-kernel", FINDING_INFO,
                "Nothing is to be done if the running kernel has the fix; else apply a bundle for it." },
        [FINDING_STRUCK] = { "struck", FINDING_INFO,
                "Nothing is to be done, unless you know better: 'hotpatchctl release' forgets it." },
        [FINDING_KILLED] = { "killed", FINDING_INFO,
                "Look at the journal of hotpatchd.service if nobody here killed it." },
};

static const char *const severities[_FINDING_SEVERITY_MAX] = {
        [FINDING_INFO] = "info",
        [FINDING_ATTENTION] = "attention",
        [FINDING_ALERT] = "alert",
};

/** finding_kind_to_string() - the word of the D-Bus contract */
const char *finding_kind_to_string(FindingKind kind) {
        return kinds[kind].name;
}

/** finding_severity() - how bad a kind is */
FindingSeverity finding_severity(FindingKind kind) {
        return kinds[kind].severity;
}

/** finding_severity_to_string() - the word of the D-Bus contract */
const char *finding_severity_to_string(FindingSeverity severity) {
        return severities[severity];
}

/** finding_remedy() - what to do about it, one sentence */
const char *finding_remedy(FindingKind kind) {
        return kinds[kind].remedy;
}

/** finding_is_drift() - does it mean that kernel, records and store do not agree? */
bool finding_is_drift(const Finding *f) {
        return finding_severity(f->kind) > FINDING_INFO;
}

static FindingKind kind_from_string(const char *name) {
        for (FindingKind k = 0; k < _FINDING_KIND_MAX; k++)
                if (streq(kinds[k].name, name))
                        return k;
        return _FINDING_KIND_INVALID;
}

/** finding_done() - free what a finding holds */
void finding_done(Finding *f) {
        free(f->patch);
        free(f->object);
        free(f->sentence);
}

/** finding_set_done() - free the findings of a set, which is empty then */
void finding_set_done(FindingSet *s) {
        for (size_t i = 0; i < s->n; i++)
                finding_done(&s->items[i]);
        free(s->items);
        *s = (FindingSet) {};
}

/* Takes @sentence over in any case. */
static int add(FindingSet *s, FindingKind kind, const char *patch, const char *object, char *sentence) {
        Finding f = {
                .kind = kind,
                .patch = strdup(strempty(patch)),
                .object = strdup(strempty(object)),
                .sentence = sentence,
        };
        Finding *grown = NULL;

        if (f.patch && f.object && f.sentence && s->n < FINDINGS_MAX)
                grown = reallocarray(s->items, s->n + 1, sizeof(*grown));
        if (!grown) {
                finding_done(&f);
                return s->n < FINDINGS_MAX ? -ENOMEM : 0;
        }
        s->items = grown;
        s->items[s->n++] = f;
        return 0;
}

/**
 * finding_set_add() - one more finding
 * @patch, @object: copied; NULL stands for ""
 * @format: the sentence
 *
 * Return: 0, also when the set is full and the finding is dropped; -ENOMEM.
 */
int finding_set_add(FindingSet *s, FindingKind kind, const char *patch, const char *object,
                const char *format, ...) {
        char *sentence;
        va_list ap;
        int r;

        va_start(ap, format);
        r = str_vprintf(&sentence, format, ap);
        va_end(ap);
        return r < 0 ? r : add(s, kind, patch, object, sentence);
}

/** finding_set_copy() - add all findings of another set. Return: 0 or -ENOMEM. */
int finding_set_copy(FindingSet *to, const FindingSet *from) {
        for (size_t i = 0; i < from->n; i++) {
                const Finding *f = &from->items[i];
                int r = finding_set_add(to, f->kind, f->patch, f->object, "%s", f->sentence);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int compare(const void *a, const void *b) {
        const Finding *x = a, *y = b;
        int c;

        if (x->kind != y->kind)
                return x->kind < y->kind ? -1 : 1;
        c = strcmp(x->patch, y->patch);
        return c != 0 ? c : strcmp(x->object, y->object);
}

/** finding_set_sort() - worst first; the same thing found twice stays once */
void finding_set_sort(FindingSet *s) {
        size_t n = 0;

        if (s->n > 1)
                qsort(s->items, s->n, sizeof(*s->items), compare);
        for (size_t i = 0; i < s->n; i++) {
                if (n > 0 && compare(&s->items[n - 1], &s->items[i]) == 0)
                        finding_done(&s->items[i]);
                else
                        s->items[n++] = s->items[i];
        }
        s->n = n;
}

/** finding_set_equal() - do two sorted sets say the same? */
bool finding_set_equal(const FindingSet *a, const FindingSet *b) {
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (compare(&a->items[i], &b->items[i]) != 0 ||
                    !streq(a->items[i].sentence, b->items[i].sentence))
                        return false;
        return true;
}

/**
 * finding_set_write() - a set as bytes for another process: four strings each, NUL terminated
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int finding_set_write(const FindingSet *s, void **ret, size_t *ret_size) {
        char *data;
        size_t size;
        FILE *f = open_memstream(&data, &size);

        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < s->n; i++) {
                const Finding *x = &s->items[i];

                fprintf(f, "%s%c%s%c%s%c%s%c", finding_kind_to_string(x->kind), 0, x->patch, 0, x->object, 0,
                                x->sentence, 0);
        }
        if (fclose(f) != 0) {
                free(data);
                return -ENOMEM;
        }
        *ret = data;
        *ret_size = size;
        return 0;
}

/**
 * finding_set_read() - add what finding_set_write() has sent
 *
 * Return: 0, -EBADMSG when the bytes are something else, or -ENOMEM.
 */
int finding_set_read(FindingSet *s, const void *data, size_t size) {
        const char *p = data, *end = p + size;

        while (p < end) {
                const char *texts[4];
                FindingKind kind;
                int r;

                for (size_t t = 0; t < ELEMENTSOF(texts); t++) {
                        size_t l = strnlen(p, (size_t) (end - p));

                        if (p + l == end)
                                return -EBADMSG;
                        texts[t] = p;
                        p += l + 1;
                }
                kind = kind_from_string(texts[0]);
                if (kind < 0)
                        return -EBADMSG;
                r = finding_set_add(s, kind, texts[1], texts[2], "%s", texts[3]);
                if (r < 0)
                        return r;
        }
        return 0;
}
