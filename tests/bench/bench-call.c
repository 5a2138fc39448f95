/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Time the same method call over and over: bench-call COUNT NAME PATH INTERFACE METHOD
 *
 * Prints the median, 90th and 99th percentile in microseconds. The first tenth of the calls is
 * warming up and not counted.
 */

#include <systemd/sd-bus.h>
#include <time.h>

#include "util/base.h"

static double now_us(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;
        return (x > y) - (x < y);
}

static int call(sd_bus *bus, char *argv[], double *ret_us) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        double before = now_us();
        int r = sd_bus_call_method(bus, argv[2], argv[3], argv[4], argv[5], &error, &reply, "");

        if (r < 0)
                fprintf(stderr, "bench-call: %s: %s\n", argv[5], error.message ?: strerror(-r));
        else
                *ret_us = now_us() - before;
        sd_bus_message_unref(reply);
        return r;
}

int main(int argc, char *argv[]) {
        _cleanup_free_ double *times = NULL;
        sd_bus *bus = NULL;
        size_t n, skip;
        int r;

        if (argc != 6)
                return fprintf(stderr, "usage: bench-call COUNT NAME PATH INTERFACE METHOD\n"), 2;
        n = strtoul(argv[1], NULL, 10);
        skip = n / 10;
        times = calloc(n + skip + 1, sizeof(double));
        if (n == 0 || !times)
                return 2;
        r = sd_bus_open_system(&bus);
        for (size_t i = 0; r >= 0 && i < n + skip; i++)
                r = call(bus, argv, &times[i]);
        sd_bus_flush_close_unref(bus);
        if (r < 0)
                return 1;
        qsort(times + skip, n, sizeof(double), compare);
        printf("%.1f %.1f %.1f\n", times[skip + n / 2], times[skip + n * 9 / 10], times[skip + n * 99 / 100]);
        return 0;
}
