/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Write an unsigned bundle around one payload file: bench-bundle ID PAYLOAD BUNDLE
 *
 * Its target is a kernel that runs nowhere, so such a bundle can be verified and staged, and never
 * applied. hotpatchctl would refuse to pack what is not a kernel module; time depends on size alone.
 */

#include <fcntl.h>

#include "bundle/manifest.h"
#include "bundle/pack.h"
#include "dbus/errors.h"

#define BUILD_ID "0000000000000000000000000000000000000000"

static int pack(const char *id, const char *payload, const char *path, sd_bus_error *error) {
        _cleanup_close_ int in = open(payload, O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        char *functions[] = { (char *) "bench", NULL }, *none[] = { NULL };
        ManifestObject object = { .name = (char *) "vmlinux", .functions = functions };
        ManifestTarget target = {
                .arch = (char *) "x86_64", .release = (char *) "0.0.0-bench", .build_id = (char *) BUILD_ID,
                .member = (char *) "bench.ko", .module = (char *) "bench", .objects = &object, .n_objects = 1,
        };
        ManifestMember member = { .name = (char *) "bench.ko", .role = MEMBER_PATCH_MODULE };
        Manifest m = {
                .id = (char *) id, .title = (char *) "For measuring", .severity = SEVERITY_LOW,
                .kind = MANIFEST_HOTPATCH, .stream = (char *) "bench", .sequence = 1,
                .created_usec = UINT64_C(1793491200) * USEC_PER_SEC,
                .requires = none, .conflicts = none, .supersedes = none,
                .targets = &target, .n_targets = 1, .members = &member, .n_members = 1,
        };
        int r;

        if (in < 0 || out < 0)
                return -errno;
        r = pack_describe(in, &member, error);
        return r < 0 ? r : pack_write(out, &m, &in, error);
}

int main(int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (argc != 4)
                return fprintf(stderr, "usage: bench-bundle ID PAYLOAD BUNDLE\n"), 2;
        (void) hotpatch_errors_register();
        r = pack(argv[1], argv[2], argv[3], &error);
        if (r < 0)
                fprintf(stderr, "bench-bundle: %s\n", error.message ?: strerror(-r));
        return r < 0;
}
