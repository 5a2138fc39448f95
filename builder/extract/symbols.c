/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the new code uses of the running kernel, and how it gets there.
 *
 * What vmlinux exports the module loader finds by name, and modpost puts its CRC into the module. All else
 * livepatch finds, by object, name and position among the names that are the same; which one is meant
 * was found out by matching the old code with the image. That is also the way to what *modules*
 * export: by name the patch module would depend on them, and could not be loaded before they are.
 *
 * objtool knows some functions by their names (those that do not return, for one), so global symbols
 * of vmlinux keep theirs. Others get one that is unique in the patch module, for two objects of a fix may
 * each use a static function of the same name.
 *
 * Trampolines of static calls are renamed for another reason: of a call of `__SCT__NAME` objtool makes a call
 * site, and for that the kernel wants to find the key. A call of the trampoline itself does the same, one
 * jump later. Only where the trampoline alone is exported the kernel knows the key by it
 * (include/linux/static_call.h, EXPORT_STATIC_CALL_TRAMP()), and the call stays a static one.
 */

#include "builder/extract/extract-internal.h"

#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

/* include/linux/static_call_types.h */
#define STATIC_CALL_TRAMPOLINE "__SCT__"
#define STATIC_CALL_KEY "__SCK__"

/** struct Origin - where a symbol lives in the kernel; nothing is owned */
typedef struct Origin {
        const char *object;
        const char *name;
        uint32_t position; /* 0: the name is unique */
} Origin;

/* "drivers/net/dummy" is the module dummy; Kbuild makes `_` of `-` (scripts/Makefile.lib, name-fix). */
static int module_name(const char *path, char **ret) {
        const char *slash = strrchr(path, '/');
        char *name = strdup(slash ? slash + 1 : path);

        if (!name)
                return -ENOMEM;
        for (char *c = name; *c; c++)
                if (*c == '-')
                        *c = '_';
        *ret = name;
        return 0;
}

/* Does the module that is patched use something of the other one already? Only then the kernel has both. */
static int image_depends_on(const Extractor *e, const char *module) {
        const Image *image = e->in->image;

        for (size_t i = 0; i < image->n_symbols; i++) {
                const char *exporter = image->symbols[i].undefined
                                ? symvers_find(e->in->symvers, image->symbols[i].name) : NULL;
                _cleanup_free_ char *name = NULL;
                int r;

                if (!exporter)
                        continue;
                r = module_name(exporter, &name);
                if (r < 0)
                        return r;
                if (streq(name, module))
                        return 1;
        }
        return 0;
}

static const char *symbol_name(const Extractor *e, uint32_t symbol) {
        return e->object->symbols[symbol].name;
}

/* ---- finding ---- */

static int refuse_missing(Extractor *e, uint32_t symbol) {
        return findings_refuse(e->findings, RULE_MISSING_SYMBOL, symbol_name(e, symbol),
                "'%s' is not in '%s'", symbol_name(e, symbol), e->in->image->object);
}

static int refuse_ambiguous(Extractor *e, uint32_t symbol) {
        return findings_refuse(e->findings, RULE_AMBIGUOUS_SYMBOL, symbol_name(e, symbol),
                "'%s' has several symbols '%s', and which of them is meant cannot be told", e->in->image->object,
                symbol_name(e, symbol));
}

/* What the code before the fix did not refer to can only be known by its name. */
static int locate_by_name(Extractor *e, uint32_t symbol, const ImageSymbol **ret) {
        const ImageSymbol *const *found;
        size_t n = image_find(e->in->image, symbol_name(e, symbol), &found);

        if (n == 0)
                return -ENOENT;
        if (n > 1)
                return 0;
        *ret = found[0];
        return 1;
}

/* Returns 1, or 0 when a finding says why not. */
static int locate(Extractor *e, uint32_t symbol, const ImageSymbol **ret) {
        uint32_t before = e->in->changes->symbols[symbol].before;
        int r;

        r = before ? matcher_locate(e->in->matcher, before, ret) : locate_by_name(e, symbol, ret);
        if (r == -ENOENT || (r > 0 && (*ret)->undefined))
                r = refuse_missing(e, symbol);
        else if (r == 0)
                r = refuse_ambiguous(e, symbol);
        else if (r > 0 && (*ret)->init)
                r = findings_refuse(e->findings, RULE_INIT_CODE, symbol_name(e, symbol),
                        "'%s' is only there while the kernel starts", symbol_name(e, symbol));
        else
                return r;
        return r < 0 ? r : 0;
}

/**
 * original_find() - the function in the image that is to be redirected
 * @e: the extraction
 * @function: in the object after the fix
 * @ret: where it is
 *
 * Return: 1, 0 when a finding says why not, or a negative errno.
 */
int original_find(Extractor *e, uint32_t function, const ImageSymbol **ret) {
        return locate(e, function, ret);
}

/* ---- naming ---- */

/**
 * replacement_name() - a C identifier that no other object of the fix makes
 * @e: the extraction
 * @name: as the compiler calls it
 * @ret: free with free()
 *
 * Return: 0 or -ENOMEM.
 */
int replacement_name(const Extractor *e, const char *name, char **ret) {
        char *made;

        if (str_printf(&made, "hotpatch_%u_%s", e->in->number, name) < 0)
                return -ENOMEM;
        for (char *c = made; *c; c++)
                if (*c == '.')
                        *c = '_';
        *ret = made;
        return 0;
}

static bool keeps_name(const Extractor *e, uint32_t symbol, const char *object) {
        const ObjectSymbol *s = e->object->symbols + symbol;

        return streq(object, "vmlinux") && s->bind != STB_LOCAL && !startswith(s->name, STATIC_CALL_TRAMPOLINE) &&
                        !symvers_find(e->in->symvers, s->name);
}

static int add_undefined(Extractor *e, const char *name, uint8_t bind, size_t *ret) {
        return output_symbol(&e->output, &(OutputSymbol) {
                .name = (char *) name,
                .bind = bind,
                .type = STT_NOTYPE,
        }, ret);
}

static int add_late(Extractor *e, uint32_t symbol, const Origin *from, size_t *ret) {
        _cleanup_free_ char *name = NULL;
        PatchSymbol s = {};
        int r;

        if (keeps_name(e, symbol, from->object))
                name = strdup(symbol_name(e, symbol));
        else
                (void) (str_printf(&name, "hotpatch.%u.%s", e->in->number, symbol_name(e, symbol)) < 0);
        if (!name)
                return -ENOMEM;
        s.name = strdup(name);
        s.object = strdup(from->object);
        s.symbol = strdup(from->name);
        s.owner = strdup(streq(from->object, "vmlinux") ? from->object : e->in->image->object);
        s.sympos = from->position;
        r = s.name && s.object && s.symbol && s.owner ? APPEND(e->result.symbols, e->result.n_symbols, s) : -ENOMEM;
        if (r < 0) {
                free(s.name);
                free(s.object);
                free(s.symbol);
                free(s.owner);
                return r;
        }
        return add_undefined(e, name, STB_GLOBAL, ret);
}

/* ---- deciding ---- */

static int add_by_image(Extractor *e, uint32_t symbol, size_t *ret) {
        const ImageSymbol *found;
        int r;

        r = locate(e, symbol, &found);
        if (r <= 0)
                return r;
        if (strlen(found->name) > HOTPATCH_SYMBOL_MAX)
                return findings_refuse(e->findings, RULE_UNSUPPORTED, found->name,
                        "The name '%.80s…' is longer than livepatch can look up", found->name);
        return add_late(e, symbol, &(Origin) {
                .object = e->in->image->object,
                .name = found->name,
                .position = found->n_same > 1 ? found->position : 0,
        }, ret);
}

static int add_export_of_module(Extractor *e, uint32_t symbol, const char *exporter, size_t *ret) {
        _cleanup_free_ char *module = NULL;
        Origin from = { .name = symbol_name(e, symbol) };
        int r;

        r = module_name(exporter, &module);
        if (r < 0)
                return r;
        if (streq(module, e->in->image->object))
                return add_by_image(e, symbol, ret);
        r = image_depends_on(e, module);
        if (r <= 0)
                return r < 0 ? r : findings_refuse(e->findings, RULE_LATE_SYMBOL, from.name,
                        "'%s' is of module '%s', which need not be loaded when '%s' is", from.name, module,
                        e->in->image->object);
        from.object = module;
        return add_late(e, symbol, &from, ret);
}

/* An export that is not used as one. */
static int add_export_late(Extractor *e, uint32_t symbol, size_t *ret) {
        const ImageSymbol *const *found;
        const char *name = symbol_name(e, symbol);

        if (image_find(e->in->kernel, name, &found) != 1)
                return findings_refuse(e->findings, RULE_AMBIGUOUS_SYMBOL, name,
                        "'vmlinux' has several symbols '%s', and which of them is meant cannot be told", name);
        return add_late(e, symbol, &(Origin) { .object = "vmlinux", .name = name }, ret);
}

/* In a namespace that the patch module would have to import, or a trampoline with its key. */
static bool is_late_export(const Symvers *symvers, const char *name) {
        const char *rest = startswith(name, STATIC_CALL_TRAMPOLINE);
        _cleanup_free_ char *key = NULL;

        if (symvers_namespace(symvers, name))
                return true;
        if (!rest)
                return false;
        if (str_printf(&key, STATIC_CALL_KEY "%s", rest) < 0)
                return true;
        return symvers_find(symvers, key);
}

/* What a module defines itself it uses, even if the kernel exports the same name. */
static bool module_has_own(const Extractor *e, const char *name) {
        const ImageSymbol *const *found;

        return !streq(e->in->image->object, "vmlinux") && image_find(e->in->image, name, &found) > 0 &&
                !found[0]->undefined;
}

static const char *provider_of(const Extractor *e, const char *name) {
        const Provided *p = e->in->provided;

        for (size_t i = 0; p && p->names && p->names[i]; i++)
                if (streq(p->names[i], name))
                        return p->objects[i];
        return NULL;
}

/* Is there, without what @provider brings, something else of that name that the patched object would use? */
static int has_other_meaning(const Extractor *e, const char *name, const char *provider, const char *exporter) {
        const ImageSymbol *const *found;
        _cleanup_free_ char *module = NULL;
        int r;

        if (streq(provider, e->in->image->object)) /* moved from one file to another, say */
                return 0;
        for (size_t i = image_find(e->in->image, name, &found); i > 0; i--)
                if (found[i - 1]->global && !found[i - 1]->undefined)
                        return 1;
        if (!exporter)
                return 0;
        r = module_name(exporter, &module);
        return r < 0 ? r : !streq(module, provider);
}

/* What the fix adds to a module lies in the patch, but refers to that module. */
static int add_provided(Extractor *e, const char *name, const char *provider, const char *exporter, size_t *ret) {
        int r;

        r = has_other_meaning(e, name, provider, exporter);
        if (r != 0)
                return r < 0 ? r : findings_refuse(e->findings, RULE_AMBIGUOUS_SYMBOL, name,
                        "'%s' is new in %s%s%s, and something else for '%s', which has it already", name,
                        *provider ? "'" : "the author's file", provider, *provider ? "'" : "", e->in->image->object);
        r = 1;
        if (*provider && !streq(provider, "vmlinux") && !streq(provider, e->in->image->object))
                r = image_depends_on(e, provider);
        if (r == 0)
                return findings_refuse(e->findings, RULE_LATE_SYMBOL, name,
                        "'%s' is added to module '%s', which need not be loaded when '%s' is", name, provider,
                        e->in->image->object);
        return r < 0 ? r : add_undefined(e, name, STB_GLOBAL, ret);
}

static int add_external(Extractor *e, uint32_t symbol, size_t *ret) {
        const ObjectSymbol *s = e->object->symbols + symbol;
        const char *exporter = s->bind == STB_LOCAL ? NULL : symvers_find(e->in->symvers, s->name);
        const char *provider = s->section == SHN_UNDEF ? provider_of(e, s->name) : NULL;
        const ImageSymbol *const *found;

        if (provider)
                return add_provided(e, s->name, provider, exporter, ret);
        if (exporter && module_has_own(e, s->name))
                return add_by_image(e, symbol, ret);
        if (exporter && streq(exporter, "vmlinux"))
                return is_late_export(e->in->symvers, s->name)
                        ? add_export_late(e, symbol, ret)
                        : add_undefined(e, s->name, STB_GLOBAL, ret);
        if (exporter)
                return add_export_of_module(e, symbol, exporter, ret);
        /* `if (&maybe)`: there is none, and the module loader leaves 0. */
        if (s->section == SHN_UNDEF && s->bind == STB_WEAK && image_find(e->in->image, s->name, &found) == 0)
                return add_undefined(e, s->name, STB_WEAK, ret);
        return add_by_image(e, symbol, ret);
}

/**
 * external_find() - the symbol of the output that stands for something in the running kernel
 * @e: the extraction
 * @symbol: of the object, defined there or not
 * @ret: index of the output's symbol
 *
 * Return: 1, 0 when a finding says why there is none, or a negative errno.
 */
int external_find(Extractor *e, uint32_t symbol, size_t *ret) {
        External *x = e->externals + symbol;
        int r;

        if (!x->known) {
                r = add_external(e, symbol, &x->output);
                if (r < 0)
                        return r;
                x->known = true;
        }
        *ret = x->output;
        return x->output != 0;
}

/**
 * external_named() - like external_find(), for what the object need not have a symbol of
 * @e: the extraction
 * @name: of a variable of the kernel
 * @ret: index of the output's symbol
 *
 * Return: 1, 0 when a finding says why there is none, or a negative errno.
 */
int external_named(Extractor *e, const char *name, size_t *ret) {
        uint32_t symbol = object_find(e->object, name);
        const char *exporter = symvers_find(e->in->symvers, name);

        if (symbol)
                return external_find(e, symbol, ret);
        for (size_t i = 1; i < e->output.n_symbols; i++)
                if (streq(e->output.symbols[i].name, name)) {
                        *ret = i;
                        return 1;
                }
        if (!exporter || !streq(exporter, "vmlinux"))
                return findings_refuse(e->findings, RULE_MISSING_SYMBOL, name, "'%s' is not exported", name);
        return add_undefined(e, name, STB_GLOBAL, ret) < 0 ? -ENOMEM : 1;
}
