/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * OpenSSL keeps a queue of errors for each thread. It is emptied into our message, oldest first, so
 * that nothing of it turns up in the message of a later, unrelated failure.
 */

#include <openssl/err.h>
#include <stdarg.h>

#include "bundle/openssl-error.h"

/**
 * openssl_fail() - set a named error whose message ends with what OpenSSL said
 * @name: D-Bus error name
 *
 * Return: the negative errno of @name.
 */
int openssl_fail(sd_bus_error *error, const char *name, const char *format, ...) {
        char message[1024];
        unsigned long code;
        size_t n;
        va_list ap;

        va_start(ap, format);
        vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        n = strlen(message);
        for (unsigned i = 0; (code = ERR_get_error()) != 0; i++) {
                const char *reason = ERR_reason_error_string(code);

                if (i < 4 && n < sizeof(message))
                        n += (size_t) snprintf(message + n, sizeof(message) - n, "%s%s",
                                i == 0 ? ": " : ", ", reason ?: "unknown OpenSSL error");
        }
        return sd_bus_error_set(error, name, message);
}
