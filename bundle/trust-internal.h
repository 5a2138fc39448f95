/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What bundle.c needs to see of a Trust; nobody outside bundle/ includes this. */

#include "bundle/signature.h"
#include "bundle/trust.h"

struct Trust {
        TrustPolicy policy;
        SignatureStore *store;
        size_t n_files;
};
