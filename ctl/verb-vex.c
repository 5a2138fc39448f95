/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl vex`: what is fixed in the running kernel, for scanners that go by the version of its package. The facts
 * are those of GetStatus(); which product the kernel is, this machine's own files say.
 */

#include <fcntl.h>
#include <systemd/sd-id128.h>
#include <time.h>

#include <config.h> /* the build's */
#include "ctl/call.h"
#include "ctl/output.h"
#include "ctl/product.h"
#include "ctl/text.h"
#include "ctl/vex.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"

/* systemd-id128 new: another id of this machine for each purpose, see sd_id128_get_machine_app_specific(3). */
#define VEX_APPLICATION SD_ID128_MAKE(5c, 0e, 7b, 1d, 64, 9f, 4a, 53, 8e, 21, f7, 0b, 3c, 92, d6, 18)

/* /etc/os-release is a link to the other one as a rule. */
static int read_os_id(char **ret) {
        static const char *const paths[] = { "/etc/os-release", "/usr/lib/os-release" };
        _cleanup_free_ void *text = NULL;

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                if (file_read_at(AT_FDCWD, paths[i], HOTPATCH_OS_RELEASE_MAX, &text, NULL) >= 0)
                        return os_release_id(text, ret);
        return os_release_id("", ret);
}

static int read_purl(const Value *status, char **ret) {
        const Value *kernel = value_get(status, "kernel");
        _cleanup_free_ char *os_id = NULL;
        int r = read_os_id(&os_id);

        return r < 0 ? r : product_purl(os_id, &(KernelFacts) {
                .release = strempty(value_string(kernel, "release")),
                .arch = strempty(value_string(kernel, "arch")),
                .version = strempty(value_string(kernel, "version")),
                .build_id = strempty(value_string(kernel, "build_id")),
        }, ret);
}

static int read_host(char **ret) {
        char name[HOST_NAME_MAX + 1] = "";

        if (gethostname(name, sizeof(name) - 1) < 0 || *name == '\0')
                strcpy(name, "localhost");
        *ret = text_line(name);
        return *ret ? 0 : -ENOMEM;
}

static int read_ids(char document[static SD_ID128_UUID_STRING_MAX], char machine[static SD_ID128_UUID_STRING_MAX]) {
        sd_id128_t random, app = VEX_APPLICATION;
        int r = sd_id128_randomize(&random);

        if (r < 0)
                return r;
        /* A machine without an id is known by its name only. */
        if (sd_id128_get_machine_app_specific(VEX_APPLICATION, &app) < 0)
                app = VEX_APPLICATION;
        sd_id128_to_uuid_string(random, document);
        sd_id128_to_uuid_string(app, machine);
        return 0;
}

static int make(const Ctl *ctl, const Value *status, Value **ret, sd_bus_error *error) {
        char document[SD_ID128_UUID_STRING_MAX], machine[SD_ID128_UUID_STRING_MAX];
        _cleanup_free_ char *purl = NULL, *host = NULL, *author = NULL;
        VexFacts f = { .status = status, .tool = "hotpatchctl " HOTPATCH_VERSION };
        int r;

        if (vex_is_empty(&f))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NothingFixed"),
                        "Nothing is fixed in the running kernel by a hotpatch");
        r = read_purl(status, &purl);
        if (r >= 0)
                r = read_host(&host);
        if (r >= 0)
                r = read_ids(document, machine);
        if (r < 0)
                return r;
        if (str_printf(&author, "Administrators of %s", host) < 0)
                return -ENOMEM;
        f.author = ctl->author ?: author;
        f.host = host;
        f.document_id = document;
        f.machine_id = machine;
        f.purl = purl;
        f.now_usec = (uint64_t) time(NULL) * USEC_PER_SEC;
        return ctl->csaf ? vex_csaf(&f, ret) : vex_openvex(&f, ret);
}

int verb_vex(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_value_ Value *status = NULL, *document = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        r = call_status(ctl, &status, &error);
        if (r >= 0)
                r = make(ctl, status, &document, &error);
        if (r >= 0)
                r = value_to_text(ctl, document, &text);
        if (r >= 0)
                r = output_write(ctl, text, &error);
        return r < 0 ? ctl_fail(ctl, NULL, &error, r) : HOTPATCH_EXIT_OK;
}
