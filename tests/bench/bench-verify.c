/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Verify a bundle over and over in one process: bench-verify COUNT ANCHOR BUNDLE
 *
 * One round is everything the daemon does to believe a bundle: headers, CMS, manifest, the digest of
 * every member. The anchors are loaded once. Prints the median and the minimum in milliseconds.
 */

#include <fcntl.h>
#include <time.h>

#include "bundle/bundle.h"
#include "dbus/errors.h"
#include "util/strv.h"

static double now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;
        return (x > y) - (x < y);
}

static int verify_once(int fd, const Trust *trust, sd_bus_error *error) {
        _cleanup_bundle_free_ Bundle *bundle = NULL;
        _cleanup_verified_free_ Verified *verified = NULL;
        int r = bundle_open(fd, &bundle, error);

        if (r >= 0)
                r = bundle_verify(&bundle, trust, (uint64_t) time(NULL) * USEC_PER_SEC, &verified, error);
        if (r >= 0)
                r = verified_check_members(verified, error);
        return r;
}

int main(int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_trust_free_ Trust *trust = NULL;
        _cleanup_free_ double *times = NULL;
        _cleanup_close_ int fd = -EBADF;
        size_t n;
        int r;

        if (argc != 4)
                return fprintf(stderr, "usage: bench-verify COUNT ANCHOR BUNDLE\n"), 2;
        n = strtoul(argv[1], NULL, 10);
        times = calloc(n + 1, sizeof(double));
        fd = open(argv[3], O_RDONLY | O_CLOEXEC);
        if (n == 0 || !times || fd < 0)
                return perror(argv[3]), 2;
        r = trust_load_files((char *[]) { argv[2], NULL },
                &(TrustPolicy) { .signatures_min = 1 }, &trust, &error);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                double before = now_ms();
                r = verify_once(fd, trust, &error);
                times[i] = now_ms() - before;
        }
        if (r < 0)
                return fprintf(stderr, "bench-verify: %s\n", error.message ?: strerror(-r)), 1;
        qsort(times, n, sizeof(double), compare);
        printf("%.3f %.3f\n", times[n / 2], times[0]);
        return 0;
}
