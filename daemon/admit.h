/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Admission: a stranger's bytes become a private copy, and the copy a Verified bundle whose module
 * for this kernel was inspected. Three steps: admit_begin() copies, and goes through the hostile bytes, in a worker that
 * they may harm; admit_check_signatures() gives the verdict, in the daemon, because a child's word is not a type;
 * admit_look() parses what is signed, in a worker that was forked after the verdict and inherits it.
 */

#include <systemd/sd-bus.h>

#include "bundle/bundle.h"
#include "daemon/store.h"
#include "livepatch/identity.h"
#include "util/base.h"

/**
 * struct AdmitRequest
 * @source_fd: where the bundle comes from; read from its start
 * @copy_fd: empty private file that receives the copy
 * @root: root directory for trust anchors
 * @policy: what the site demands
 * @now_usec: time certificates are checked against
 * @kernel: the running kernel
 * @load_dir_fd: private directory that receives MODULE.ko when the bundle has a target for this
 *   kernel; -EBADF: the module is inspected and not kept
 * @expected_id: refuse another id; NULL: any
 */
typedef struct AdmitRequest {
        int source_fd;
        int copy_fd;
        const char *root;
        const TrustPolicy *policy;
        uint64_t now_usec;
        const KernelIdentity *kernel;
        int load_dir_fd;
        const char *expected_id;
} AdmitRequest;

int admit_begin(const AdmitRequest *request, sd_bus_error *error) _must_check_ _nonnull_(1);
int admit_check_signatures(int copy_fd, const char *root, const TrustPolicy *policy, uint64_t now_usec,
                Signed **ret, sd_bus_error *error) _must_check_ _nonnull_(2, 3, 5);
int admit_look(const AdmitRequest *request, Signed **s, int output_fd, Verified **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 4);
int admit_copy(const AdmitRequest *request, int output_fd, sd_bus_error *error) _must_check_ _nonnull_(1);
int admit_open(int copy_fd, const char *root, const TrustPolicy *policy, uint64_t now_usec,
                Verified **ret, sd_bus_error *error) _must_check_ _nonnull_(2, 3, 5);
int admit_again(const AdmitRequest *request, int output_fd, Verified **ret, sd_bus_error *error) _must_check_
                _nonnull_(1, 3);
int admit_record(const Verified *v, const KernelIdentity *kernel, uint64_t now_usec, AdmittedRecord *ret)
        _must_check_ _nonnull_(1, 2, 4);
