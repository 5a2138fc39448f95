/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Baseline runs: lines of a backend, requests and results. Whatever the bytes: lines end in a result that
 * can be written and read, and what was read is written and read again as the same bytes.
 */

#include "baseline/run-transcript.h"
#include "tests/fuzz/fuzz.h"

static void try_result(const uint8_t *data, size_t size) {
        _cleanup_(run_result_freep) RunResult *result = NULL, *again = NULL;
        _cleanup_free_ char *one = NULL, *two = NULL;

        if (run_result_parse(data, size, &result, NULL) < 0)
                return;
        if (run_result_format(result, &one) < 0 || run_result_parse(one, strlen(one), &again, NULL) < 0 ||
            run_result_format(again, &two) < 0 || !streq(one, two))
                abort();
}

static void try_request(const uint8_t *data, size_t size) {
        _cleanup_(run_request_freep) RunRequest *request = NULL, *again = NULL;
        _cleanup_free_ char *one = NULL, *two = NULL;

        if (run_request_parse(data, size, &request, NULL) < 0)
                return;
        if (run_request_format(request, &one) < 0 || run_request_parse(one, strlen(one), &again, NULL) < 0 ||
            run_request_format(again, &two) < 0 || !streq(one, two))
                abort();
}

static void try_transcript(const uint8_t *data, size_t size) {
        const RunRequest request = { .verb = RUN_INSTALL, .id = (char *) "00112233445566778899aabbccddeeff",
                .backend = (char *) "apt", .baseline = (char *) "2026.10" };
        _cleanup_(run_result_freep) RunResult *result = NULL, *again = NULL;
        _cleanup_(run_transcript_done) RunTranscript t = {};
        _cleanup_free_ char *text = NULL;

        if (run_result_new(&request, &result) < 0)
                return;
        t.result = result;
        while (size > 0) {
                const uint8_t *end = memchr(data, '\n', size);
                size_t n = end ? (size_t) (end - data) : size;

                if (run_transcript_line(&t, (const char *) data, n, NULL) < 0 && !t.broken)
                        return;
                n += end ? 1 : 0;
                data += n;
                size -= n;
        }
        if (run_transcript_end(&t, 0) < 0 || run_result_format(result, &text) < 0 ||
            run_result_parse(text, strlen(text), &again, NULL) < 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        try_result(data, size);
        try_request(data, size);
        try_transcript(data, size);
        return 0;
}
