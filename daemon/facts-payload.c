/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The modules of the bundles as facts: what each says about itself, and whether the kernel has the key
 * of whoever signed it. One small file of /proc for each signed module; no worker.
 */

#include "daemon/facts-internal.h"
#include "livepatch/keyring.h"
#include "util/str.h"

/** facts_payloads_free() - free an array of payloads */
void facts_payloads_free(PlanPayload *payloads, size_t n) {
        for (size_t i = 0; i < n; i++)
                free((char *) payloads[i].signer);
        free(payloads);
}

static int describe_signer(const ModuleSignature *s, char **ret) {
        if (s->key_id)
                return str_printf(ret, "the key with the id %s", s->key_id);
        return str_printf(ret, "'%s' with the serial number %s", s->signer ?: "somebody without a name",
                        strempty(s->serial));
}

static int fill_payload(const Kernel *k, const Payload *p, PlanPayload *ret) {
        static const Certainty answers[] = { CERTAINLY_NOT, CERTAINLY };
        char *signer = NULL;
        int r;

        *ret = (PlanPayload) {
                .build_id = p->build_id,
                .is_signed = p->signature.present,
                .states_known = p->states_known,
                .states = p->states,
        };
        if (!p->signature.readable)
                return 0;
        r = kernel_has_signer(k, &p->signature, &ret->ring);
        if (r < 0 && r != -ENODATA)
                return r;
        ret->key = r < 0 ? UNCERTAIN : answers[r];
        r = describe_signer(&p->signature, &signer);
        if (r < 0)
                return r;
        ret->signer = signer;
        ret->name = p->signature.signer;
        return 0;
}

/**
 * facts_add_payloads() - add what the modules of the bundles say about themselves
 * @payloads: as in the call of plan_apply(); borrowed
 *
 * Reads /proc/keys for a module that is signed, and the kernel's keyrings to name what would be needed.
 *
 * Return: 0 or a negative errno.
 */
int facts_add_payloads(Facts *f, const Kernel *k, const Payload *const *payloads, size_t n) {
        PlanPayload *filled = calloc(n + 1, sizeof(*filled));
        bool missing = false;
        char *keys;
        int r;

        if (!filled)
                return -ENOMEM;
        facts_take_payloads(f, filled, n);
        for (size_t i = 0; i < n; i++) {
                r = fill_payload(k, payloads[i], &filled[i]);
                if (r < 0)
                        return r;
                missing = missing || filled[i].key != CERTAINLY;
        }
        if (!missing || !facts_for_plan(f)->gates->module_signature_required)
                return 0;
        r = kernel_trusted_keys(k, &keys);
        if (r < 0)
                return r;
        facts_take_trusted_keys(f, keys);
        return 0;
}
