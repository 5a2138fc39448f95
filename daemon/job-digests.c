/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which content a job is about, for its intent: should the machine go down in the middle, the strike
 * is to meet this content and not whatever has the id later. What is being applied was prepared, what
 * is being removed has a record; if one is neither, nothing is claimed about any.
 */

#include "daemon/job-internal.h"
#include "util/strv.h"

static const char *prepared_digest(const Job *j, const char *id) {
        PreparedBundle *bundles;
        size_t n;

        if (!j->preparation)
                return NULL;
        bundles = preparation_bundles(j->preparation, &n);
        for (size_t i = 0; i < n; i++)
                if (bundles[i].verified && streq_ptr(bundles[i].id, id))
                        return verified_digest(bundles[i].verified);
        return NULL;
}

static const char *recorded_digest(const AdmittedRecord *records, size_t n, const char *id) {
        const AdmittedRecord *record = admitted_records_find(records, n, id);

        return record ? record->digest : NULL;
}

static int collect(const Job *j, char *const *ids, const AdmittedRecord *records, size_t n, char ***ret) {
        _cleanup_strv_free_ char **digests = NULL;

        for (; ids && *ids; ids++) {
                const char *digest = prepared_digest(j, *ids) ?: recorded_digest(records, n, *ids);
                int r = digest ? strv_extend(&digests, digest) : -ENOENT;

                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(digests);
        return 0;
}

/**
 * job_digests() - digest of the manifest of each id
 * @ret: strv_free() it; NULL when one of them is not known
 *
 * Return: 0 or a negative errno.
 */
int job_digests(const Job *j, char *const *ids, char ***ret) {
        AdmittedRecord *records;
        char **digests = NULL;
        size_t n;
        int r;

        r = store_admitted_list(j->manager->store, &records, &n);
        if (r < 0)
                return r;
        r = collect(j, ids, records, n, &digests);
        admitted_records_free(records, n);
        if (r < 0 && r != -ENOENT)
                return r;
        *ret = digests;
        return 0;
}
