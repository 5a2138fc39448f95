/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The module of a bundle in a few lines, from the worker that saw it to the daemon that decides.
 *
 * The lines are read as strictly as a state file: the worker has seen hostile bytes. A worker that
 * lies could say no more here than a vendor could, who signed the module.
 */

#include "daemon/fields.h"
#include "daemon/payload.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

static bool valid_hex(const char *s) {
        size_t n = strlen(s);

        return n > 0 && n <= 2 * (size_t) HOTPATCH_SIGNATURE_MAX && n % 2 == 0 &&
                strspn(s, "0123456789abcdef") == n;
}

/** payload_state_is_valid() - is it "ID:VERSION", in decimal? */
bool payload_state_is_valid(const char *state) {
        size_t id = strspn(state, "0123456789"), version;

        if (id == 0 || id > 20 || state[id] != ':')
                return false;
        version = strspn(state + id + 1, "0123456789");
        return version > 0 && version <= 10 && !state[id + 1 + version];
}

static const Field fields[] = {
        { "BUILD_ID", FIELD_STRING, false, offsetof(Payload, build_id), valid_hex },
        { "SIGNED", FIELD_BOOL, true, offsetof(Payload, signature.present), NULL },
        { "SIGNATURE_READABLE", FIELD_BOOL, true, offsetof(Payload, signature.readable), NULL },
        { "SIGNATURE_OPEN", FIELD_BOOL, true, offsetof(Payload, signature.open), NULL },
        { "SIGNER", FIELD_STRING, false, offsetof(Payload, signature.signer), NULL },
        { "KEY_ID", FIELD_STRING, false, offsetof(Payload, signature.key_id), valid_hex },
        { "ISSUER_SERIAL", FIELD_STRING, false, offsetof(Payload, signature.issuer_serial), valid_hex },
        { "SERIAL", FIELD_STRING, false, offsetof(Payload, signature.serial), valid_hex },
        { "STATES_KNOWN", FIELD_BOOL, true, offsetof(Payload, states_known), NULL },
        { "STATE", FIELD_STRV, false, offsetof(Payload, states), payload_state_is_valid },
};

static int copy_states(const ModuleInfo *info, char ***ret) {
        _cleanup_strv_free_ char **states = NULL;

        for (size_t i = 0; i < info->n_states; i++) {
                char text[48];
                int r;

                snprintf(text, sizeof(text), "%llu:%u", (unsigned long long) info->states[i].id,
                                info->states[i].version);
                r = strv_extend(&states, text);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(states);
        return 0;
}

/**
 * payload_write() - tell what a module says about itself
 * @output_fd: receives the lines, for payload_parse()
 *
 * A module with our note and no structures in its file was made by our runtime, which sets no system
 * states.
 *
 * Return: 0 or a negative errno.
 */
int payload_write(const ModuleInfo *info, int output_fd) {
        _cleanup_strv_free_ char **states = NULL;
        _cleanup_free_ char *text = NULL;
        Payload p = {
                .build_id = info->build_id,
                .signature = info->signature,
                .states_known = info->has_structures || info->has_note,
        };
        size_t size;
        int r = copy_states(info, &states);

        if (r < 0)
                return r;
        p.states = states;
        r = fields_format(fields, ELEMENTSOF(fields), &p, &text, &size);
        return r < 0 ? r : file_write_all(output_fd, text, size);
}

/**
 * payload_parse() - read what payload_write() wrote
 * @ret: to be emptied with payload_done(); nothing is known of no bytes at all
 *
 * Return: 0, -EBADMSG when it is something else, or -ENOMEM.
 */
int payload_parse(const void *data, size_t size, Payload *ret) {
        Payload p = {};
        int r;

        if (size == 0) {
                *ret = p;
                return 0;
        }
        r = fields_parse(fields, ELEMENTSOF(fields), data, size, &p);
        if (r < 0)
                return r;
        if (p.signature.readable && (!p.signature.present || (!p.signature.key_id && !p.signature.issuer_serial))) {
                payload_done(&p);
                return -EBADMSG;
        }
        *ret = p;
        return 0;
}

/** payload_done() - free what it owns */
void payload_done(Payload *p) {
        fields_done(fields, ELEMENTSOF(fields), p);
        *p = (Payload) {};
}
