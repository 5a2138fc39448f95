/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The property Findings of the Manager: every question is a fresh look. */

#include "daemon/findings.h"
#include "daemon/manager.h"
#include "dbus/names.h"

/** bus_findings_get() - getter of Manager.Findings */
int bus_findings_get(_unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface,
                _unused_ const char *property, sd_bus_message *reply, void *userdata,
                _unused_ sd_bus_error *error) {
        Manager *m = userdata;
        const FindingSet *s;
        int r;

        findings_look(m->findings);
        s = findings_get(m->findings);
        r = sd_bus_message_open_container(reply, 'a', "(ssssss)");
        for (size_t i = 0; r >= 0 && i < s->n; i++) {
                const Finding *f = &s->items[i];

                r = sd_bus_message_append(reply, "(ssssss)", finding_kind_to_string(f->kind),
                        finding_severity_to_string(finding_severity(f->kind)), f->patch, f->object,
                        f->sentence, finding_remedy(f->kind));
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/** bus_findings_changed() - signal PropertiesChanged; findings_look() has just looked */
void bus_findings_changed(Manager *m) {
        if (m->bus)
                (void) sd_bus_emit_properties_changed(m->bus, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE,
                        "Findings", NULL);
}
