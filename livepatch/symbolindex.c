/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * All functions of the running kernel by name, kept for the rest of the boot.
 *
 * /proc/kallsyms and available_filter_functions are made by the kernel line by line whenever they
 * are read: tenths of a second on a fast machine, seconds on a slow one, and each plan would wait
 * for it. Yet for vmlinux they never change until the next boot, and for a module not as long as a
 * module of that build-id is loaded. So the first question reads them once and keeps what matters
 * in /run/hotpatch/symbols; later ones take microseconds. What does change, who redirects a
 * function right now, is not in here.
 *
 * The file: a header with the boot id, a list of the objects that were there (with build-ids,
 * vmlinux without), and sixteen bytes for each function, sorted: a 64-bit hash of object and name,
 * the number of symbols of that name, whether it is traceable. Two names with the same hash are
 * some hundred million times less likely than a broken disk, and would lead to a wrong preflight,
 * not to a wrong patch: the kernel resolves names by itself. It is a cache of this boot on this
 * machine, so it has the machine's own byte order, and anything odd about it means that it is made
 * again.
 *
 * Only root can write there. Without the directory, or without the right to write, nothing is kept.
 */

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "livepatch/identity.h"
#include "livepatch/lines.h"
#include "livepatch/symbolindex.h"
#include "util/file.h"
#include "util/limits.h"

#define INDEX_DIR "run/hotpatch"
#define INDEX_NAME "symbols"
#define INDEX_MAGIC "hpsyms1\n"
#define BOOT_ID_SIZE 40

typedef struct Header {
        char magic[8];
        char boot_id[BOOT_ID_SIZE];
        uint32_t n_objects;
        uint32_t n_entries;
} Header;

typedef struct Object {
        char name[HOTPATCH_MODULE_NAME_MAX + 1];
        char build_id[136]; /* hexadecimal; empty for vmlinux */
} Object;

typedef struct Entry {
        uint64_t hash;
        uint32_t matches;
        uint16_t is_function;
        uint16_t traceable;
} Entry;

struct SymbolIndex {
        Header header;
        Object *objects;
        Entry *entries; /* sorted by hash */
        size_t room_objects, room_entries;
        void *map; /* the file, when it was loaded; objects and entries are in it */
        size_t map_size;
        int result; /* while it is built: the first error */
};

/** symbol_index_free() - free it. Return: NULL */
SymbolIndex *symbol_index_free(SymbolIndex *i) {
        if (!i)
                return NULL;
        if (i->map)
                (void) munmap(i->map, i->map_size);
        else {
                free(i->objects);
                free(i->entries);
        }
        free(i);
        return NULL;
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_word(uint64_t h, Word w) {
        for (size_t i = 0; i < w.l; i++)
                h = (h ^ (uint8_t) w.s[i]) * UINT64_C(0x100000001b3);
        return h;
}

static uint64_t hash_name(Word object, Word name) {
        uint64_t h = hash_word(UINT64_C(0xcbf29ce484222325), object);

        /* a blank, which is in no name */
        return hash_word(hash_word(h, (Word) { .s = " ", .l = 1 }), name);
}

static int compare_entries(const void *a, const void *b) {
        const Entry *x = a, *y = b;

        return x->hash == y->hash ? 0 : x->hash < y->hash ? -1 : 1;
}

static Entry *entry_find(const SymbolIndex *i, uint64_t hash) {
        Entry key = { .hash = hash };

        return i->header.n_entries == 0 ? NULL :
                bsearch(&key, i->entries, i->header.n_entries, sizeof(key), compare_entries);
}

/* --- making it --- */

static int boot_id_read(const Kernel *k, char ret[static BOOT_ID_SIZE]) {
        _cleanup_free_ char *id = NULL;
        int r = file_read_line_at(kernel_root_fd(k), "proc/sys/kernel/random/boot_id", &id);

        if (r < 0)
                return r;
        if (!*id || strlen(id) >= BOOT_ID_SIZE)
                return -EBADMSG;
        memset(ret, 0, BOOT_ID_SIZE);
        memcpy(ret, id, strlen(id));
        return 0;
}

static int object_add(SymbolIndex *i, const char *name, const char *build_id) {
        Object *o;

        if (strlen(build_id) >= sizeof(o->build_id))
                return -E2BIG;
        if (i->header.n_objects == i->room_objects) {
                size_t room = i->room_objects ? i->room_objects * 2 : 64;
                Object *grown = reallocarray(i->objects, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                i->objects = grown;
                i->room_objects = room;
        }
        o = &i->objects[i->header.n_objects++];
        *o = (Object) { .name = "" };
        memcpy(o->name, name, strlen(name));
        memcpy(o->build_id, build_id, strlen(build_id));
        return 0;
}

/* /proc/modules: "NAME SIZE USERS DEPENDENCIES STATE ADDRESS". Only what is there for good has all
 * its symbols; a module without a build-id would not be known again. */
typedef struct ModulesScan {
        SymbolIndex *index;
        const Kernel *kernel;
} ModulesScan;

static void module_line(void *userdata, const char *line) {
        ModulesScan *scan = userdata;
        _cleanup_free_ char *name = NULL, *build_id = NULL;
        Word module = word_next(&line), state = {};
        int r;

        for (int n = 0; n < 4; n++)
                state = word_next(&line);
        if (scan->index->result < 0 || !word_is(state, "Live"))
                return;
        name = strndup(module.s, module.l);
        if (!name)
                scan->index->result = -ENOMEM;
        else if (kernel_module_build_id(scan->kernel, name, &build_id) >= 0) {
                r = object_add(scan->index, name, build_id);
                if (r < 0)
                        scan->index->result = r;
        }
}

static void kallsyms_line(void *userdata, const char *line) {
        SymbolIndex *i = userdata;
        Word type, name;

        (void) word_next(&line);
        type = word_next(&line);
        name = word_next(&line);
        if (i->result < 0 || name.l == 0)
                return;
        if (i->header.n_entries == i->room_entries) {
                size_t room = i->room_entries ? i->room_entries * 2 : 65536;
                Entry *grown;

                if (i->header.n_entries >= HOTPATCH_KALLSYMS_MAX) {
                        i->result = -E2BIG;
                        return;
                }
                grown = reallocarray(i->entries, room, sizeof(*grown));
                if (!grown) {
                        i->result = -ENOMEM;
                        return;
                }
                i->entries = grown;
                i->room_entries = room;
        }
        i->entries[i->header.n_entries++] = (Entry) {
                .hash = hash_name(word_object(word_next(&line)), name),
                .matches = 1,
                /* nm(1): text, local and global, and weak */
                .is_function = type.l == 1 && strchr("tTwW", type.s[0]),
        };
}

/* One entry for each name that has a function; what is left out has 0 matches. */
static void entries_merge(SymbolIndex *i) {
        size_t n = 0;

        if (i->header.n_entries > 0)
                qsort(i->entries, i->header.n_entries, sizeof(*i->entries), compare_entries);
        for (size_t from = 0, to; from < i->header.n_entries; from = to) {
                Entry e = i->entries[from];

                for (to = from + 1; to < i->header.n_entries && i->entries[to].hash == e.hash;
                                to++) {
                        e.matches++;
                        e.is_function |= i->entries[to].is_function;
                }
                if (e.is_function)
                        i->entries[n++] = e;
        }
        i->header.n_entries = (uint32_t) n;
}

static void traceable_line(void *userdata, const char *line) {
        SymbolIndex *i = userdata;
        Word name = word_next(&line);
        Entry *e = entry_find(i, hash_name(word_object(word_next(&line)), name));

        if (e)
                e->traceable = true;
}

static bool object_is_there(const Object *o, const Kernel *k) {
        _cleanup_free_ char *build_id = NULL;

        return !*o->build_id || (kernel_module_build_id(k, o->name, &build_id) >= 0 &&
                        streq(o->build_id, build_id));
}

/* A module that was unloaded between the lists has no symbols in here, or only some; it is not covered. */
static void objects_drop_gone(SymbolIndex *i, const Kernel *k) {
        uint32_t n = 0;

        for (uint32_t from = 0; from < i->header.n_objects; from++)
                if (object_is_there(&i->objects[from], k))
                        i->objects[n++] = i->objects[from];
        i->header.n_objects = n;
}

/**
 * symbol_index_build() - read the kernel's lists
 * @tracefs_fd: the directory with available_filter_functions
 * @ret: to be freed with symbol_index_free()
 *
 * Return: 0 or a negative errno.
 */
int symbol_index_build(const Kernel *k, int tracefs_fd, SymbolIndex **ret) {
        _cleanup_symbol_index_free_ SymbolIndex *i = calloc(1, sizeof(*i));
        ModulesScan modules = { .index = i, .kernel = k };
        int r;

        if (!i)
                return -ENOMEM;
        memcpy(i->header.magic, INDEX_MAGIC, sizeof(i->header.magic));
        r = boot_id_read(k, i->header.boot_id);
        if (r < 0 && r != -ENOENT)
                return r;
        r = object_add(i, "vmlinux", "");
        if (r < 0)
                return r;
        /* First: a module that comes later is not covered, though its symbols may be. */
        r = lines_scan(kernel_root_fd(k), "proc/modules", module_line, &modules);
        if (r < 0 && r != -ENOENT)
                return r;
        r = lines_scan(kernel_root_fd(k), "proc/kallsyms", kallsyms_line, i);
        if (r >= 0)
                r = i->result;
        if (r < 0)
                return r;
        entries_merge(i);
        r = lines_scan(tracefs_fd, "available_filter_functions", traceable_line, i);
        if (r < 0)
                return r;
        objects_drop_gone(i, k);
        *ret = TAKE_PTR(i);
        return 0;
}

/* --- keeping it --- */

/**
 * symbol_index_save() - keep it for the rest of the boot
 *
 * Return: 0, -ENOENT without /run/hotpatch or a boot id, -EWOULDBLOCK while somebody else is about
 * to keep his, or another negative errno.
 */
int symbol_index_save(const Kernel *k, const SymbolIndex *i) {
        _cleanup_close_ int dir = openat(kernel_root_fd(k), INDEX_DIR,
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_free_ uint8_t *file = NULL;
        size_t objects = i->header.n_objects * sizeof(*i->objects);
        size_t entries = i->header.n_entries * sizeof(*i->entries);

        if (dir < 0)
                return -errno;
        if (!*i->header.boot_id)
                return -ENOENT;
        /* file_replace_at() has one temporary name; the lock ends with the descriptor. */
        if (flock(dir, LOCK_EX | LOCK_NB) < 0)
                return -errno;
        file = malloc(sizeof(i->header) + objects + entries);
        if (!file)
                return -ENOMEM;
        memcpy(file, &i->header, sizeof(i->header));
        memcpy(file + sizeof(i->header), i->objects, objects);
        if (entries > 0)
                memcpy(file + sizeof(i->header) + objects, i->entries, entries);
        return file_replace_at(dir, INDEX_NAME, file, sizeof(i->header) + objects + entries, 0600);
}

/* Whether a mapped file is one of ours, of this boot, and whole. */
static int map_check(const Kernel *k, SymbolIndex *i) {
        char boot_id[BOOT_ID_SIZE];
        int r;

        memcpy(&i->header, i->map, sizeof(i->header));
        r = boot_id_read(k, boot_id);
        if (r < 0)
                return r;
        if (memcmp(i->header.magic, INDEX_MAGIC, sizeof(i->header.magic)) != 0 ||
                        memcmp(i->header.boot_id, boot_id, sizeof(boot_id)) != 0 ||
                        i->header.n_entries > HOTPATCH_KALLSYMS_MAX ||
                        i->header.n_objects > HOTPATCH_KALLSYMS_MAX ||
                        i->map_size != sizeof(i->header) + i->header.n_objects * sizeof(Object) +
                                                        i->header.n_entries * sizeof(Entry))
                return -ESTALE;
        i->objects = (Object *) ((uint8_t *) i->map + sizeof(i->header));
        i->entries = (Entry *) (i->objects + i->header.n_objects);
        return 0;
}

/**
 * symbol_index_load() - the one that was kept
 * @ret: to be freed with symbol_index_free()
 *
 * Return: 0, -ENOENT when there is none, -ESTALE when it is not of this boot or not whole, or
 * another negative errno.
 */
int symbol_index_load(const Kernel *k, SymbolIndex **ret) {
        _cleanup_symbol_index_free_ SymbolIndex *i = NULL;
        _cleanup_close_ int fd = openat(kernel_root_fd(k), INDEX_DIR "/" INDEX_NAME,
                O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
        struct stat st;
        void *map;
        int r;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_size < (off_t) sizeof(Header))
                return -ESTALE;
        i = calloc(1, sizeof(*i));
        if (!i)
                return -ENOMEM;
        /* It is only ever replaced as a whole, so the mapping cannot become shorter. */
        map = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        i->map = map;
        i->map_size = (size_t) st.st_size;
        r = map_check(k, i);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(i);
        return 0;
}

/* --- asking it --- */

/**
 * symbol_index_covers() - whether the index speaks of the object as it is now
 * @object: `vmlinux`, or a module that is loaded
 */
bool symbol_index_covers(const SymbolIndex *i, const Kernel *k, const char *object) {
        _cleanup_free_ char *build_id = NULL;

        for (size_t n = 0; n < i->header.n_objects; n++) {
                const Object *o = &i->objects[n];

                if (strncmp(o->name, object, sizeof(o->name)) != 0)
                        continue;
                if (streq(object, "vmlinux"))
                        return true;
                return kernel_module_build_id(k, object, &build_id) >= 0 &&
                        strncmp(o->build_id, build_id, sizeof(o->build_id)) == 0;
        }
        return false;
}

/** symbol_index_find() - what the lists said about a name */
SymbolAnswer symbol_index_find(const SymbolIndex *i, const char *object, const char *name) {
        const Entry *e = entry_find(i, hash_name((Word) { .s = object, .l = strlen(object) },
                (Word) { .s = name, .l = strlen(name) }));

        return e ? (SymbolAnswer){.matches = e->matches, .traceable = e->traceable}
                 : (SymbolAnswer){};
}
