/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The Patch objects and the reading methods about patches. Every answer begins with a fresh look at
 * the kernel (patches_refresh() looks at most once in a turn of the event loop).
 */

#include "daemon/admit.h"
#include "daemon/bus.h"
#include "daemon/describe.h"
#include "daemon/manager.h"
#include "dbus/errors.h"
#include "dbus/names.h"
#include "util/strv.h"

static int get_state(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Patch *p = userdata;

        return sd_bus_message_append(reply, "s", patch_state_to_string(p->state));
}

static int get_fixes(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Patch *p = userdata;

        return sd_bus_message_append_strv(reply, p->fixes);
}

static int get_foreign(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Patch *p = userdata;

        return sd_bus_message_append(reply, "b", (int) p->foreign);
}

static int get_objects(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Patch *p = userdata;
        int r = sd_bus_message_open_container(reply, 'a', "(ss)");

        for (size_t i = 0; r >= 0 && i < p->n_objects; i++)
                r = sd_bus_message_append(reply, "(ss)", p->objects[i].name,
                        patched_state_to_string(p->objects[i].state));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_strikes(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Patch *p = userdata;

        return sd_bus_message_append_strv(reply, p->strikes);
}

static int get_wanted(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        const Patch *p = userdata;

        return sd_bus_message_append(reply, "b", (int) (streq(property, "Wanted") ? p->recorded : p->quarantined));
}

const sd_bus_vtable bus_patch_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", NULL, offsetof(Patch, id), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Title", "s", NULL, offsetof(Patch, title), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Severity", "s", NULL, offsetof(Patch, severity), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Module", "s", NULL, offsetof(Patch, module), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Stream", "s", NULL, offsetof(Patch, stream), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Sequence", "t", NULL, offsetof(Patch, sequence), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Fixes", "as", get_fixes, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Foreign", "b", get_foreign, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Objects", "a(ss)", get_objects, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("AppliedUSec", "t", NULL, offsetof(Patch, applied_usec),
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("TrialUntilUSec", "t", NULL, offsetof(Patch, trial_until_usec),
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("TrialKind", "s", NULL, offsetof(Patch, trial_kind), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Tripped", "t", NULL, offsetof(Patch, tripped),
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Wanted", "b", get_wanted, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Strikes", "as", get_strikes, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Quarantined", "b", get_wanted, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RestoreResult", "s", NULL, offsetof(Patch, restore_result),
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RetiredBy", "s", NULL, offsetof(Patch, retired_by), 0),
        SD_BUS_PROPERTY("RestoreReason", "s", NULL, offsetof(Patch, restore_reason),
                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_VTABLE_END
};

/** bus_patch_find() - sd_bus_object_find_t of the Patch objects */
int bus_patch_find(_unused_ sd_bus *bus, const char *path, _unused_ const char *interface,
                void *userdata, void **ret_found, _unused_ sd_bus_error *error) {
        _cleanup_free_ char *id = NULL;
        Manager *m = userdata;
        int r;

        r = sd_bus_path_decode(path, HOTPATCH_PATCH_PATH, &id);
        if (r <= 0)
                return r;
        r = patches_refresh(m);
        if (r < 0)
                return r;
        *ret_found = patch_find(&m->patches, id);
        return *ret_found ? 1 : 0;
}

/** bus_patch_enumerate() - sd_bus_node_enumerator_t of the Patch objects */
int bus_patch_enumerate(_unused_ sd_bus *bus, _unused_ const char *prefix, void *userdata,
                char ***ret_nodes, _unused_ sd_bus_error *error) {
        _cleanup_strv_free_ char **nodes = NULL;
        Manager *m = userdata;
        int r;

        r = patches_refresh(m);
        for (size_t i = 0; r >= 0 && i < m->patches.n_patches; i++)
                r = strv_extend(&nodes, m->patches.patches[i]->path);
        if (r < 0)
                return r;
        *ret_nodes = TAKE_PTR(nodes);
        return 0;
}

/* What sd_bus_message_append(3) does with "(sssssto)", but for reading that anew for each patch: a fifth of the call. */
static int append_row(sd_bus_message *reply, const Patch *p) {
        const char *const words[] = { p->id, p->title, p->severity, patch_state_to_string(p->state), p->module };
        int r = sd_bus_message_open_container(reply, 'r', "sssssto");

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(words); i++)
                r = sd_bus_message_append_basic(reply, 's', words[i]);
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 't', &p->sequence);
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 'o', p->path);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/** bus_patch_list() - method ListPatches */
int bus_patch_list(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Manager *m = userdata;
        int r;

        r = patches_refresh(m);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(sssssto)");
        for (size_t i = 0; r >= 0 && i < m->patches.n_patches; i++)
                r = append_row(reply, m->patches.patches[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* The bundle behind a patch: as it was admitted, else as it is staged. Not having it is no error. */
static void open_bundle(Manager *m, const Patch *p, const AdmittedRecord *record, Verified **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error ignored = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = -EBADF;
        uint64_t now = record ? record->admitted_usec : bundle_present(clock_usec(CLOCK_REALTIME));

        if (p->foreign)
                return;
        fd = record ? store_admitted_open(m->store, p->id) : store_spool_open(m->store, p->id, &ignored);
        if (fd < 0)
                return;
        if (admit_open(fd, m->root, &m->config->trust, now, ret, &ignored) >= 0)
                /* A file in the spool may have any name; its id counts. */
                if (!streq(verified_manifest(*ret)->id, p->id))
                        *ret = verified_free(*ret);
}

static int describe(Manager *m, const Patch *p, char **ret) {
        _cleanup_verified_free_ Verified *v = NULL;
        _cleanup_(admitted_record_done) AdmittedRecord record = {};
        bool admitted;
        Description d;

        admitted = !p->foreign && store_admitted_find(m->store, p->id, &record) >= 0;
        open_bundle(m, p, admitted ? &record : NULL, &v);
        d = (Description) {
                .id = p->id,
                .state = patch_state_to_string(p->state),
                .foreign = p->foreign,
                .module = *p->module ? p->module : NULL,
                .release = m->identity.release,
                .record = admitted ? &record : NULL,
                .manifest = v ? verified_manifest(v) : NULL,
                .digest = *p->digest ? p->digest : NULL,
                .tripped = p->tripped,
                .patched = p->objects,
                .n_patched = p->n_objects,
                .quarantined = p->quarantined,
                .strikes = p->strikes,
                .restore_result = *p->restore_result ? p->restore_result : NULL,
                .restore_reason = *p->restore_reason ? p->restore_reason : NULL,
                .trial_until_usec = p->trial_until_usec,
                .trial_kind = *p->trial_kind ? p->trial_kind : NULL,
        };
        if (v)
                d.signers = verified_signers(v, &d.n_signers);
        return describe_patch(&d, ret);
}

/** bus_patch_describe() - method Describe */
int bus_patch_describe(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        _cleanup_free_ char *json = NULL;
        Manager *m = userdata;
        const char *id;
        const Patch *p;
        int r;

        r = sd_bus_message_read(call, "s", &id);
        if (r < 0)
                return r;
        r = patches_refresh(m);
        if (r < 0)
                return r;
        /* An id that cannot exist is not echoed: it may be as long as a message. */
        if (!request_id_is_valid(id))
                return sd_bus_error_set(error, HOTPATCH_ERROR("NoSuchPatch"), "This is not a patch id");
        p = patch_find(&m->patches, id);
        if (!p)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NoSuchPatch"), "No patch '%s' is known", id);
        r = describe(m, p, &json);
        return r < 0 ? r : sd_bus_reply_method_return(call, "s", json);
}

/** bus_patch_added() - signal InterfacesAdded for a patch */
void bus_patch_added(Patch *p) {
        if (p->manager->bus)
                (void) sd_bus_emit_object_added(p->manager->bus, p->path);
}

/** bus_patch_removed() - signal InterfacesRemoved for a patch that can still be found */
void bus_patch_removed(Patch *p) {
        if (p->manager->bus)
                (void) sd_bus_emit_object_removed(p->manager->bus, p->path);
}

/**
 * bus_patch_changed() - signal PropertiesChanged; @properties is NULL-terminated
 *
 * sd-bus finds the object by its path for this, so it is for patches_refresh() alone: in any other
 * turn of the loop the search itself would replace all patches, this one too.
 */
void bus_patch_changed(Patch *p, char **properties) {
        if (p->manager->bus)
                (void) sd_bus_emit_properties_changed_strv(p->manager->bus, p->path,
                        HOTPATCH_PATCH_INTERFACE, properties);
}
