/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the patch module of a bundle says about itself: found by the worker that admits the bundle, and
 * told to the daemon as a few KEY=VALUE lines, so that the daemon never looks at an ELF file.
 */

#include "livepatch/inspect.h"
#include "util/base.h"

/**
 * struct Payload - all strings owned
 * @build_id: NULL: it has none
 * @signature: that is appended to it
 * @states_known: @states tells all system states; otherwise the module may make some when it is loaded
 * @states: "ID:VERSION"
 */
typedef struct Payload {
        char *build_id;
        ModuleSignature signature;
        bool states_known;
        char **states;
} Payload;

int payload_write(const ModuleInfo *info, int output_fd) _must_check_ _nonnull_(1);
int payload_parse(const void *data, size_t size, Payload *ret) _must_check_ _nonnull_(3);
void payload_done(Payload *p);
bool payload_state_is_valid(const char *state) _nonnull_(1);
