/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * State files: whatever the bytes, parsing ends with an object or with all zero, and an object that was
 * read is written and read again as the same bytes.
 */

#include "daemon/store-baseline.h"
#include "daemon/store-internal.h"
#include "tests/fuzz/fuzz.h"

static void try(const Field *fields, size_t n, const uint8_t *data, size_t size, void *object, void *again) {
        _cleanup_free_ char *one = NULL, *two = NULL;
        size_t n_one, n_two;

        if (fields_parse(fields, n, data, size, object) < 0)
                return;
        if (fields_format(fields, n, object, &one, &n_one) < 0 ||
            fields_parse(fields, n, one, n_one, again) < 0 ||
            fields_format(fields, n, again, &two, &n_two) < 0 || n_one != n_two || memcmp(one, two, n_one) != 0)
                abort();
        fields_done(fields, n, object);
        fields_done(fields, n, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AdmittedRecord record = { 0 }, record_again = { 0 };
        Intent intent = { 0 }, intent_again = { 0 };
        TrialRecord trial = { 0 }, trial_again = { 0 };
        BaselineFile baseline = { 0 }, baseline_again = { 0 };
        StrikeRecord strike = { 0 }, strike_again = { 0 };

        try(store_admitted_fields, store_n_admitted_fields, data, size, &record, &record_again);
        try(store_intent_fields, store_n_intent_fields, data, size, &intent, &intent_again);
        try(store_trial_fields, store_n_trial_fields, data, size, &trial, &trial_again);
        try(store_baseline_fields, store_n_baseline_fields, data, size, &baseline, &baseline_again);
        try(store_strike_fields, store_n_strike_fields, data, size, &strike, &strike_again);
        return 0;
}
