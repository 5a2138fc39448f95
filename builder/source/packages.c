/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which packages make up a kernel.
 *
 * Everything is asked of apt by name, so that the machine's own archives, mirrors and keys count, and
 * nothing is installed. The version of the image package leads: the headers have the same, and they name
 * the version of the source they were built from. linux-source-X.Y must be there in exactly that version;
 * a near one would compile and be wrong. The signed image's own Source field is no help, it names
 * the package of the signatures.
 */

#include "builder/source/packages.h"

#include <ctype.h>

#include "builder/run.h"
#include "dbus/errors.h"
#include "util/str.h"
#include "util/strv.h"

static void package_done(Package *p) {
        free(p->name);
        free(p->version);
        free(p->source);
        free(p->source_version);
        free(p->depends);
}

/** package_list_done() - free what is in it */
void package_list_done(PackageList *l) {
        for (size_t i = 0; i < l->n; i++)
                package_done(&l->items[i]);
        free(l->items);
        *l = (PackageList) {};
}

static int list_add(PackageList *l) {
        Package *grown = reallocarray(l->items, l->n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        l->items = grown;
        l->items[l->n++] = (Package) {};
        return 0;
}

static int set(char **field, const char *value, size_t length) {
        char *copy = strndup(value, length);

        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

/* "linux-signed-amd64 (6.1.176+1)" or a name only */
static int set_source(Package *p, const char *value) {
        const char *open = strchr(value, '(');
        int r;

        r = set(&p->source, value, strcspn(value, " ("));
        if (r < 0 || !open)
                return r;
        return set(&p->source_version, open + 1, strcspn(open + 1, ")"));
}

/**
 * package_list_line() - read one more line of what `apt-cache show` or `dpkg-deb -f` writes
 *
 * Return: 0 or a negative errno. Lines that are none of ours are passed over.
 */
int package_list_line(PackageList *l, const char *line) {
        const char *value;
        Package *p;

        value = startswith(line, "Package: ");
        if (value) {
                int r = list_add(l);

                return r < 0 ? r : set(&l->items[l->n - 1].name, value, strlen(value));
        }
        if (l->n == 0)
                return 0;
        p = &l->items[l->n - 1];
        value = startswith(line, "Version: ");
        if (value)
                return set(&p->version, value, strlen(value));
        value = startswith(line, "Source: ");
        if (value)
                return set_source(p, value);
        value = startswith(line, "Depends: ");
        if (value)
                return set(&p->depends, value, strlen(value));
        value = startswith(line, "Size: ");
        if (value)
                p->size = strtoull(value, NULL, 10);
        return 0;
}

/* A package of that name and, unless NULL, version; NULL: none */
static const Package *find_package(const PackageList *l, const char *name, const char *version) {
        for (size_t i = 0; i < l->n; i++)
                if (streq_ptr(l->items[i].name, name) && l->items[i].version &&
                                (!version || streq(l->items[i].version, version)))
                        return &l->items[i];
        return NULL;
}

static int list_copy(PackageList *l, const Package *p) {
        Package *new;
        int r;

        r = list_add(l);
        if (r < 0)
                return r;
        new = &l->items[l->n - 1];
        new->size = p->size;
        r = set(&new->name, p->name, strlen(p->name));
        if (r >= 0)
                r = set(&new->version, p->version, strlen(p->version));
        return r;
}

typedef struct Query {
        PackageList list;
        char *complaint;
        int r;
} Query;

static void query_done(Query *q) {
        package_list_done(&q->list);
        free(q->complaint);
}

static void query_line(const char *line, void *userdata) {
        Query *q = userdata;
        int r;

        if (startswith(line, "E: ")) {
                free(q->complaint);
                q->complaint = strdup(line + 3);
        }
        r = package_list_line(&q->list, line);
        if (r < 0)
                q->r = r;
}

/* Every version of a package that apt knows, newest first (apt-cache's own order). Knowing none is no
 * error here. */
static int query(const char *name, Query *q, sd_bus_error *error) {
        int r;

        r = run_program(&(Run) {
                .arguments = (char *const[]) { (char *) "apt-cache", (char *) "show", (char *) name, NULL },
                .line = query_line,
                .userdata = q,
        });
        if (r == 127)
                return sd_bus_error_set(error, HOTPATCH_ERROR("KernelPackageMissing"),
                        "There is no 'apt-cache' on this machine to find the kernel's packages with");
        return r < 0 ? r : q->r;
}

static int refuse_missing(const char *name, const char *version, const Query *q, sd_bus_error *error) {
        _cleanup_free_ char *others = strdup("");

        for (size_t i = 0; i < q->list.n && others; i++) {
                char *longer;

                if (!streq_ptr(q->list.items[i].name, name))
                        continue;
                if (str_printf(&longer, "%s%s%s", others, *others ? ", " : "",
                                    strempty(q->list.items[i].version)) < 0)
                        return -ENOMEM;
                free(others);
                others = longer;
        }
        if (!others)
                return -ENOMEM;
        if (!*others || !version)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelPackageMissing"),
                        "apt does not know a package '%s'", name);
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelPackageMissing"),
                "apt does not know '%s' in version '%s', only in %s", name, version, others);
}

static int find_one(const char *name, const char *version, PackageList *to, Query *q, sd_bus_error *error) {
        const Package *p;
        int r;

        r = query(name, q, error);
        if (r < 0)
                return r;
        p = find_package(&q->list, name, version);
        if (!p)
                return refuse_missing(name, version, q, error);
        return list_copy(to, p);
}

/* "linux-kbuild-6.1 (>= 6.1.176-1)": the kernel's own version of it where apt has that, for it must be one
 * that suits; else the newest, as apt-get install would take. */
static int find_dependency(const char *name, const char *version, PackageList *to, sd_bus_error *error) {
        _cleanup_(query_done) Query q = {};
        const Package *p;
        int r;

        r = query(name, &q, error);
        if (r < 0)
                return r;
        p = find_package(&q.list, name, version) ?: find_package(&q.list, name, NULL);
        if (!p)
                return refuse_missing(name, version, &q, error);
        return list_copy(to, p);
}

/* Of all that headers depend on, only the other two parts of them. */
static int find_dependencies(const char *depends, const char *version, PackageList *to, sd_bus_error *error) {
        _cleanup_free_ char *copy = strdup(depends);
        char *item, *rest = copy;

        if (!copy)
                return -ENOMEM;
        while ((item = strsep(&rest, ",|"))) {
                int r;

                item += strspn(item, " ");
                item[strcspn(item, " (:")] = '\0';
                if (!startswith(item, "linux-headers-") && !startswith(item, "linux-kbuild-"))
                        continue;
                r = find_dependency(item, version, to, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int find_headers(const char *release, const char *version, KernelPackages *k, sd_bus_error *error) {
        _cleanup_(query_done) Query q = {};
        _cleanup_free_ char *name = NULL;
        const Package *p;
        const char *source_version;
        int r;

        if (str_printf(&name, "linux-headers-%s", release) < 0)
                return -ENOMEM;
        r = find_one(name, version, &k->headers, &q, error);
        if (r < 0)
                return r;
        p = find_package(&q.list, name, version);
        source_version = p->source_version ?: p->version;
        r = set(&k->version, source_version, strlen(source_version));
        if (r < 0)
                return r;
        return find_dependencies(strempty(p->depends), source_version, &k->headers, error);
}

/**
 * package_source_name() - name of the package that has the source of a kernel
 * @version: of the source, "6.1.176-1"
 * @ret: "linux-source-6.1"; free with free()
 *
 * Return: 0, -EINVAL when that is no version of a kernel, or -ENOMEM.
 */
int package_source_name(const char *version, char **ret) {
        unsigned major, minor;
        int end = 0;

        if (!isdigit((unsigned char) *version) || sscanf(version, "%u.%u%n", &major, &minor, &end) != 2)
                return -EINVAL;
        return str_printf(ret, "linux-source-%u.%u", major, minor);
}

static int find_source(KernelPackages *k, sd_bus_error *error) {
        _cleanup_(query_done) Query q = {};
        _cleanup_free_ char *name = NULL;
        int r;

        r = package_source_name(k->version, &name);
        if (r == -EINVAL)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelPackageMissing"),
                        "'%s' is not the version of a kernel's source", k->version);
        if (r < 0) {
                name = NULL;
                return r;
        }
        return find_one(name, k->version, &k->source, &q, error);
}

/* The signed image, else the unsigned one. */
static int find_image(const char *release, const char *version, PackageList *to, sd_bus_error *error) {
        static const char *const patterns[] = { "", "-unsigned" };

        for (size_t i = 0;; i++) {
                _cleanup_(query_done) Query q = {};
                _cleanup_free_ char *name = NULL;
                const Package *p;
                int r;

                if (str_printf(&name, "linux-image-%s%s", release, patterns[i]) < 0)
                        return -ENOMEM;
                r = query(name, &q, error);
                if (r < 0)
                        return r;
                p = find_package(&q.list, name, version);
                if (p)
                        return list_copy(to, p);
                if (i + 1 == ELEMENTSOF(patterns) || q.list.n > 0) {
                        name[strlen(name) - strlen(patterns[i])] = '\0';
                        return refuse_missing(name, version, &q, error);
                }
        }
}

/**
 * kernel_packages_find() - find the packages of a kernel
 * @release: as uname -r
 * @version: of the image package; NULL: the newest that there is
 * @parts: which are wanted; the lists of the others stay empty
 * @ret: all of one version; kernel_packages_done() when done
 * @error: KernelPackageMissing, naming package and version
 *
 * Return: 0 or a negative errno.
 */
int kernel_packages_find(const char *release, const char *version, KernelPart parts, KernelPackages *ret,
                sd_bus_error *error) {
        _cleanup_(kernel_packages_done) KernelPackages k = {};
        int r = 0;

        if (parts & KERNEL_IMAGE)
                r = find_image(release, version, &k.image, error);
        if (r >= 0 && (parts & KERNEL_HEADERS))
                r = find_headers(release, k.image.n > 0 ? k.image.items[0].version : version, &k, error);
        if (r >= 0 && (parts & KERNEL_SOURCE))
                r = find_source(&k, error);
        if (r < 0)
                return r;
        *ret = k;
        k = (KernelPackages) {};
        return 0;
}

/** kernel_packages_done() - free what is in it */
void kernel_packages_done(KernelPackages *p) {
        free(p->version);
        package_list_done(&p->image);
        package_list_done(&p->headers);
        package_list_done(&p->source);
        *p = (KernelPackages) {};
}
