/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Signatures, over the content "x", up to a root whose key nobody has any more: what is accepted is
 * in the corpus or is a finding.
 */

#include "bundle/signature.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/signature-root.h"

/* 2026-11-28; the certificates of the corpus are valid then, and need not be when this runs. */
#define NOW (UINT64_C(1795860000) * USEC_PER_SEC)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static SignatureStore *store;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Signer s;
        int r, rehearsed;

        if (!store && (signature_store_new(&store) < 0 ||
                       signature_store_add_anchors(store, "root.pem", signature_root, strlen(signature_root), NULL) < 0))
                abort();
        /* A worker's rehearsal must not refuse what is good. */
        rehearsed = signature_rehearse(store, &(SignatureInput) { "m", data, size, "x", 1 }, NOW, false, NULL);
        r = signature_verify(store, &(SignatureInput) { "m", data, size, "x", 1 }, NOW, false, &s, &error);
        if (r >= 0) {
                if (rehearsed < 0 || !*s.subject || strlen(s.spki_sha256) != 64)
                        abort();
                signer_done(&s);
        } else if (!sd_bus_error_is_set(&error) && size <= 64 * 1024)
                abort();
        sd_bus_error_free(&error);
        return 0;
}
