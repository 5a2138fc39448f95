/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl metrics`: what a fleet watches, as OpenMetrics text; hotpatch-metrics.service has it written into the
 * folder of node_exporter. When hotpatchd does not answer, that is told by the exit code and by a metric: figures of
 * yesterday that nobody takes away would look like those of today.
 */

#include "ctl/call.h"
#include "ctl/metrics.h"
#include "ctl/output.h"

static int print(Ctl *ctl, const MetricsInput *in, sd_bus_error *error) {
        _cleanup_value_ Value *answer = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        if (ctl->json) {
                r = metrics_value(in, &answer);
                if (r >= 0)
                        r = value_to_text(ctl, answer, &text);
        } else
                r = metrics_text(in, &text);
        return r < 0 ? r : output_write(ctl, text, error);
}

int verb_metrics(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL, ignored = SD_BUS_ERROR_NULL;
        _cleanup_snapshot_ Snapshot *s = NULL;
        _cleanup_value_ Value *status = NULL;
        int r;

        r = snapshot_read(ctl, &s, &error);
        if (r >= 0)
                r = call_status(ctl, &status, &error);
        if (r >= 0)
                r = print(ctl, &(MetricsInput) { s, status }, &error);
        else if (!ctl->json)
                (void) (print(ctl, &(MetricsInput) { NULL, NULL }, &ignored) < 0);
        sd_bus_error_free(&ignored);
        return r < 0 ? ctl_fail(ctl, NULL, &error, r) : HOTPATCH_EXIT_OK;
}
