/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The D-Bus side: vtables, properties, signals. Marshals only; what a call means is decided in
 * manager.c, job.c and query.c. dbus/org.hotpatch.Hotpatch1.xml is the contract.
 */

#include <systemd/sd-bus.h>

#include "daemon/job.h"
#include "daemon/patch.h"

extern const sd_bus_vtable bus_manager_vtable[];
extern const sd_bus_vtable bus_patch_vtable[];
extern const sd_bus_vtable bus_job_vtable[];

int bus_attach(Manager *m) _must_check_ _nonnull_(1);

/* bus-patch.c */
int bus_patch_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                void **ret_found, sd_bus_error *error);
int bus_patch_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                sd_bus_error *error);
int bus_patch_list(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_patch_describe(sd_bus_message *m, void *userdata, sd_bus_error *error);
void bus_patch_added(Patch *p);
void bus_patch_removed(Patch *p);
void bus_patch_changed(Patch *p, char **properties);

/* bus-trial.c */
int bus_get_rolled_back(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *reply, void *userdata, sd_bus_error *error);
void bus_trial_ended(Manager *m, char **ids, const char *result, const char *reason);

/* bus-baseline.c */
int bus_calendar(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_get_baseline(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_get_covered_until(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_get_schedule(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *reply, void *userdata, sd_bus_error *error);
int bus_look_at_baseline(sd_bus_message *call, void *userdata, sd_bus_error *error);
void bus_baseline_changed(Manager *m);
void bus_baseline_settled(Manager *m, const char *name, char **retired, char **stayed, char **kept);

/* bus-job.c */
int bus_job_find(sd_bus *bus, const char *path, const char *interface, void *userdata,
                void **ret_found, sd_bus_error *error);
int bus_job_enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                sd_bus_error *error);
int bus_job_list(sd_bus_message *m, void *userdata, sd_bus_error *error);
int bus_job_reply(Job *j, sd_bus_message *call);
void bus_job_added(Job *j);
void bus_job_changed(Job *j);
void bus_patches_changed(Manager *m);
void bus_job_finished(Job *j);
void bus_job_forgotten(Job *j);

/* bus.c: the property RebootRequired */
void bus_reboot_changed(Manager *m);
void bus_policy_changed(Manager *m);
