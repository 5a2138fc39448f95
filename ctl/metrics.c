/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One table of metrics, shown in two forms: OpenMetrics 1.0 text and JSON.
 *
 * The text is read by two kinds of parsers, and has to please both. One of OpenMetrics wants units and `# EOF`; the
 * textfile collector of node_exporter reads the older format 0.0.4, to which those lines are comments, which refuses a
 * file with a type that it does not know, and which calls counters by another name. So all are gauges: a fact is one
 * that is 1, one out of several states is one for each of them, and hits of tripwires go down when a patch is removed.
 *
 * The number of series does not depend on what is applied: no patch ids and no CVE numbers among the labels. Words of
 * a newer daemon that are not in the lists below count as "other". Times are points in time, never ages, and left out
 * when there is none.
 *
 * https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
 */

#include <inttypes.h>

#include "ctl/metrics.h"

/* Where the samples of a metric go, in one of the two forms. */
typedef struct Sink {
        FILE *text;
        Value *samples;
        const struct Metric *metric;
        int r;
} Sink;

/** struct Metric - @seconds: the values are microseconds, shown as seconds */
typedef struct Metric {
        const char *name;
        bool seconds;
        void (*fill)(const Snapshot *s, const Value *status, Sink *to);
        const char *help;
} Metric;

typedef struct Label {
        const char *key, *value;
} Label;

/* --- one sample --- */

/* Label values: backslash, quote and line feed are escaped. */
static void print_escaped(FILE *f, const char *text) {
        for (; *text; text++)
                if (*text == '\n')
                        fputs("\\n", f);
                else
                        fprintf(f, "%s%c", *text == '\\' || *text == '"' ? "\\" : "", *text);
}

static void print_sample(Sink *to, const Label *labels, size_t n, uint64_t value) {
        FILE *f = to->text;

        fputs(to->metric->name, f);
        for (size_t i = 0; i < n; i++) {
                fprintf(f, "%s%s=\"", i == 0 ? "{" : ",", labels[i].key);
                print_escaped(f, labels[i].value);
                fputc('"', f);
        }
        if (to->metric->seconds)
                fprintf(f, "%s %" PRIu64 ".%06" PRIu64 "\n", n > 0 ? "}" : "", value / USEC_PER_SEC, value % USEC_PER_SEC);
        else
                fprintf(f, "%s %" PRIu64 "\n", n > 0 ? "}" : "", value);
}

static int append_sample(Sink *to, const Label *labels, size_t n, uint64_t value) {
        Value *sample = value_object(), *object = value_object();
        int r = value_append(to->samples, sample);

        if (r < 0) {
                value_unref(object);
                return r;
        }
        r = value_set(sample, "labels", object);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = value_set_string(object, labels[i].key, labels[i].value);
        if (r < 0)
                return r;
        if (to->metric->seconds)
                return value_set_real(sample, "value", (double) value / (double) USEC_PER_SEC);
        return value_set_integer(sample, "value", value);
}

static void sample_labels(Sink *to, const Label *labels, size_t n, uint64_t value) {
        if (to->r < 0)
                return;
        if (to->text)
                print_sample(to, labels, n, value);
        else
                to->r = append_sample(to, labels, n, value);
}

static void sample(Sink *to, uint64_t value) {
        sample_labels(to, NULL, 0, value);
}

static void sample_time(Sink *to, uint64_t usec) {
        if (usec > 0)
                sample(to, usec);
}

/* --- one out of several words --- */

#define OTHER "other"

/* @counts: of the words, and of others behind them. */
static void sample_words(Sink *to, const char *key, const char *const *words, size_t n, const uint64_t *counts) {
        for (size_t i = 0; i <= n; i++)
                sample_labels(to, &(Label) { key, i < n ? words[i] : OTHER }, 1, counts[i]);
}

static size_t word_index(const char *const *words, size_t n, const char *word) {
        size_t i = 0;

        while (i < n && !streq(words[i], word))
                i++;
        return i;
}

/* --- what there is --- */

static void fill_up(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample(to, s != NULL);
}

static void fill_build(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample_labels(to, &(Label) { "version", s->manager.version }, 1, 1);
}

static void fill_kernel(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        const Label labels[] = {
                { "release", s->manager.release }, { "arch", s->manager.arch }, { "build_id", s->manager.build_id },
        };

        sample_labels(to, labels, ELEMENTSOF(labels), 1);
}

static void fill_eligible(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample(to, *s->manager.ineligible == '\0');
}

static void fill_disabled(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample(to, *s->manager.disabled != '\0');
}

static void fill_denied(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample(to, *s->manager.denied != '\0');
}

static void fill_patches(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        /* The states of org.hotpatch.Hotpatch1(5), "STATES OF A PATCH". */
        static const char *const states[] = {
                "staged", "applying", "transition", "active", "reversing", "removing", "failed", "pinned", "inactive",
        };
        uint64_t counts[ELEMENTSOF(states) + 1] = {};

        for (size_t i = 0; i < s->n_patches; i++)
                if (!s->patches[i].foreign)
                        counts[word_index(states, ELEMENTSOF(states), s->patches[i].state)]++;
        sample_words(to, "state", states, ELEMENTSOF(states), counts);
}

static void sample_patches(const Snapshot *s, bool (*counts)(const PatchInfo *p), Sink *to) {
        uint64_t n = 0;

        for (size_t i = 0; i < s->n_patches; i++)
                n += counts(&s->patches[i]);
        sample(to, n);
}

static bool is_foreign(const PatchInfo *p) {
        return p->foreign;
}

static bool is_wanted(const PatchInfo *p) {
        return p->wanted;
}

static bool is_quarantined(const PatchInfo *p) {
        return p->quarantined;
}

static bool is_on_trial(const PatchInfo *p) {
        return p->trial_until_usec > 0;
}

static void fill_foreign(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample_patches(s, is_foreign, to);
}

static void fill_wanted(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample_patches(s, is_wanted, to);
}

static void fill_missing(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample_patches(s, patch_is_missing, to);
}

static void fill_quarantined(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample_patches(s, is_quarantined, to);
}

static void fill_trial(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample_patches(s, is_on_trial, to);
}

static void fill_rolled_back(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample(to, s->manager.rolled_back.n);
}

static void fill_fixes(_unused_ const Snapshot *s, const Value *status, Sink *to) {
        sample(to, value_length(value_get(status, "fixed")));
}

static void fill_trips(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        uint64_t n = 0;

        for (size_t i = 0; i < s->n_patches; i++)
                n += s->patches[i].tripped;
        sample(to, n);
}

static void fill_applied(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        uint64_t last = 0;

        for (size_t i = 0; i < s->n_patches; i++)
                if (s->patches[i].applied_usec > last)
                        last = s->patches[i].applied_usec;
        sample_time(to, last);
}

static void fill_findings(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        static const char *const severities[] = { "alert", "attention", "info" };
        uint64_t counts[ELEMENTSOF(severities) + 1] = {};

        for (size_t i = 0; i < s->manager.findings.n; i++)
                counts[word_index(severities, ELEMENTSOF(severities), s->manager.findings.items[i].severity)]++;
        sample_words(to, "severity", severities, ELEMENTSOF(severities), counts);
}

static void fill_audited(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample_time(to, s->manager.audited_usec);
}

static void fill_jobs(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        uint64_t n = 0;

        for (size_t i = 0; i < s->n_jobs; i++)
                n += job_is_running(&s->jobs[i]);
        sample(to, n);
}

static void fill_baseline(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        /* The property BaselineState of org.hotpatch.Hotpatch1(5). */
        static const char *const states[] = {
                "idle", "due", "planned", "downloaded", "installing", "installed", "scheduled", "restarting",
                "verifying", "reached", "install-failed", "interrupted", "old-kernel-returned", "boot-check-failed",
                "crashed-in-trial", "missed",
        };
        uint64_t counts[ELEMENTSOF(states) + 1] = {};

        counts[word_index(states, ELEMENTSOF(states), s->manager.baseline_state)] = 1;
        sample_words(to, "state", states, ELEMENTSOF(states), counts);
}

static void fill_covered(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample_time(to, s->manager.covered_until_usec);
}

static void fill_required(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample(to, s->manager.reboot.n > 0);
}

static void fill_reasons(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        static const char *const reasons[] = { "forced", "packages", "pinned", "baseline" };
        uint64_t counts[ELEMENTSOF(reasons) + 1] = {};

        for (size_t i = 0; i < s->manager.reboot.n; i++)
                counts[word_index(reasons, ELEMENTSOF(reasons), s->manager.reboot.items[i].reason)]++;
        sample_words(to, "reason", reasons, ELEMENTSOF(reasons), counts);
}

static void fill_scheduled(const Snapshot *s, _unused_ const Value *status, Sink *to) {
        sample_time(to, s->manager.restart_usec);
}

static const Metric metrics[] = {
        { "hotpatch_up", false, fill_up, "Whether hotpatchd answered" },
        { "hotpatch_build_info", false, fill_build, "Version of hotpatchd" },
        { "hotpatch_kernel_info", false, fill_kernel, "The running kernel" },
        { "hotpatch_eligible", false, fill_eligible, "Whether this machine can take hotpatches" },
        { "hotpatch_disabled", false, fill_disabled, "Whether hotpatching is switched off here" },
        { "hotpatch_denied", false, fill_denied,
          "Whether the configuration forbids hotpatches here" },
        { "hotpatch_patches", false, fill_patches, "Patches of ours by state" },
        { "hotpatch_patches_foreign", false, fill_foreign,
          "Livepatches that somebody else loaded" },
        { "hotpatch_patches_wanted", false, fill_wanted,
          "Patches that were applied and not removed" },
        { "hotpatch_patches_missing", false, fill_missing,
          "Patches that are wanted and not in force" },
        { "hotpatch_patches_quarantined", false, fill_quarantined,
          "Patches that so much speaks against that they are not applied" },
        { "hotpatch_patches_on_trial", false, fill_trial,
          "Patches that are watched for a bad sign" },
        { "hotpatch_patches_rolled_back", false, fill_rolled_back,
          "Patches that failed their trial since the machine started" },
        { "hotpatch_fixes_in_force", false, fill_fixes,
          "Vulnerabilities that are fixed in the running kernel by hotpatches" },
        { "hotpatch_tripwire_hits", false, fill_trips,
          "Attempts at what the patches in the kernel repair, since each was loaded" },
        { "hotpatch_findings", false, fill_findings, "What is not as it should be, by severity" },
        { "hotpatch_jobs_running", false, fill_jobs, "Jobs that change the kernel now" },
        { "hotpatch_last_applied_timestamp_seconds", true, fill_applied,
          "When a patch that is wanted was applied last" },
        { "hotpatch_audited_timestamp_seconds", true, fill_audited,
          "When kernel, records and store were compared last in this boot" },
        { "hotpatch_baseline_state", false, fill_baseline,
          "Where this machine stands with its baseline" },
        { "hotpatch_coverage_until_timestamp_seconds", true, fill_covered,
          "When hotpatches for this machine end, unless it reaches the next baseline" },
        { "hotpatch_restart_required", false, fill_required,
          "Whether this machine has to be restarted" },
        { "hotpatch_restart_reasons", false, fill_reasons, "Why this machine has to be restarted" },
        { "hotpatch_restart_scheduled_timestamp_seconds", true, fill_scheduled,
          "When hotpatchd restarts this machine" },
};

/* Without the daemon there is one thing to say. */
static bool is_shown(const Metric *m, const MetricsInput *in) {
        return in->snapshot || m->fill == fill_up;
}

/**
 * metrics_text() - OpenMetrics 1.0, which is Prometheus' text format 0.0.4 as well
 * @ret: owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int metrics_text(const MetricsInput *in, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(metrics); i++) {
                const Metric *m = &metrics[i];

                if (!is_shown(m, in))
                        continue;
                fprintf(f, "# TYPE %s gauge\n", m->name);
                if (m->seconds)
                        fprintf(f, "# UNIT %s seconds\n", m->name);
                fprintf(f, "# HELP %s %s.\n", m->name, m->help);
                m->fill(in->snapshot, in->status, &(Sink) { .text = f, .metric = m });
        }
        fputs("# EOF\n", f);
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}

static int metric_value(const Metric *m, const MetricsInput *in, Value *object) {
        Sink sink = { .metric = m, .samples = value_array() };

        if (value_set_string(object, "name", m->name) < 0 || value_set_string(object, "type", "gauge") < 0 ||
            value_set_string(object, "unit", m->seconds ? "seconds" : NULL) < 0 ||
            value_set_string(object, "help", m->help) < 0) {
                value_unref(sink.samples);
                return -ENOMEM;
        }
        if (value_set(object, "samples", sink.samples) < 0)
                return -ENOMEM;
        m->fill(in->snapshot, in->status, &sink);
        return sink.r;
}

/**
 * metrics_value() - the same as JSON: an array of metrics, each with its samples
 * @ret: owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int metrics_value(const MetricsInput *in, Value **ret) {
        _cleanup_value_ Value *array = value_array();

        for (size_t i = 0; i < ELEMENTSOF(metrics); i++) {
                Value *object;
                int r;

                if (!is_shown(&metrics[i], in))
                        continue;
                object = value_object();
                r = value_append(array, object);
                if (r >= 0)
                        r = metric_value(&metrics[i], in, object);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(array);
        return 0;
}
