/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A VEX statement without a version is about all versions. So the kernel is called a Debian package only where it says
 * itself which version of the package it was built from: in what `uname -v` prints, which is about the kernel that runs,
 * while dpkg knows the one that was installed last under that name. Every other kernel is `pkg:generic/linux` with its
 * release and its build-id, which no scanner of packages takes for a package.
 *
 * https://github.com/package-url/purl-spec: characters other than letters, digits and `.-_~` are percent-encoded, also
 * in names and versions; qualifiers are sorted. There is no qualifier `distro`: scanners fill it in different ways, and
 * one that does not match makes the statement be about something else.
 */

#include <ctype.h>
#include <stdio.h>

#include "ctl/product.h"

/* The value of a line of os-release(5) without its quotes, if it is a word as ID= has to be. */
static char *id_word(const char *value, size_t size) {
        if (size >= 2 && (*value == '"' || *value == '\'') && value[size - 1] == *value) {
                value++;
                size -= 2;
        }
        for (size_t i = 0; i < size; i++)
                if (!islower((unsigned char) value[i]) && !isdigit((unsigned char) value[i]) && !strchr("._-", value[i]))
                        size = 0;
        return strndup(size > 0 ? value : "linux", size > 0 ? size : strlen("linux"));
}

/**
 * os_release_id() - ID= of os-release(5)
 * @text: the file
 * @ret: "linux" when there is none, as the manual says; owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int os_release_id(const char *text, char **ret) {
        const char *id = "linux";
        size_t size = strlen(id);

        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                const char *value = startswith(line, "ID=");

                if (value) { /* the last one counts, as in a shell */
                        id = value;
                        size = strcspn(value, "\n");
                }
        }
        *ret = id_word(id, size);
        return *ret ? 0 : -ENOMEM;
}

static void print_encoded(FILE *f, const char *text) {
        for (; *text; text++)
                if (isalnum((unsigned char) *text) || strchr(".-_~", *text))
                        fputc(*text, f);
                else
                        fprintf(f, "%%%02X", (unsigned char) *text);
}

/* Debian's names of architectures. */
static const char *debian_arch(const char *machine) {
        static const char *const names[][2] = {
                { "x86_64", "amd64" }, { "aarch64", "arm64" }, { "ppc64le", "ppc64el" }, { "s390x", "s390x" },
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (streq(names[i][0], machine))
                        return names[i][1];
        return NULL;
}

/* "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-1 (2026-11-01)": the word behind "Debian". */
static char *debian_version(const char *uname_version) {
        const char *p = strstr(uname_version, " Debian ");
        size_t size;

        if (!p)
                return NULL;
        p += strlen(" Debian ");
        size = strcspn(p, " ");
        return size > 0 && isdigit((unsigned char) *p) ? strndup(p, size) : NULL;
}

static void print_debian(FILE *f, const char *release, const char *version, const char *arch) {
        fputs("pkg:deb/debian/linux-image-", f);
        print_encoded(f, release);
        fputc('@', f);
        print_encoded(f, version);
        fprintf(f, "?arch=%s", arch);
}

static void print_generic(FILE *f, const KernelFacts *k) {
        fputs("pkg:generic/linux@", f);
        print_encoded(f, k->release);
        fputs("?arch=", f);
        print_encoded(f, k->arch);
        if (*k->build_id) {
                fputs("&build_id=", f);
                print_encoded(f, k->build_id);
        }
}

/**
 * product_purl() - the package URL of the running kernel
 * @os_id: os_release_id() of this machine
 * @ret: owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int product_purl(const char *os_id, const KernelFacts *k, char **ret) {
        _cleanup_free_ char *version = debian_version(k->version), *text = NULL;
        const char *arch = debian_arch(k->arch);
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        if (streq(os_id, "debian") && version && arch)
                print_debian(f, k->release, version, arch);
        else
                print_generic(f, k);
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}
