/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * libbpf reads the file and answers by number; we add names (a hash over what can be asked for by name)
 * and distrust. libbpf checks that every type record lies in the file, but not that the numbers in it
 * name something: an id or a string offset beyond the end gives NULL there and -EBADMSG here, and a
 * chain of aliases that does not end is cut. Nothing is converted ahead of time: a kernel has 120 000
 * types, and who asks wants ten.
 */

#include "builder/image/btf.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "util/file.h"
#include "util/limits.h"

/* typedefs and qualifiers in a row; the kernel has at most ten */
#define ALIASES_MAX 64U

/**
 * struct Types - types first … end - 1 are this file's own, those below are the base's
 * @buckets: id of the last type in each, 0: empty; n_buckets is a power of two
 * @next: for each own type (by id - first) the one before it in its bucket
 */
struct Types {
        struct btf *btf;
        const Types *base; /* not owned */
        uint32_t first;
        uint32_t end;
        uint32_t n_buckets;
        uint32_t *buckets;
        uint32_t *next;
};

static const TypeKind kinds[] = {
        [BTF_KIND_INT] = TYPE_INTEGER,
        [BTF_KIND_PTR] = TYPE_POINTER,
        [BTF_KIND_ARRAY] = TYPE_ARRAY,
        [BTF_KIND_STRUCT] = TYPE_STRUCT,
        [BTF_KIND_UNION] = TYPE_UNION,
        [BTF_KIND_ENUM] = TYPE_ENUM,
        [BTF_KIND_FWD] = TYPE_FORWARD,
        [BTF_KIND_TYPEDEF] = TYPE_ALIAS,
        [BTF_KIND_VOLATILE] = TYPE_ALIAS,
        [BTF_KIND_CONST] = TYPE_ALIAS,
        [BTF_KIND_RESTRICT] = TYPE_ALIAS,
        [BTF_KIND_FUNC] = TYPE_FUNCTION,
        [BTF_KIND_FUNC_PROTO] = TYPE_PROTOTYPE,
        [BTF_KIND_VAR] = TYPE_VARIABLE,
        [BTF_KIND_DATASEC] = TYPE_OTHER,
        [BTF_KIND_FLOAT] = TYPE_FLOAT,
        [BTF_KIND_DECL_TAG] = TYPE_OTHER,
        [BTF_KIND_TYPE_TAG] = TYPE_ALIAS,
        [BTF_KIND_ENUM64] = TYPE_ENUM,
};

static TypeKind kind_of(const struct btf_type *raw) {
        return btf_kind(raw) < ELEMENTSOF(kinds) ? kinds[btf_kind(raw)] : TYPE_OTHER;
}

/* FNV-1a: names are short, and nobody gains from collisions in a file of their own */
static uint32_t hash_name(const char *name) {
        uint32_t h = 2166136261U;

        for (; *name; name++)
                h = (h ^ (uint8_t) *name) * 16777619U;
        return h;
}

static int index_names(Types *t) {
        uint32_t n = t->end - t->first;

        for (t->n_buckets = 64; t->n_buckets < n; t->n_buckets *= 2)
                ;
        t->buckets = calloc(t->n_buckets, sizeof(*t->buckets));
        t->next = calloc(n + 1U, sizeof(*t->next));
        if (!t->buckets || !t->next)
                return -ENOMEM;
        /* From the last to the first, so that each bucket lists its types in the order of the file. */
        for (uint32_t id = t->end; id-- > t->first;) {
                const struct btf_type *raw = btf__type_by_id(t->btf, id);
                const char *name = raw && raw->name_off ? btf__name_by_offset(t->btf, raw->name_off) : NULL;
                uint32_t *bucket;

                if (!name || !*name)
                        continue;
                bucket = t->buckets + (hash_name(name) & (t->n_buckets - 1));
                t->next[id - t->first] = *bucket;
                *bucket = id;
        }
        return 0;
}

/* libbpf 1.1 reads types on top of others from files only: its btf__new_split() is not exported. */
static struct btf *read_split(const void *data, size_t size, struct btf *base) {
        _cleanup_close_ int fd = memfd_create("btf", MFD_CLOEXEC);
        char path[sizeof("/proc/self/fd/") + 11];

        if (fd < 0 || file_write_all(fd, data, size) < 0)
                return NULL;
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return btf__parse_raw_split(path, base);
}

/**
 * types_read() - take types out of the bytes of a .BTF section or file
 * @btf: copied
 * @base: the kernel's, if these are a module's; must live longer
 * @ret: free with types_free()
 *
 * Return: 0, -EBADMSG when it is no BTF, -E2BIG, or -ENOMEM.
 */
int types_read(const void *btf, size_t size, const Types *base, Types **ret) {
        _cleanup_types_free_ Types *t = NULL;
        int r;

        if (size > HOTPATCH_BTF_MAX)
                return -E2BIG;
        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        (void) libbpf_set_print(NULL); /* libraries of ours do not write to standard error */
        t->btf = base ? read_split(btf, size, base->btf) : btf__new(btf, (uint32_t) size);
        if (!t->btf)
                return errno == ENOMEM ? -ENOMEM : -EBADMSG;
        t->base = base;
        t->end = btf__type_cnt(t->btf);
        t->first = base ? base->end : 1;
        r = index_names(t);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

/** types_read_file() - types_read() of a file of its own, as `pahole --btf_encode_detached` makes it */
int types_read_file(const char *path, Types **ret) {
        _cleanup_free_ void *data = NULL;
        size_t size;
        int r;

        r = file_read_at(AT_FDCWD, path, HOTPATCH_BTF_MAX, &data, &size);
        if (r < 0)
                return r;
        return types_read(data, size, NULL, ret);
}

/** types_free() - with everything that points into it. Returns NULL. */
Types *types_free(Types *t) {
        if (!t)
                return NULL;
        btf__free(t->btf);
        free(t->buckets);
        free(t->next);
        free(t);
        return NULL;
}

/** types_first() - the first id of this file's own types; those below are the base's */
uint32_t types_first(const Types *t) {
        return t->first;
}

/** types_end() - one more than the last id */
uint32_t types_end(const Types *t) {
        return t->end;
}

static void fill_target(Type *type, const struct btf_type *raw) {
        switch (type->kind) {
        case TYPE_INTEGER:
                type->size = raw->size;
                type->encoding = btf_int_encoding(raw);
                break;
        case TYPE_FLOAT:
                type->size = raw->size;
                break;
        case TYPE_STRUCT:
        case TYPE_UNION:
        case TYPE_ENUM:
                type->size = raw->size;
                type->n = btf_vlen(raw);
                break;
        case TYPE_ARRAY:
                type->target = btf_array(raw)->type;
                type->n = btf_array(raw)->nelems;
                break;
        case TYPE_PROTOTYPE:
                type->target = raw->type;
                type->n = btf_vlen(raw);
                break;
        case TYPE_POINTER:
        case TYPE_ALIAS:
        case TYPE_FUNCTION:
        case TYPE_VARIABLE:
                type->target = raw->type;
                break;
        default:
                break;
        }
}

/**
 * types_get() - one type by its number
 * @id: 0 is void
 *
 * Return: 0 or -EBADMSG when there is none or its name lies outside of the file.
 */
int types_get(const Types *t, uint32_t id, Type *ret) {
        const struct btf_type *raw;
        Type type = { .id = id, .name = "" };

        if (id == 0) {
                *ret = type;
                return 0;
        }
        raw = btf__type_by_id(t->btf, id);
        if (!raw)
                return -EBADMSG;
        if (raw->name_off)
                type.name = btf__name_by_offset(t->btf, raw->name_off);
        if (!type.name)
                return -EBADMSG;
        type.kind = kind_of(raw);
        type.raw = raw;
        fill_target(&type, raw);
        *ret = type;
        return 0;
}

/**
 * types_resolve() - like types_get(), but through typedefs and qualifiers
 *
 * Return: 0 or -EBADMSG.
 */
int types_resolve(const Types *t, uint32_t id, Type *ret) {
        Type type;
        int r;

        for (unsigned i = 0; i < ALIASES_MAX; i++) {
                r = types_get(t, id, &type);
                if (r < 0)
                        return r;
                if (type.kind != TYPE_ALIAS) {
                        *ret = type;
                        return 0;
                }
                id = type.target;
        }
        return -EBADMSG;
}

/**
 * types_member() - one member, enumerator or parameter
 * @type: structure, union, enumeration or prototype
 * @index: below its @n
 *
 * Return: 0 or -EBADMSG.
 */
int types_member(const Types *t, const Type *type, uint32_t index, TypeMember *ret) {
        TypeMember m = {};
        uint32_t name;

        if (index >= type->n)
                return -EBADMSG;
        if (btf_is_composite(type->raw)) {
                name = btf_members(type->raw)[index].name_off;
                m.target = btf_members(type->raw)[index].type;
                m.offset = btf_member_bit_offset(type->raw, index);
                m.bits = btf_member_bitfield_size(type->raw, index);
        } else if (btf_is_enum64(type->raw)) {
                name = btf_enum64(type->raw)[index].name_off;
                m.value = (int64_t) btf_enum64_value(btf_enum64(type->raw) + index);
        } else if (btf_is_enum(type->raw)) {
                name = btf_enum(type->raw)[index].name_off;
                m.value = btf_enum(type->raw)[index].val;
        } else if (btf_is_func_proto(type->raw)) {
                name = btf_params(type->raw)[index].name_off;
                m.target = btf_params(type->raw)[index].type;
        } else
                return -EBADMSG;
        m.name = name ? btf__name_by_offset(t->btf, name) : "";
        if (!m.name)
                return -EBADMSG;
        *ret = m;
        return 0;
}

/**
 * types_find() - types of a name, one after the other: a kernel has many structures called `info`
 * @previous: what the last call returned; 0 for the first. A module's own come before the kernel's
 *
 * Return: an id, or 0: no more.
 */
uint32_t types_find(const Types *t, TypeKind kind, const char *name, uint32_t previous) {
        uint32_t id;

        if (previous != 0 && previous < t->first)
                return t->base ? types_find(t->base, kind, name, previous) : 0;
        id = previous ? t->next[previous - t->first] : t->buckets[hash_name(name) & (t->n_buckets - 1)];
        for (; id; id = t->next[id - t->first]) {
                const struct btf_type *raw = btf__type_by_id(t->btf, id);

                if (kind_of(raw) == kind && streq(btf__name_by_offset(t->btf, raw->name_off), name))
                        return id;
        }
        return t->base ? types_find(t->base, kind, name, 0) : 0;
}

/**
 * types_size() - how large is `struct NAME`, in bytes?
 * @kind: TYPE_STRUCT, TYPE_UNION or TYPE_ENUM
 *
 * Return: 0, -ENOENT, or -ENOTUNIQ when several of that name have different sizes.
 */
int types_size(const Types *t, TypeKind kind, const char *name, uint64_t *ret) {
        uint64_t size = 0;
        bool found = false;
        Type type;
        int r;

        for (uint32_t id = 0; (id = types_find(t, kind, name, id));) {
                r = types_get(t, id, &type);
                if (r < 0)
                        return r;
                if (found && type.size != size)
                        return -ENOTUNIQ;
                size = type.size;
                found = true;
        }
        if (!found)
                return -ENOENT;
        *ret = size;
        return 0;
}
