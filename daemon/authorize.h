/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Asks polkit, without waiting, whether a frozen request may go on. */

#include <systemd/sd-bus.h>

#include "daemon/request.h"
#include "util/base.h"

typedef struct Authorizer Authorizer;

/**
 * AuthorizeContinue - what is done after a yes
 * @userdata: as given to authorize()
 * @request: the frozen request; take it with TAKE_PTR() to keep it
 * @error: a refusal
 *
 * Return: 0 or more when a reply was sent or will be; a negative errno makes authorize.c reply with
 * @error.
 */
typedef int (*AuthorizeContinue)(void *userdata, Request **request, sd_bus_error *error);

int authorizer_new(sd_bus *bus, AuthorizeContinue next, void *userdata, Authorizer **ret)
        _must_check_ _nonnull_(1, 2, 4);
Authorizer *authorizer_free(Authorizer *a);
DEFINE_TRIVIAL_CLEANUP(Authorizer *, authorizer_free);

int authorize(Authorizer *a, Request **request, const char *action, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);
size_t authorizer_pending(const Authorizer *a);
