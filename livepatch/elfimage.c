/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading a relocatable ELF file that may be hostile; the only file here that uses libelf.
 *
 * The file is read into memory once, and everything is taken from there: checked bytes and used
 * bytes are the same, whatever somebody does to the file meanwhile. libelf is used for what it is
 * good at, the layouts of header, section header, symbol and relocation in both byte orders. What
 * it is known to be bad at, trusting sizes, offsets and string indices, is done here before it can
 * matter:
 *   - only 64-bit little or big endian ET_REL of machines that have livepatching;
 *   - every section lies in the file, and all together are not larger than the file, so that
 *     overlapping sections cannot make us do or allocate more than the file's size justifies;
 *   - entry sizes are those of the format, counts are limited (util/limits.h);
 *   - each name is a string within its string table; one symbol table at most;
 *   - section indices of symbols and symbol indices of relocations exist.
 * The result holds plain arrays with valid indices. Broken rules are `ModuleInvalid`, with the
 * place.
 */

#include <gelf.h>
#include <sys/stat.h>

#include "dbus/errors.h"
#include "livepatch/elfimage.h"
#include "util/file.h"
#include "util/limits.h"

#define INVALID(error, ...) sd_bus_error_setf((error), HOTPATCH_ERROR("ModuleInvalid"), __VA_ARGS__)

/* include/linux/module_signature.h: struct module_signature, then the marker. */
#define SIGNATURE_MARKER "~Module signature appended~\n"
#define SIGNATURE_MARKER_SIZE (sizeof(SIGNATURE_MARKER) - 1)
#define SIGNATURE_TAIL_SIZE 12
#define SIGNATURE_LENGTH_OFFSET 8

/* Machines with livepatching, by e_machine and byte order; @pointer is their 64-bit address. */
static const struct Machine {
        uint16_t machine;
        bool big_endian;
        uint32_t pointer;
        const char *arch;
} machines[] = {
        { EM_X86_64, false, R_X86_64_64, "x86_64" },
        { EM_AARCH64, false, R_AARCH64_ABS64, "aarch64" },
        { EM_PPC64, false, R_PPC64_ADDR64, "ppc64le" },
        { EM_S390, true, R_390_64, "s390x" },
};

typedef struct Reader {
        ElfImage *image;
        const struct Machine *machine;
        Elf *elf;
        sd_bus_error *error;
} Reader;

static void elf_endp(Elf **e) {
        if (*e)
                elf_end(*e);
}

/** elf_image_free() - free the image; pointers into it are void. Return: NULL */
ElfImage *elf_image_free(ElfImage *i) {
        if (!i)
                return NULL;
        free(i->data);
        free(i->sections);
        free(i->symbols);
        free(i->relocations);
        free(i);
        return NULL;
}

static int file_load(int fd, ElfImage *image, sd_bus_error *error) {
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return INVALID(error, "The module is not a regular file");
        if (st.st_size < (off_t) sizeof(Elf64_Ehdr))
                return INVALID(error, "The module is too short for an ELF file");
        if ((uint64_t) st.st_size > HOTPATCH_BUNDLE_MAX)
                return INVALID(error, "The module has more than %" PRIu64 " bytes",
                                HOTPATCH_BUNDLE_MAX);
        image->size = (size_t) st.st_size;
        image->data = malloc(image->size);
        if (!image->data)
                return -ENOMEM;
        r = file_pread_all(fd, image->data, image->size, 0);
        return r == -ENODATA ? INVALID(error, "The module became shorter while it was read") : r;
}

static int signature_strip(ElfImage *image, sd_bus_error *error) {
        const uint8_t *tail;
        size_t body, length;

        if (image->size < SIGNATURE_MARKER_SIZE ||
            memcmp(image->data + image->size - SIGNATURE_MARKER_SIZE, SIGNATURE_MARKER,
                    SIGNATURE_MARKER_SIZE) != 0)
                return 0;
        body = image->size - SIGNATURE_MARKER_SIZE;
        if (body < SIGNATURE_TAIL_SIZE)
                return INVALID(error, "The signature appended to the module is truncated");
        body -= SIGNATURE_TAIL_SIZE;
        tail = image->data + body + SIGNATURE_LENGTH_OFFSET;
        length = (size_t) tail[0] << 24 | (size_t) tail[1] << 16 | (size_t) tail[2] << 8 | tail[3];
        if (length >= body)
                return INVALID(error,
                                "The signature appended to the module is longer than the module");
        image->size = body - length;
        image->signature = image->data + image->size;
        image->signature_size = length;
        return 0;
}

static int header_check(Reader *r) {
        GElf_Ehdr h;

        if (r->image->size < sizeof(Elf64_Ehdr) || memcmp(r->image->data, ELFMAG, SELFMAG) != 0)
                return INVALID(r->error, "The module is not an ELF file");
        if (r->image->data[EI_CLASS] != ELFCLASS64)
                return INVALID(r->error, "The module is not a 64-bit ELF file");
        r->elf = elf_memory((char *) r->image->data, r->image->size);
        if (!r->elf || elf_kind(r->elf) != ELF_K_ELF || !gelf_getehdr(r->elf, &h))
                return INVALID(r->error, "The module has no usable ELF header");
        if (h.e_type != ET_REL)
                return INVALID(r->error, "The module is not a relocatable ELF file");
        if (h.e_shentsize != sizeof(Elf64_Shdr) || h.e_shoff % 8 != 0)
                return INVALID(r->error, "The module's section header table has an odd shape");
        for (size_t i = 0; i < ELEMENTSOF(machines); i++)
                if (machines[i].machine == h.e_machine &&
                    machines[i].big_endian == (h.e_ident[EI_DATA] == ELFDATA2MSB)) {
                        r->machine = &machines[i];
                        r->image->arch = machines[i].arch;
                        r->image->big_endian = machines[i].big_endian;
                        return 0;
                }
        return INVALID(r->error,
                        "The module is for a machine without livepatching (ELF machine %u)",
                        h.e_machine);
}

/* A string of a string table, or NULL when it is not one that ends within it. */
static const char *string_at(const ElfSection *strings, uint64_t offset) {
        if (!strings->data || offset >= strings->size ||
            !memchr(strings->data + offset, 0, strings->size - offset))
                return NULL;
        return (const char *) strings->data + offset;
}

static int sections_read(Reader *r) {
        ElfImage *image = r->image;
        size_t n, names;
        uint64_t total = 0;

        if (elf_getshdrnum(r->elf, &n) < 0 || n < 2 || elf_getshdrstrndx(r->elf, &names) < 0)
                return INVALID(r->error, "The module has no section header table");
        if (n > HOTPATCH_ELF_SECTIONS_MAX || names >= n)
                return INVALID(r->error, "The module has %zu sections", n);
        image->sections = calloc(n, sizeof(*image->sections));
        if (!image->sections)
                return -ENOMEM;
        image->n_sections = n;
        for (size_t i = 0; i < n; i++) {
                ElfSection *s = &image->sections[i];
                GElf_Shdr h;

                if (!gelf_getshdr(elf_getscn(r->elf, i), &h))
                        return INVALID(r->error, "The module's section %zu has no header", i);
                *s = (ElfSection) { .name = "", .type = h.sh_type, .flags = h.sh_flags };
                if (h.sh_type == SHT_NULL)
                        continue;
                s->size = h.sh_size;
                if (h.sh_type == SHT_NOBITS)
                        continue;
                if (h.sh_offset > image->size || h.sh_size > image->size - h.sh_offset)
                        return INVALID(r->error, "The module's section %zu is not in the file", i);
                total += h.sh_size;
                if (total > image->size)
                        return INVALID(r->error, "The module's sections overlap");
                s->data = image->data + h.sh_offset;
        }
        for (size_t i = 1; i < n; i++) {
                GElf_Shdr h;

                if (!gelf_getshdr(elf_getscn(r->elf, i), &h))
                        return -EIO;
                if (h.sh_type == SHT_NULL)
                        continue;
                image->sections[i].name = string_at(&image->sections[names], h.sh_name);
                if (!image->sections[i].name)
                        return INVALID(r->error, "The module's section %zu has no name", i);
        }
        return 0;
}

/* The entries of a table section in memory order of this machine. */
static int table_open(Reader *r, size_t index, Elf_Type type, uint64_t entry, size_t max,
                GElf_Shdr *ret_header, Elf_Data **ret, size_t *ret_n) {
        Elf_Scn *scn = elf_getscn(r->elf, index);
        GElf_Shdr h;
        Elf_Data *data;

        if (!gelf_getshdr(scn, &h))
                return -EIO;
        if (h.sh_entsize != entry || h.sh_size % entry != 0 || h.sh_size / entry > max)
                return INVALID(r->error, "The module's section '%s' has an odd size",
                        r->image->sections[index].name);
        data = elf_getdata(scn, NULL);
        if (!data || data->d_type != type || data->d_size != h.sh_size)
                return INVALID(r->error, "The module's section '%s' cannot be read",
                        r->image->sections[index].name);
        *ret_header = h;
        *ret = data;
        *ret_n = (size_t) (h.sh_size / entry);
        return 0;
}

static int symbol_read(
                Reader *r, Elf_Data *data, Elf_Data *extended, const ElfSection *names, size_t i) {
        ElfImage *image = r->image;
        GElf_Sym s;
        Elf32_Word wide;
        const char *name;

        if (!gelf_getsymshndx(data, extended, (int) i, &s, &wide))
                return INVALID(r->error, "The module's symbol %zu cannot be read", i);
        name = string_at(names, s.st_name);
        if (!name)
                return INVALID(r->error, "The module's symbol %zu has no name", i);
        if (s.st_shndx != SHN_XINDEX)
                wide = s.st_shndx;
        else if (!extended || wide >= SHN_LORESERVE)
                return INVALID(r->error, "The module's symbol '%zu' is in no section", i);
        if (wide < SHN_LORESERVE && wide >= image->n_sections)
                return INVALID(r->error, "The module's symbol %zu is in no section", i);
        if (wide != SHN_UNDEF && wide < SHN_LORESERVE && s.st_value > image->sections[wide].size)
                return INVALID(r->error, "The module's symbol %zu is outside its section", i);
        image->symbols[i] = (ElfSymbol) {
                .name = name,
                .value = s.st_value,
                .size = s.st_size,
                .section = wide,
                .type = GELF_ST_TYPE(s.st_info),
                .bind = GELF_ST_BIND(s.st_info),
        };
        return 0;
}

static int symbols_read(Reader *r, size_t *ret_index) {
        ElfImage *image = r->image;
        Elf_Data *data, *extended = NULL;
        size_t table = 0, n, n_extended;
        GElf_Shdr h, extended_header;
        int ret;

        for (size_t i = 1; i < image->n_sections; i++) {
                if (image->sections[i].type != SHT_SYMTAB)
                        continue;
                if (table)
                        return INVALID(r->error, "The module has more than one symbol table");
                table = i;
        }
        if (!table)
                return INVALID(r->error, "The module has no symbol table");
        ret = table_open(r, table, ELF_T_SYM, sizeof(Elf64_Sym), HOTPATCH_ELF_SYMBOLS_MAX, &h,
                        &data, &n);
        if (ret < 0)
                return ret;
        if (h.sh_link >= image->n_sections || image->sections[h.sh_link].type != SHT_STRTAB)
                return INVALID(r->error, "The module's symbol table has no names");
        for (size_t i = 1; i < image->n_sections; i++) {
                if (image->sections[i].type != SHT_SYMTAB_SHNDX)
                        continue;
                ret = table_open(r, i, ELF_T_WORD, sizeof(Elf32_Word), HOTPATCH_ELF_SYMBOLS_MAX,
                        &extended_header, &extended, &n_extended);
                if (ret < 0)
                        return ret;
                if (n_extended != n)
                        return INVALID(r->error,
                                        "The module's extended section indices have an odd size");
        }
        image->symbols = calloc(n ?: 1, sizeof(*image->symbols));
        if (!image->symbols)
                return -ENOMEM;
        image->n_symbols = n;
        for (size_t i = 0; i < n; i++) {
                ret = symbol_read(r, data, extended, &image->sections[h.sh_link], i);
                if (ret < 0)
                        return ret;
        }
        *ret_index = table;
        return 0;
}

static int relocations_append(Reader *r, size_t index, const GElf_Shdr *h, Elf_Data *data, size_t n) {
        ElfImage *image = r->image;
        ElfRelocation *grown = reallocarray(image->relocations, image->n_relocations + n, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        image->relocations = grown;
        for (size_t i = 0; i < n; i++) {
                GElf_Rela a;

                if (!gelf_getrela(data, (int) i, &a) || GELF_R_SYM(a.r_info) >= image->n_symbols ||
                    a.r_offset >= image->sections[h->sh_info].size)
                        return INVALID(r->error, "The module's section '%s' has a broken entry",
                                image->sections[index].name);
                grown[image->n_relocations++] = (ElfRelocation) {
                        .offset = a.r_offset,
                        .addend = a.r_addend,
                        .section = h->sh_info,
                        .symbol = (uint32_t) GELF_R_SYM(a.r_info),
                        .pointer = GELF_R_TYPE(a.r_info) == r->machine->pointer,
                };
        }
        return 0;
}

static int relocations_read_section(Reader *r, size_t index, size_t symtab) {
        ElfImage *image = r->image;
        GElf_Shdr h;
        Elf_Data *data;
        size_t n;
        int ret;

        if (!gelf_getshdr(elf_getscn(r->elf, index), &h))
                return -EIO;
        if (h.sh_info == 0 || h.sh_info >= image->n_sections)
                return INVALID(r->error, "The module's section '%s' relocates nothing",
                        image->sections[index].name);
        /* Debug information, and livepatch relocations, which the kernel applies on its own. */
        if (!(image->sections[h.sh_info].flags & SHF_ALLOC) ||
                        startswith(image->sections[index].name, ".klp."))
                return 0;
        ret = table_open(r, index, ELF_T_RELA, sizeof(Elf64_Rela),
                HOTPATCH_ELF_RELOCATIONS_MAX - image->n_relocations, &h, &data, &n);
        if (ret < 0)
                return ret;
        if (h.sh_link != symtab)
                return INVALID(r->error, "The module's section '%s' has no symbols",
                        image->sections[index].name);
        return n == 0 ? 0 : relocations_append(r, index, &h, data, n);
}

static int compare_relocations(const void *a, const void *b) {
        const ElfRelocation *x = a, *y = b;

        if (x->section != y->section)
                return x->section < y->section ? -1 : 1;
        return x->offset == y->offset ? 0 : x->offset < y->offset ? -1 : 1;
}

static int relocations_read(Reader *r, size_t symtab) {
        for (size_t i = 1; i < r->image->n_sections; i++) {
                int ret;

                if (r->image->sections[i].type != SHT_RELA)
                        continue;
                ret = relocations_read_section(r, i, symtab);
                if (ret < 0)
                        return ret;
        }
        if (r->image->n_relocations > 1)
                qsort(r->image->relocations, r->image->n_relocations, sizeof(ElfRelocation),
                        compare_relocations);
        return 0;
}

/**
 * elf_image_read() - read and check a relocatable ELF file
 * @fd: a regular file; its position is neither used nor moved
 * @ret: to be freed with elf_image_free()
 * @error: `ModuleInvalid`, with the place
 *
 * Return: 0 or a negative errno.
 */
int elf_image_read(int fd, ElfImage **ret, sd_bus_error *error) {
        _cleanup_elf_image_free_ ElfImage *image = NULL;
        _cleanup_(elf_endp) Elf *elf = NULL;
        Reader reader;
        size_t symtab = 0;
        int r;

        if (elf_version(EV_CURRENT) == EV_NONE)
                return -EOPNOTSUPP;
        image = calloc(1, sizeof(*image));
        if (!image)
                return -ENOMEM;
        reader = (Reader) { .image = image, .error = error };
        r = file_load(fd, image, error);
        if (r >= 0)
                r = signature_strip(image, error);
        if (r >= 0)
                r = header_check(&reader);
        elf = reader.elf;
        if (r >= 0)
                r = sections_read(&reader);
        if (r >= 0)
                r = symbols_read(&reader, &symtab);
        if (r >= 0)
                r = relocations_read(&reader, symtab);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(image);
        return 0;
}

/**
 * elf_image_find() - the one section of a name that has content in the file
 *
 * Return: 1 and the section, 0 when there is none, -ENOTUNIQ when there are several.
 */
int elf_image_find(const ElfImage *i, const char *name, const ElfSection **ret) {
        const ElfSection *found = NULL;

        for (size_t n = 1; n < i->n_sections; n++) {
                if (!i->sections[n].data || !streq(i->sections[n].name, name))
                        continue;
                if (found)
                        return -ENOTUNIQ;
                found = &i->sections[n];
        }
        if (!found)
                return 0;
        *ret = found;
        return 1;
}

/** elf_image_relocation() - a relocation at exactly that place, or NULL */
const ElfRelocation *elf_image_relocation(const ElfImage *i, uint32_t section, uint64_t offset) {
        ElfRelocation key = { .section = section, .offset = offset };

        return i->n_relocations == 0 ? NULL :
                bsearch(&key, i->relocations, i->n_relocations, sizeof(key), compare_relocations);
}
