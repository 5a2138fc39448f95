/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The Manager interface, and how the objects hang on the bus. All mutating methods and all that read
 * a bundle go through one handler; request.c knows what each of them takes.
 *
 * Every method is SD_BUS_VTABLE_UNPRIVILEGED: without the flag sd-bus would refuse everybody but
 * root before polkit is asked.
 */

#include <config.h> /* the build's */
#include "daemon/bus.h"
#include "daemon/eligibility.h"
#include "daemon/manager.h"
#include "daemon/policy.h"
#include "daemon/reboot.h"
#include "dbus/names.h"

static int on_request(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return manager_handle(userdata, call, error);
}

static int get_version(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, _unused_ void *userdata,
                _unused_ sd_bus_error *error) {
        return sd_bus_message_append(reply, "s", HOTPATCH_VERSION);
}

static int get_identity(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Manager *m = userdata;
        const char *value = m->identity.arch;

        if (streq(property, "KernelRelease"))
                value = m->identity.release;
        else if (streq(property, "KernelBuildId"))
                value = m->identity.build_id;
        return sd_bus_message_append(reply, "s", strempty(value));
}

static int get_gate(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Manager *m = userdata;
        KernelGates gates;
        int r;

        r = kernel_gates(m->kernel, &gates);
        if (r < 0)
                return r;
        if (streq(property, "Lockdown"))
                r = sd_bus_message_append(reply, "s", strempty(gates.lockdown));
        else
                r = sd_bus_message_append(reply, "b", (int) gates.module_signature_required);
        kernel_gates_done(&gates);
        return r;
}

static int get_supported(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Manager *m = userdata;

        return sd_bus_message_append(reply, "b", (int) m->livepatch_supported);
}

static int get_disabled(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        _cleanup_free_ char *disabled = manager_disabled(userdata);

        return sd_bus_message_append(reply, "s", strempty(disabled));
}

static int get_denied(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Manager *m = userdata;
        _cleanup_free_ char *why = NULL;
        int r;

        r = config_denial(m->config, &why);
        return r < 0 ? r : sd_bus_message_append(reply, "s", strempty(why));
}

static int append_reason(void *userdata, const char *id, const char *sentence) {
        return sd_bus_message_append(userdata, "(ss)", id, sentence);
}

static int get_reboot(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ss)");
        if (r >= 0)
                r = reboot_reasons(userdata, append_reason, reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/** bus_reboot_changed() - signal PropertiesChanged of RebootRequired */
void bus_reboot_changed(Manager *m) {
        (void) sd_bus_emit_properties_changed(m->bus, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE,
                "RebootRequired", NULL);
}

/** bus_policy_changed() - signal PropertiesChanged of what follows from the configuration */
void bus_policy_changed(Manager *m) {
        (void) sd_bus_emit_properties_changed(m->bus, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE,
                "Denied", "Eligible", "IneligibleReason", "IneligibleRemedy", NULL);
}

const sd_bus_vtable bus_manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Stage",
                SD_BUS_ARGS("h", bundle, "a{sv}", options), SD_BUS_RESULT("s", id),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Apply",
                SD_BUS_ARGS("as", ids, "a{sv}", options), SD_BUS_RESULT("u", id, "o", job),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ApplyBundle",
                SD_BUS_ARGS("h", bundle, "a{sv}", options), SD_BUS_RESULT("u", id, "o", job),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Remove",
                SD_BUS_ARGS("as", ids, "a{sv}", options), SD_BUS_RESULT("u", id, "o", job),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Release",
                SD_BUS_ARGS("as", ids, "a{sv}", options), SD_BUS_NO_RESULT,
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Plan",
                SD_BUS_ARGS("as", ids, "a{sv}", options), SD_BUS_RESULT("s", plan),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PlanBundle",
                SD_BUS_ARGS("h", bundle, "a{sv}", options), SD_BUS_RESULT("s", plan),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PlanRemove",
                SD_BUS_ARGS("as", ids, "a{sv}", options), SD_BUS_RESULT("s", plan),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("VerifyBundle",
                SD_BUS_ARGS("h", bundle, "a{sv}", options), SD_BUS_RESULT("s", description),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Audit",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("s", report),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetPolicy",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("s", policy),
                policy_bus_get, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetStatus",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("s", status),
                publish_bus_get, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Reload",
                SD_BUS_NO_ARGS, SD_BUS_NO_RESULT,
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CheckEligibility",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sssssbb)", checks),
                eligibility_bus_check, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Calendar",
                SD_BUS_ARGS("u", year), SD_BUS_RESULT("s", calendar),
                bus_calendar, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ScheduleReboot",
                SD_BUS_ARGS("t", when, "a{sv}", options), SD_BUS_RESULT("t", restart),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DeferBaseline",
                SD_BUS_ARGS("t", until, "a{sv}", options), SD_BUS_RESULT("t", restart),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("CancelReboot",
                SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("t", restart),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListPatches",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sssssto)", patches),
                bus_patch_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListJobs",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ussdssso)", jobs),
                bus_job_list, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Describe",
                SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", description),
                bus_patch_describe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("EndTrial",
                SD_BUS_ARGS("as", ids, "a{sv}", options), SD_BUS_NO_RESULT,
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PlanBaseline",
                SD_BUS_ARGS("s", bundle, "a{sv}", options), SD_BUS_RESULT("s", result),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("InstallBaseline",
                SD_BUS_ARGS("s", bundle, "a{sv}", options), SD_BUS_RESULT("s", result),
                on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("LookAtBaseline",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("s", state, "s", text),
                bus_look_at_baseline, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DescribeBaseline",
                SD_BUS_NO_ARGS, SD_BUS_RESULT("s", description),
                baseline_call_describe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("BaselineSettled",
                SD_BUS_ARGS("s", baseline, "as", retired, "as", stayed, "as", kept), 0),
        SD_BUS_SIGNAL_WITH_ARGS("TrialEnded",
                SD_BUS_ARGS("as", ids, "s", result, "s", reason), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobNew", SD_BUS_ARGS("u", id, "o", job), 0),
        SD_BUS_SIGNAL_WITH_ARGS("JobRemoved",
                SD_BUS_ARGS("u", id, "o", job, "s", result, "s", error_name, "s", error_message), 0),
        SD_BUS_SIGNAL_WITH_ARGS("TripwireHit", SD_BUS_ARGS("s", id, "as", fixes, "t", count), 0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("KernelRelease", "s", get_identity, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("KernelBuildId", "s", get_identity, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Architecture", "s", get_identity, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Lockdown", "s", get_gate, 0, 0),
        SD_BUS_PROPERTY("ModuleSignatureRequired", "b", get_gate, 0, 0),
        SD_BUS_PROPERTY("LivepatchSupported", "b", get_supported, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Disabled", "s", get_disabled, 0, 0),
        SD_BUS_PROPERTY("Denied", "s", get_denied, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Eligible", "b", eligibility_bus_get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("IneligibleReason", "s", eligibility_bus_get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("IneligibleRemedy", "s", eligibility_bus_get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RolledBack", "a(sts)", bus_get_rolled_back, 0, 0),
        SD_BUS_PROPERTY("Findings", "a(ssssss)", bus_findings_get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("AuditedUSec", "t", audit_bus_get, 0, 0),
        SD_BUS_PROPERTY("BaselineState", "s", bus_get_baseline, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BaselineName", "s", bus_get_baseline, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BaselineText", "s", bus_get_baseline, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BaselineReached", "s", bus_get_baseline, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("CoveredUntil", "t", bus_get_covered_until, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RebootSchedule", "(tss)", bus_get_schedule, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RebootRequired", "a(ss)", get_reboot, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END
};

/* Any message means that somebody still needs us; the daemon's own signals do not come here. */
static int on_message(_unused_ sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error) {
        Manager *m = userdata;

        m->activity_usec = clock_usec(CLOCK_MONOTONIC);
        return 0;
}

/**
 * bus_attach() - put all objects on the manager's bus
 * @m: the manager
 *
 * Return: 0 or a negative errno.
 */
int bus_attach(Manager *m) {
        int r;

        r = sd_bus_add_object_manager(m->bus, NULL, HOTPATCH_ROOT_PATH);
        if (r < 0)
                return r;
        r = sd_bus_add_object_vtable(m->bus, NULL, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE,
                bus_manager_vtable, m);
        if (r < 0)
                return r;
        r = sd_bus_add_fallback_vtable(m->bus, NULL, HOTPATCH_PATCH_PATH, HOTPATCH_PATCH_INTERFACE,
                bus_patch_vtable, bus_patch_find, m);
        if (r < 0)
                return r;
        r = sd_bus_add_node_enumerator(m->bus, NULL, HOTPATCH_PATCH_PATH, bus_patch_enumerate, m);
        if (r < 0)
                return r;
        r = sd_bus_add_fallback_vtable(m->bus, NULL, HOTPATCH_JOB_PATH, HOTPATCH_JOB_INTERFACE,
                bus_job_vtable, bus_job_find, m);
        if (r < 0)
                return r;
        r = sd_bus_add_node_enumerator(m->bus, NULL, HOTPATCH_JOB_PATH, bus_job_enumerate, m);
        if (r < 0)
                return r;
        r = sd_bus_add_filter(m->bus, NULL, on_message, m);
        return r < 0 ? r : 0;
}
