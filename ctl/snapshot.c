/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reads the objects of hotpatchd: GetAll() of the manager, GetManagedObjects() for the rest. Each
 * kind of object has a table of its properties, see property.c.
 */

#include <time.h>

#include "ctl/property.h"
#include "ctl/snapshot.h"
#include "dbus/names.h"
#include "util/strv.h"

static const Property manager_properties[] = {
        { "Version", 's', offsetof(ManagerInfo, version) },
        { "KernelRelease", 's', offsetof(ManagerInfo, release) },
        { "KernelBuildId", 's', offsetof(ManagerInfo, build_id) },
        { "Architecture", 's', offsetof(ManagerInfo, arch) },
        { "Lockdown", 's', offsetof(ManagerInfo, lockdown) },
        { "Disabled", 's', offsetof(ManagerInfo, disabled) },
        { "Denied", 's', offsetof(ManagerInfo, denied) },
        { "IneligibleReason", 's', offsetof(ManagerInfo, ineligible) },
        { "IneligibleRemedy", 's', offsetof(ManagerInfo, ineligible_remedy) },
        { "BaselineState", 's', offsetof(ManagerInfo, baseline_state) },
        { "BaselineText", 's', offsetof(ManagerInfo, baseline_text) },
        { "CoveredUntil", 't', offsetof(ManagerInfo, covered_until_usec) },
        { "AuditedUSec", 't', offsetof(ManagerInfo, audited_usec) },
        { "ModuleSignatureRequired", 'b', offsetof(ManagerInfo, signature_required) },
        { "LivepatchSupported", 'b', offsetof(ManagerInfo, supported) },
        { "Findings", 'F', offsetof(ManagerInfo, findings) },
        { "RebootSchedule", 'W', offsetof(ManagerInfo, restart_usec) },
        { "RebootRequired", 'R', offsetof(ManagerInfo, reboot) },
        { "RolledBack", 'L', offsetof(ManagerInfo, rolled_back) },
};

static const Property patch_properties[] = {
        { "Id", 's', offsetof(PatchInfo, id) },
        { "Title", 's', offsetof(PatchInfo, title) },
        { "Severity", 's', offsetof(PatchInfo, severity) },
        { "State", 's', offsetof(PatchInfo, state) },
        { "Module", 's', offsetof(PatchInfo, module) },
        { "Stream", 's', offsetof(PatchInfo, stream) },
        { "Fixes", 'A', offsetof(PatchInfo, fixes) },
        { "Sequence", 't', offsetof(PatchInfo, sequence) },
        { "AppliedUSec", 't', offsetof(PatchInfo, applied_usec) },
        { "Tripped", 't', offsetof(PatchInfo, tripped) },
        { "TrialKind", 's', offsetof(PatchInfo, trial_kind) },
        { "TrialUntilUSec", 't', offsetof(PatchInfo, trial_until_usec) },
        { "Foreign", 'b', offsetof(PatchInfo, foreign) },
        { "Wanted", 'b', offsetof(PatchInfo, wanted) },
        { "Quarantined", 'b', offsetof(PatchInfo, quarantined) },
        { "Strikes", 'A', offsetof(PatchInfo, strikes) },
        { "RestoreResult", 's', offsetof(PatchInfo, restore_result) },
        { "RetiredBy", 's', offsetof(PatchInfo, retired_by) },
        { "RestoreReason", 's', offsetof(PatchInfo, restore_reason) },
};

static const Property job_properties[] = {
        { "Type", 's', offsetof(JobInfo, type) },
        { "State", 's', offsetof(JobInfo, state) },
        { "Result", 's', offsetof(JobInfo, result) },
        { "ErrorName", 's', offsetof(JobInfo, error_name) },
        { "ErrorMessage", 's', offsetof(JobInfo, error_message) },
        { "Patches", 'A', offsetof(JobInfo, patches) },
        { "Progress", 'd', offsetof(JobInfo, progress) },
        { "Blockers", 'B', offsetof(JobInfo, blockers) },
        { "BlockersNote", 's', offsetof(JobInfo, blockers_note) },
        { "Id", 'u', offsetof(JobInfo, id) },
};

/**
 * job_read_properties() - take over the a{sv} at the current position of a message
 * @m: answer of GetAll() or a PropertiesChanged signal
 * @job: what is not in the message stays as it is
 *
 * Return: 0 or a negative errno.
 */
int job_read_properties(sd_bus_message *m, JobInfo *job) {
        return properties_read(m, job_properties, ELEMENTSOF(job_properties), job);
}

/** job_info_done() - free what a JobInfo holds */
void job_info_done(JobInfo *j) {
        free(j->path);
        properties_done(job_properties, ELEMENTSOF(job_properties), j);
        *j = (JobInfo) { 0 };
}

Snapshot *snapshot_free(Snapshot *s) {
        if (!s)
                return NULL;
        properties_done(manager_properties, ELEMENTSOF(manager_properties), &s->manager);
        for (size_t i = 0; i < s->n_patches; i++)
                properties_done(patch_properties, ELEMENTSOF(patch_properties), &s->patches[i]);
        for (size_t i = 0; i < s->n_jobs; i++)
                job_info_done(&s->jobs[i]);
        free(s->patches);
        free(s->jobs);
        free(s);
        return NULL;
}

static int read_patch(sd_bus_message *m, Snapshot *s) {
        PatchInfo *patches = reallocarray(s->patches, s->n_patches + 1, sizeof(*patches));

        if (!patches)
                return -ENOMEM;
        s->patches = patches;
        patches[s->n_patches] = (PatchInfo) { 0 };
        return properties_read(m, patch_properties, ELEMENTSOF(patch_properties),
                        &patches[s->n_patches++]);
}

static int read_job(sd_bus_message *m, const char *path, Snapshot *s) {
        JobInfo *jobs = reallocarray(s->jobs, s->n_jobs + 1, sizeof(*jobs));

        if (!jobs)
                return -ENOMEM;
        s->jobs = jobs;
        jobs[s->n_jobs] = (JobInfo) { .path = strdup(path) };
        return job_read_properties(m, &jobs[s->n_jobs++]);
}

/* One {sa{sv}}: an interface of an object */
static int read_interface(sd_bus_message *m, const char *path, Snapshot *s) {
        const char *interface;
        int r;

        r = sd_bus_message_read(m, "s", &interface);
        if (r < 0)
                return r;
        if (streq(interface, HOTPATCH_PATCH_INTERFACE))
                return read_patch(m, s);
        if (streq(interface, HOTPATCH_JOB_INTERFACE))
                return read_job(m, path, s);
        return sd_bus_message_skip(m, "a{sv}");
}

static int read_object(sd_bus_message *m, Snapshot *s) {
        const char *path;
        int r;

        r = sd_bus_message_read(m, "o", &path);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
                r = read_interface(m, path, s);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_objects(sd_bus_message *m, Snapshot *s) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}")) > 0) {
                r = read_object(m, s);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r;
}

static int compare_patches(const void *a, const void *b) {
        const PatchInfo *x = a, *y = b;

        return x->foreign != y->foreign ? x->foreign - y->foreign : strcmp(x->id, y->id);
}

static int compare_jobs(const void *a, const void *b) {
        const JobInfo *x = a, *y = b;

        return x->id < y->id ? -1 : x->id > y->id;
}

static int read_manager(sd_bus *bus, Snapshot *s, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(bus, HOTPATCH_BUS_NAME, HOTPATCH_ROOT_PATH,
                        "org.freedesktop.DBus.Properties", "GetAll", error, &reply, "s",
                        HOTPATCH_MANAGER_INTERFACE);
        if (r < 0)
                return r;
        return properties_read(
                        reply, manager_properties, ELEMENTSOF(manager_properties), &s->manager);
}

/**
 * snapshot_read() - everything hotpatchd shows to everybody
 * @ctl: for the connection
 * @ret: patches sorted by id, other people's last; jobs by number; to be freed
 * @error: the refusal
 *
 * Return: 0 or a negative errno.
 */
int snapshot_read(Ctl *ctl, Snapshot **ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_snapshot_ Snapshot *s = calloc(1, sizeof(*s));
        sd_bus *bus;
        int r;

        if (!s)
                return -ENOMEM;
        s->now_usec = (uint64_t) time(NULL) * USEC_PER_SEC;
        r = ctl_bus(ctl, &bus, error);
        if (r < 0)
                return r;
        r = read_manager(bus, s, error);
        if (r < 0)
                return r;
        r = sd_bus_call_method(bus, HOTPATCH_BUS_NAME, HOTPATCH_ROOT_PATH,
                "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", error, &reply, NULL);
        if (r < 0)
                return r;
        r = read_objects(reply, s);
        if (r < 0)
                return r;
        for (size_t i = 0; i < s->n_patches; i++)
                for (size_t j = 0; j < s->manager.rolled_back.n; j++)
                        s->patches[i].rolled_back = s->patches[i].rolled_back ||
                                streq(s->manager.rolled_back.items[j].patch, s->patches[i].id);
        if (s->n_patches > 0)
                qsort(s->patches, s->n_patches, sizeof(*s->patches), compare_patches);
        if (s->n_jobs > 0)
                qsort(s->jobs, s->n_jobs, sizeof(*s->jobs), compare_jobs);
        *ret = TAKE_PTR(s);
        return 0;
}

/** patch_is_active() - its code runs in the kernel, wholly */
bool patch_is_active(const PatchInfo *p) {
        return streq(p->state, "active");
}

/** patch_is_missing() - it is wanted, and its code does not run in the kernel */
bool patch_is_missing(const PatchInfo *p) {
        return p->wanted && (streq(p->state, "staged") || streq(p->state, "inactive"));
}

bool job_is_running(const JobInfo *j) {
        return *j->result == '\0';
}
