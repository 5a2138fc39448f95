/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The Job objects, ListJobs, and the signals about jobs. Changes are collected and sent once at the
 * end of a turn of the event loop; but while a patch module is being loaded they wait for a moment. To look at all
 * patches and to tell the bus keeps a processor busy for longer than a load takes, and everybody who listens as well, and a
 * machine may have only one: what is told to nobody can wait for the fix, and not the other way round.
 */

#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/manager.h"
#include "daemon/timer.h"
#include "dbus/names.h"
#include "util/strv.h"

/* A load that takes longer than a person sees as at once is told after that. */
#define LOADING_UNTOLD_USEC (100 * USEC_PER_MSEC)

static int on_request(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const Job *j = userdata;

        return manager_handle(j->manager, call, error);
}

static int get_word(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Job *j = userdata;
        bool ended = j->state == JOB_FINISHED;
        const char *value = NULL;

        /* While a job is being undone the reason is known already, but it is not its result yet. */
        if (streq(property, "Type"))
                value = job_type_to_string(j->type);
        else if (streq(property, "State"))
                value = job_state_to_string(j->state);
        else if (streq(property, "Result"))
                value = job_result_to_string(j->result);
        else if (streq(property, "ErrorName") && ended)
                value = j->error.name;
        else if (streq(property, "ErrorMessage") && ended)
                value = j->error.message;
        return sd_bus_message_append(reply, "s", strempty(value));
}

static int get_patches(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Job *j = userdata;

        return sd_bus_message_append_strv(reply, j->ids);
}

static int get_blockers(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Job *j = userdata;

        return job_append_blockers(j, reply);
}

static int get_blockers_note(_unused_ sd_bus *bus, _unused_ const char *path,
                _unused_ const char *interface, _unused_ const char *property, sd_bus_message *reply,
                void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_free_ char *note = NULL;
        const Job *j = userdata;
        int r = stall_note(j->stall, &note);

        return r < 0 ? r : sd_bus_message_append(reply, "s", note);
}

const sd_bus_vtable bus_job_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Cancel", NULL, NULL, on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Force", NULL, NULL, on_request, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Id", "u", NULL, offsetof(Job, id), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Type", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Patches", "as", get_patches, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("State", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Progress", "d", NULL, offsetof(Job, progress), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Blockers", "a(uusssss)", get_blockers, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BlockersNote", "s", get_blockers_note, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Result", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ErrorName", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ErrorMessage", "s", get_word, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END
};

/** bus_job_find() - sd_bus_object_find_t of the Job objects */
int bus_job_find(_unused_ sd_bus *bus, const char *path, _unused_ const char *interface,
                void *userdata, void **ret_found, _unused_ sd_bus_error *error) {
        const Manager *m = userdata;

        for (size_t i = 0; i < m->n_jobs; i++)
                if (streq(m->jobs[i]->path, path)) {
                        *ret_found = m->jobs[i];
                        return 1;
                }
        return 0;
}

/** bus_job_enumerate() - sd_bus_node_enumerator_t of the Job objects */
int bus_job_enumerate(_unused_ sd_bus *bus, _unused_ const char *prefix, void *userdata,
                char ***ret_nodes, _unused_ sd_bus_error *error) {
        _cleanup_strv_free_ char **nodes = NULL;
        const Manager *m = userdata;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < m->n_jobs; i++)
                r = strv_extend(&nodes, m->jobs[i]->path);
        if (r < 0)
                return r;
        *ret_nodes = TAKE_PTR(nodes);
        return 0;
}

/** bus_job_list() - method ListJobs */
int bus_job_list(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const Manager *m = userdata;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(ussdssso)");
        for (size_t i = 0; r >= 0 && i < m->n_jobs; i++) {
                const Job *j = m->jobs[i];
                bool ended = j->state == JOB_FINISHED;

                r = sd_bus_message_append(reply, "(ussdssso)", j->id, job_type_to_string(j->type),
                        job_state_to_string(j->state), j->progress, job_result_to_string(j->result),
                        strempty(ended ? j->error.name : NULL),
                        strempty(ended ? j->error.message : NULL), j->path);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/** bus_job_reply() - answer the call that made a job */
int bus_job_reply(Job *j, sd_bus_message *call) {
        return sd_bus_reply_method_return(call, "uo", j->id, j->path);
}

/** bus_job_added() - signal InterfacesAdded and JobNew */
void bus_job_added(Job *j) {
        sd_bus *bus = j->manager->bus;

        (void) sd_bus_emit_object_added(bus, j->path);
        (void) sd_bus_emit_signal(bus, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE, "JobNew",
                "uo", j->id, j->path);
}

static void flush(Manager *m) {
        int r;

        for (size_t i = 0; i < m->n_jobs; i++) {
                if (!m->jobs[i]->changed)
                        continue;
                m->jobs[i]->changed = false;
                (void) sd_bus_emit_properties_changed(m->bus, m->jobs[i]->path,
                        HOTPATCH_JOB_INTERFACE, "State", "Progress", "Patches",
                        m->jobs[i]->blockers_changed ? "Blockers" : NULL, "BlockersNote", NULL);
                m->jobs[i]->blockers_changed = false;
        }
        /* A job moves its patches along. */
        r = patches_refresh(m);
        if (r < 0)
                fprintf(stderr, "<%d>Patches cannot be listed, ignoring: %s\n", LOG_WARNING, strerror(-r));
}

static int on_untold(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Manager *m = userdata;

        m->untold = sd_event_source_disable_unref(m->untold);
        flush(m);
        return 0;
}

static int on_turn_over(sd_event_source *source, void *userdata) {
        Manager *m = userdata;
        const Job *j = manager_running_job(m);

        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (j && j->state == JOB_LOADING && (m->untold || timer_arm(m->event, &m->untold, LOADING_UNTOLD_USEC,
                        USEC_PER_MSEC, on_untold, m) >= 0))
                return 0;
        m->untold = sd_event_source_disable_unref(m->untold);
        flush(m);
        return 0;
}

/** bus_patches_changed() - look at the patches again, and signal, at the end of this turn of the event loop or a load's */
void bus_patches_changed(Manager *m) {
        if (m->flush)
                (void) sd_event_source_set_enabled(m->flush, SD_EVENT_ONESHOT);
        else if (sd_event_add_defer(m->event, &m->flush, on_turn_over, m) >= 0)
                /* after whatever else is ready in this turn */
                (void) sd_event_source_set_priority(m->flush, SD_EVENT_PRIORITY_IDLE);
}

/** bus_job_changed() - signal PropertiesChanged at the end of this turn of the event loop or a load's */
void bus_job_changed(Job *j) {
        j->changed = true;
        bus_patches_changed(j->manager);
}

/** bus_job_finished() - signal the last PropertiesChanged and JobRemoved, in this order */
void bus_job_finished(Job *j) {
        sd_bus *bus = j->manager->bus;

        j->changed = false;
        j->blockers_changed = false;
        (void) sd_bus_emit_properties_changed(bus, j->path, HOTPATCH_JOB_INTERFACE,
                "State", "Progress", "Patches", "Blockers", "BlockersNote", "Result", "ErrorName",
                "ErrorMessage", NULL);
        (void) sd_bus_emit_signal(bus, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE, "JobRemoved",
                "uosss", j->id, j->path, job_result_to_string(j->result),
                strempty(j->error.name), strempty(j->error.message));
}

/** bus_job_forgotten() - signal InterfacesRemoved for a job that is dropped from the list */
void bus_job_forgotten(Job *j) {
        (void) sd_bus_emit_object_removed(j->manager->bus, j->path);
}
