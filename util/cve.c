/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Manifests name what they repair as they like (GHSA-…, a vendor's own number). Those of the CVE programme are told by
 * their form alone; whether such a number was ever given nobody here knows.
 */

#include "util/cve.h"

#define DIGITS "0123456789"

/** cve_id_is_valid() - "CVE-2026-0001": CVE-, a year, and four digits or more. https://www.cve.org/About/Process, "CVE ID" */
bool cve_id_is_valid(const char *id) {
        const char *p = startswith(id, "CVE-");

        return p && strspn(p, DIGITS) == 4 && p[4] == '-' && strspn(p + 5, DIGITS) >= 4 &&
                p[5 + strspn(p + 5, DIGITS)] == '\0';
}
