/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The extended key usage that makes a certificate one for signing hotpatch bundles. Not
 * codeSigning: then every code-signing certificate of the same corporate CA could patch kernels.
 *
 * ITU-T X.667 gives each UUID the arc 2.25.<UUID as decimal>, without registration. Ours is UUID
 * cdc3175a-6a4f-4036-b07e-fd687e81fe74, made once for this project.
 */
#define HOTPATCH_EKU_OID "2.25.273504710682178775026163125997623443060"
