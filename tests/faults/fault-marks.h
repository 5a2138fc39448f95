/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How the made-up kernel of hotpatchd-test shows fault-tracer where it begins and ends: by closing
 * descriptors that nobody can have. What is between is one system call for whoever is traced. A begin that
 * does not fail with EBADF was made to fail, and so must the call that it stands for.
 */

#define FAULT_MARK 0x7fff4700U
#define FAULT_INSERT 0x7fff4701U
#define FAULT_REMOVE 0x7fff4702U
#define FAULT_LEAVE 0x7fff4703U
