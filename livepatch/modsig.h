/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The signature that is appended to a kernel module: whose is it? Not whether it is good. */

#include "util/base.h"

/**
 * struct ModuleSignature - all owned; what is not said is NULL
 * @present: the file ends in the kernel's marker
 * @readable: it is a PKCS#7 message with one signer at least; the rest is only known then
 * @open: it has certificates of its own, or more signers: others than the one told here may count
 * @signer: name of the certificate's issuer, for a person; printable
 * @key_id: subject key identifier, lower-case hexadecimal; of a signer that is named by it
 * @issuer_serial: serial number and name of the issuer as the kernel joins them to find the key
 *   (asymmetric_key_generate_id()), lower-case hexadecimal; of a signer that is named by these
 * @serial: the serial number alone, lower-case hexadecimal
 */
typedef struct ModuleSignature {
        bool present;
        bool readable;
        bool open;
        char *signer;
        char *key_id;
        char *issuer_serial;
        char *serial;
} ModuleSignature;

int module_signature_parse(const uint8_t *tail, const uint8_t *message, size_t size, ModuleSignature *ret)
        _must_check_ _nonnull_(1, 4);
void module_signature_done(ModuleSignature *s);
