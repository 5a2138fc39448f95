/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Work that may block (a caller's file, hashing, loading a module) runs in a forked child, so that
 * the event loop never waits. The child shares nothing but descriptors; it answers once, through a
 * pipe, with a result, a named refusal or bytes.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "util/base.h"

typedef struct Worker Worker;

/**
 * WorkerFunction - runs in the child
 * @userdata: as given to worker_start(); a copy-on-write copy
 * @output_fd: bytes written here reach the parent, at most WORKER_OUTPUT_MAX
 * @error: a named refusal for the parent
 *
 * Return: 0 or more on success, negative errno. The child ends with the return.
 */
typedef int (*WorkerFunction)(void *userdata, int output_fd, sd_bus_error *error);

/**
 * WorkerDone - runs in the parent, once, when the child has ended
 * @r: what the function returned; -ETIME after the timeout, -ECHILD when the child died
 * @error: the refusal, not set on success; valid during the call
 * @output: bytes of the child, valid during the call
 *
 * The worker is finished then and still the caller's: worker_free() it, in the callback or later.
 * The callback may free what owns it.
 */
typedef void (*WorkerDone)(void *userdata, int r, const sd_bus_error *error, const void *output, size_t size);

/* Symbol facts of a whole transaction are some 10 KiB, kernel log lines less. */
#define WORKER_OUTPUT_MAX ((size_t) 1024 * 1024)
/* D-Bus: error names are at most 255 bytes. A message may quote the kernel log; longer is cut. */
#define WORKER_ERROR_NAME_MAX ((size_t) 255)
#define WORKER_ERROR_MESSAGE_MAX ((size_t) 16 * 1024)

int worker_start(sd_event *event, const char *name, uint64_t timeout_usec,
                WorkerFunction function, void *function_userdata,
                WorkerDone done, void *done_userdata, Worker **ret)
        _must_check_ _nonnull_(1, 2, 4, 6, 8);
pid_t worker_pid(const Worker *w) _nonnull_(1);
Worker *worker_free(Worker *w); /* kills a running child; @done is not called */
DEFINE_TRIVIAL_CLEANUP(Worker *, worker_free);
