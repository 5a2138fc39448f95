/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the running configuration builds.
 *
 * Kbuild's makefiles are programs in make's language, so make reads them: with the kernel's own top
 * makefile for the variables that it exports, then folder by folder with a small makefile of ours,
 * which includes the folder's after include/config/auto.conf and says what obj-y, obj-m and lib-y came
 * to. It follows the same rules as scripts/Makefile.lib (composite objects by -objs, -y and -m; a
 * folder reached as a module has modules only), and builds nothing.
 *
 * It takes 3 s for the 700 folders of a cloud kernel. The tree does not change once it is prepared, so
 * the answer is kept with the objects.
 */

#include "builder/source/objects-list.h"

#include <fcntl.h>

#include "builder/run.h"
#include "builder/source/folder.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

/* In the first line of the file; goes up with every change of the makefile below. */
#define LIST_VERSION "hotpatch objects 3"

/*
 * --no-print-directory keeps the Makefile of 6.12 from calling itself without ours.
 *
 * hp-kind is what the folder was reached as. The lines said are
 *   hp O MODULE OBJECT, hp I FOLDER INCLUDED-FOLDER, hp P PROGRAM, and at the end of each folder
 *   hp E LINES-BEFORE FOLDERS-BELOW.
 * subdir-y folders hold what is not linked into the kernel or a module.
 *
 * Several makes write to one pipe, line by line. make 4.3 writes the end of an $(info) line apart from the
 * line, hence newlines of our own; and the E lines are there so that a line that was lost all the same
 * is noticed: an object that is not in the list would be missing in a hotpatch.
 */
static const char list_makefile[] =
        "ifndef hp-kind\n"
        ".PHONY: hotpatch-list\n"
        "hotpatch-list:\n"
        "\t+@$(MAKE) --no-print-directory -rR -f $(hp-file) hp-dir=. hp-kind=y hp-include= hotpatch-list\n"
        "else\n"
        "hp-prefix := $(if $(filter-out .,$(hp-dir)),$(hp-dir)/)\n"
        "src := $(hp-dir)\n"
        "obj := $(hp-dir)\n"
        "obj-y :=\n"
        "obj-m :=\n"
        "lib-y :=\n"
        "lib-m :=\n"
        "ccflags-y :=\n"
        "subdir-ccflags-y :=\n"
        "hostprogs :=\n"
        ".PHONY: hotpatch-list\n"
        "hotpatch-list:\n"
        "\t@:\n"
        "include include/config/auto.conf\n"
        "include scripts/Kbuild.include\n"
        "include $(or $(wildcard $(hp-dir)/Kbuild),$(hp-dir)/Makefile)\n"
        "define hp-newline\n"
        "\n"
        "\n"
        "endef\n"
        "hp-suffixes = $(strip $(foreach s,$2,$($(1:.o=$s))))\n"
        "hp-parts = $(filter %.o,$(if $(call hp-suffixes,$1,$2 -),$(call hp-suffixes,$1,$2),$1))\n"
        "hp-lib := $(if $(filter $(hp-dir)/,$(ARCH_LIB)),$(lib-y) $(lib-m))\n"
        "hp-lines := $(if $(filter y,$(hp-kind)),$(foreach o,$(sort $(filter %.o,$(obj-y) $(hp-lib))),\\\n"
        "  $(foreach p,$(call hp-parts,$o,-objs -y),O:vmlinux:$(hp-prefix)$p)))\n"
        "hp-lines += $(foreach o,$(filter %.o,$(filter-out $(obj-y),$(sort $(obj-m)))),\\\n"
        "  $(foreach p,$(call hp-parts,$o,-objs -y -m),O:$(basename $(notdir $o)):$(hp-prefix)$p))\n"
        "hp-included = $(filter -I%,$(subst -I ,-I,$($1)))\n"
        "hp-inherited := $(hp-include) $(call hp-included,subdir-ccflags-y)\n"
        "hp-lines += $(patsubst -I%,I:$(hp-dir):%,$(sort $(hp-inherited) $(foreach v,ccflags-y EXTRA_CFLAGS \\\n"
        "  $(filter CFLAGS_%.o,$(.VARIABLES)),$(call hp-included,$v))))\n"
        "hp-lines += $(foreach p,$(sort $(hostprogs) $(hostprogs-y) $(hostprogs-always-y) $(userprogs)),\\\n"
        "  $(foreach o,$(or $($p-objs),$p),P:$(hp-prefix)$(o:.o=)))\n"
        "hp-down-y := $(sort $(patsubst %/,%,$(filter %/,$(obj-y))))\n"
        "hp-down-m := $(filter-out $(hp-down-y),$(sort $(patsubst %/,%,$(filter %/,$(obj-m)))))\n"
        "hp-down := $(addprefix hp-y/,$(hp-down-y)) $(addprefix hp-m/,$(hp-down-m))\n"
        "$(foreach l,$(hp-lines) E:$(words $(hp-lines)):$(words $(hp-down)),\\\n"
        "  $(info $(hp-newline)hp $(subst :, ,$l)$(hp-newline)))\n"
        ".PHONY: $(hp-down)\n"
        "hotpatch-list: $(hp-down)\n"
        "$(hp-down): hp-%:\n"
        "\t+@$(MAKE) --no-print-directory -rR -f $(hp-file) hp-dir=$(hp-prefix)$(if $(filter y/%,$*),$(*:y/%=%),$(*:m/%=%)) \\\n"
        "\t  hp-kind=$(if $(filter y/%,$*),$(hp-kind),m) 'hp-include=$(hp-inherited)' hotpatch-list\n"
        "endif\n";

/**
 * path_normalize() - take "." and "DIR/.." out of a path that is below a folder
 * @ret: free with free()
 *
 * Return: 0, -EINVAL for an absolute path or one that leads out of the folder, or -ENOMEM.
 */
int path_normalize(const char *path, char **ret) {
        _cleanup_free_ char *s = malloc(strlen(path) + 1);
        size_t n = 0;

        if (!s)
                return -ENOMEM;
        if (*path == '/')
                return -EINVAL;
        while (*path) {
                size_t l = strcspn(path, "/");

                if (l == 2 && startswith(path, "..")) {
                        if (n == 0)
                                return -EINVAL;
                        while (n > 0 && s[--n] != '/')
                                ;
                } else if (l > 0 && !(l == 1 && *path == '.')) {
                        if (n > 0)
                                s[n++] = '/';
                        memcpy(s + n, path, l);
                        n += l;
                }
                path += l + (path[l] == '/');
        }
        s[n] = '\0';
        *ret = TAKE_PTR(s);
        return 0;
}

/* Lines of make's that are shown when it fails. */
#define COMPLAINTS_MAX 8U

typedef struct Heard {
        FILE *f;
        size_t lines;            /* heard */
        size_t folders;          /* heard of, at their ends */
        size_t announced_lines;
        size_t announced_folders;
        unsigned complaints;
} Heard;

static void hear_line(const char *line, void *userdata) {
        Heard *h = userdata;
        size_t lines, below;

        if (sscanf(line, "hp E %zu %zu", &lines, &below) == 2) {
                h->folders++;
                h->announced_lines += lines;
                h->announced_folders += below;
        } else if (startswith(line, "hp ")) {
                h->lines++;
                fprintf(h->f, "%s\n", line + strlen("hp "));
        }
        else if (strstr(line, "***") && h->complaints++ < COMPLAINTS_MAX)
                fprintf(stderr, "%s\n", line);
}

static int make_list(const Tree *t, const char *shadow, const char *work, char **ret, size_t *ret_size,
                sd_bus_error *error) {
        _cleanup_free_ char *makefile = path_join(work, "list.mk"), *text = NULL;
        _cleanup_free_ char *cc = NULL, *file = NULL, *jobs = NULL;
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        size_t size;
        Heard h = { .announced_folders = 1 };
        int r;

        if (!makefile || str_printf(&cc, "CC=%s", t->compiler) < 0 || str_printf(&file, "hp-file=%s", makefile) < 0 ||
                        str_printf(&jobs, "-j%ld", cpus > 0 ? cpus : 1) < 0)
                return -ENOMEM;
        r = folder_write(makefile, list_makefile, strlen(list_makefile));
        if (r < 0)
                return r;
        h.f = open_memstream(&text, &size);
        if (!h.f)
                return -ENOMEM;
        fprintf(h.f, LIST_VERSION " %s\n", t->config_sha256);
        r = run_program(&(Run) {
                .arguments = (char *const[]) { (char *) "make", jobs, (char *) "--no-print-directory", (char *) "-f",
                        (char *) "Makefile", (char *) "-f",
                        makefile, (char *) "-o", (char *) "prepare", cc, file, (char *) "hotpatch-list", NULL },
                .folder = shadow,
                .line = hear_line,
                .userdata = &h,
        });
        if (fclose(h.f) != 0)
                return -ENOMEM;
        if (r < 0)
                return r;
        if (r > 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The makefiles of kernel '%s' do not say what they build", t->release);
        if (h.lines != h.announced_lines || h.folders != h.announced_folders)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The makefiles of kernel '%s' announced %zu lines in %zu folders and said %zu in %zu",
                        t->release, h.announced_lines, h.announced_folders, h.lines, h.folders);
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}

static int read_list(const Tree *t, char **ret) {
        _cleanup_free_ char *path = path_join(t->objects, "objects.list"), *expected = NULL;
        _cleanup_free_ void *text = NULL;
        int r;

        if (!path || str_printf(&expected, LIST_VERSION " %s\n", t->config_sha256) < 0)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, path, HOTPATCH_OBJECT_LIST_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (!startswith(text, expected))
                return 0;
        *ret = TAKE_PTR(text);
        return 1;
}

static int keep_list(const Tree *t, const char *text, size_t size) {
        _cleanup_close_ int dir = open(t->objects, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (dir < 0)
                return -errno;
        return file_replace_at(dir, "objects.list", text, size, 0644);
}

static int add_object(ObjectList *l, char *module, const char *target) {
        ListedObject o = { .target = target };
        int r;

        r = path_normalize(target, &o.path);
        if (r < 0)
                return r;
        o.module = strdup(module);
        if (!o.module) {
                free(o.path);
                return -ENOMEM;
        }
        for (char *c = o.module; *c; c++) /* scripts/Makefile.lib, name-fix-token */
                if (*c == '-' || *c == ',')
                        *c = '_';
        l->objects[l->n_objects++] = o;
        return 0;
}

static int add_include(ObjectList *l, const char *folder, const char *include) {
        ListedFolder i = { .folder = folder };
        int r;

        r = path_normalize(include, &i.include);
        if (r == -EINVAL)
                return 0; /* the compiler's own headers */
        if (r < 0)
                return r;
        l->includes[l->n_includes++] = i;
        return 0;
}

static int add_line(ObjectList *l, char *line) {
        char *kind = strsep(&line, " "), *a = strsep(&line, " "), *b = strsep(&line, " ");
        _cleanup_free_ char *program = NULL;
        int r;

        if (*kind == 'O' && a && b)
                return add_object(l, a, b);
        if (*kind == 'I' && a && b)
                return add_include(l, a, b);
        if (*kind != 'P' || !a)
                return 0;
        r = path_normalize(a, &program);
        return r < 0 ? r : strv_extend(&l->programs, program);
}

static int compare_objects(const void *a, const void *b) {
        const ListedObject *x = a, *y = b;
        int r = strcmp(x->path, y->path);

        return r != 0 ? r : strcmp(x->module, y->module);
}

static int parse_list(ObjectList *l) {
        size_t lines = 1;
        char *rest;
        int r;

        for (const char *c = l->text; *c; c++)
                lines += *c == '\n';
        l->objects = calloc(lines, sizeof(*l->objects));
        l->includes = calloc(lines, sizeof(*l->includes));
        if (!l->objects || !l->includes)
                return -ENOMEM;
        rest = l->text;
        (void) strsep(&rest, "\n");
        for (char *line; (line = strsep(&rest, "\n"));) {
                r = add_line(l, line);
                if (r < 0)
                        return r;
        }
        qsort(l->objects, l->n_objects, sizeof(*l->objects), compare_objects);
        return 0;
}

/**
 * object_list_open() - all objects of a kernel
 * @t: prepared tree; the list is kept in its folder of objects
 * @shadow: a shadow of it; Kbuild tries compiler options with temporary files there
 * @work: folder for a makefile
 * @ret: free with object_list_free()
 * @error: ModuleBuildFailed, after make's lines went to standard error
 *
 * Return: 0 or a negative errno.
 */
int object_list_open(const Tree *t, const char *shadow, const char *work, ObjectList **ret, sd_bus_error *error) {
        _cleanup_object_list_free_ ObjectList *l = calloc(1, sizeof(*l));
        size_t size = 0;
        int r;

        if (!l)
                return -ENOMEM;
        r = read_list(t, &l->text);
        if (r < 0)
                return r;
        if (r == 0) {
                r = make_list(t, shadow, work, &l->text, &size, error);
                if (r < 0)
                        return r;
                r = keep_list(t, l->text, size);
                if (r < 0)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                                "Cannot write '%s/objects.list': %s", t->objects, strerror(-r));
        }
        r = parse_list(l);
        if (r < 0)
                return r;
        if (l->n_objects == 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The makefiles of kernel '%s' build nothing", t->release);
        *ret = TAKE_PTR(l);
        return 0;
}

/** object_list_free() - free it; NULL is fine. Returns NULL. */
ObjectList *object_list_free(ObjectList *l) {
        if (!l)
                return NULL;
        for (size_t i = 0; i < l->n_objects; i++) {
                free(l->objects[i].path);
                free(l->objects[i].module);
        }
        for (size_t i = 0; i < l->n_includes; i++)
                free(l->includes[i].include);
        free(l->objects);
        free(l->includes);
        strv_free(l->programs);
        free(l->text);
        free(l);
        return NULL;
}

/**
 * object_list_find() - an object by its path
 * @path: without ".."
 * @ret_n: number of entries: more than one when several modules have it
 *
 * Return: the first entry, or NULL.
 */
const ListedObject *object_list_find(const ObjectList *l, const char *path, size_t *ret_n) {
        size_t low = 0, high = l->n_objects, n = 0;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(l->objects[middle].path, path) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        while (low + n < l->n_objects && streq(l->objects[low + n].path, path))
                n++;
        *ret_n = n;
        return n > 0 ? l->objects + low : NULL;
}
