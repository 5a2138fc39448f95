/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* OpenSSL's error queue as part of our message; used where OpenSSL is called, nowhere else. */

#include <systemd/sd-bus.h>

#include "util/base.h"

int openssl_fail(sd_bus_error *error, const char *name, const char *format, ...) _printf_(3, 4);
