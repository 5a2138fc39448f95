/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What makes VEX documents and metrics of what others wrote: an answer of GetStatus(), and os-release(5). The first line
 * is what `uname -v` says, then comes os-release up to an empty line, then the answer. Whatever they are, a document is
 * JSON, and a package URL has nothing in it that would have to be encoded.
 */

#include "ctl/metrics.h"
#include "ctl/product.h"
#include "ctl/vex.h"
#include "tests/fuzz/fuzz.h"

static void check_purl(const char *purl) {
        if (!startswith(purl, "pkg:"))
                abort();
        for (; *purl; purl++)
                if (!(*purl >= '0' && *purl <= '9') && !(*purl >= 'a' && *purl <= 'z') &&
                    !(*purl >= 'A' && *purl <= 'Z') && !strchr(".-_~%:/@?&=", *purl))
                        abort();
}

static void check_document(int (*make)(const VexFacts *f, Value **ret), const VexFacts *f) {
        _cleanup_value_ Value *document = NULL, *again = NULL;
        _cleanup_free_ char *text = NULL;

        if (make(f, &document) < 0)
                return;
        if (value_to_text(&(Ctl) { .json_short = true }, document, &text) < 0 || value_parse(text, &again) < 0)
                abort();
}

static void check_status(const char *text, const char *purl) {
        _cleanup_value_ Value *status = NULL;
        VexFacts f = { .author = "a", .host = "h", .document_id = "d", .machine_id = "m", .tool = "t", .now_usec = 1 };

        if (value_parse(text, &status) < 0)
                return;
        f.purl = purl;
        f.status = status;
        if (vex_is_empty(&f))
                return;
        check_document(vex_openvex, &f);
        check_document(vex_csaf, &f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size), *id = NULL, *purl = NULL;
        char *rest = text, *version = strsep(&rest, "\n"), *status = rest ? strstr(rest, "\n\n") : NULL;

        if (status) {
                *status = '\0';
                status += 2;
        }
        if (os_release_id(strempty(rest), &id) < 0 ||
            product_purl(id, &(KernelFacts) { strempty(rest), "x86_64", strempty(version), id }, &purl) < 0)
                return 0;
        check_purl(purl);
        if (status)
                check_status(status, purl);
        return 0;
}
