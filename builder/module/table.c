/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * patch.json as C. The table is written in the kernel's own structures, constant and complete, and
 * not in a format of ours that code would have to translate when the module loads: the compiler
 * checks it, tools can read it in the file, and less runs in the kernel.
 *
 * Order: objects as they first occur in "functions", then those that only have callbacks; functions
 * as they stand in patch.json. The same patch.json gives the same bytes.
 *
 * Replacements are declared with no prototype worth the name, for only their address is taken.
 * Where a function is called (self-test, callbacks), its real prototype is declared, and the
 * compiler of the author's file has nothing to compare it with; <hotpatch/hotpatch.h> documents it.
 */

#include "builder/module/table.h"

#include <inttypes.h>

#include "bundle/digest.h"
#include "livepatch/note.h"
#include "util/strv.h"

static const struct {
        const char *name;
        const char *type;
        const char *arguments;
        size_t offset;
} callbacks[] = {
        { "pre_patch", "int", "struct klp_object *", offsetof(PatchCallbacks, pre_patch) },
        { "post_patch", "void", "struct klp_object *", offsetof(PatchCallbacks, post_patch) },
        { "pre_unpatch", "void", "struct klp_object *", offsetof(PatchCallbacks, pre_unpatch) },
        { "post_unpatch", "void", "struct klp_object *", offsetof(PatchCallbacks, post_unpatch) },
};

/**
 * table_text() - the descriptor of the note's table: "OBJECT FUNCTION SYMPOS REPLACEMENT" lines
 * @p: the patch
 * @ret: the text; free with free()
 *
 * Return: 0 or a negative errno.
 */
int table_text(const PatchFile *p, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_functions; i++)
                fprintf(f, "%s %s %" PRIu64 " %s\n", p->functions[i].object, p->functions[i].function,
                        p->functions[i].sympos, p->functions[i].replacement);
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}

/* A C string literal, without the quotes. Octal, because \x has no end. */
static void put_escaped(FILE *f, const char *s) {
        for (; *s; s++)
                if (strchr("\"\\?", *s) || (unsigned char) *s < ' ' || (unsigned char) *s >= 0x7f)
                        fprintf(f, "\\%03o", (unsigned char) *s);
                else
                        fputc(*s, f);
}

static void put_bytes(FILE *f, const uint8_t *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                fprintf(f, "%s0x%02x,", i == 0 ? "\t\t" : i % 12 == 0 ? "\n\t\t" : " ", bytes[i]);
        fputc('\n', f);
}

/* NULL without that callback, and without any (@c is NULL). */
static const char *callback_get(const PatchCallbacks *c, size_t which) {
        return c ? *(char *const *) ((const char *) c + callbacks[which].offset) : NULL;
}

static const PatchCallbacks *find_callbacks(const PatchFile *p, const char *object) {
        for (size_t i = 0; i < p->n_callbacks; i++)
                if (streq(p->callbacks[i].object, object))
                        return p->callbacks + i;
        return NULL;
}

/** table_symbol_owner() - the object with whose loading livepatch resolves a symbol; not owned */
const char *table_symbol_owner(const PatchSymbol *s) {
        return s->owner ?: s->object;
}

/**
 * table_has_module_symbols() - does the patch have symbols that are resolved when a module is loaded?
 * @p: the patch
 * @object: that module; NULL: any module
 */
bool table_has_module_symbols(const PatchFile *p, const char *object) {
        for (size_t i = 0; i < p->n_symbols; i++) {
                const char *owner = table_symbol_owner(p->symbols + i);

                if (!streq(owner, "vmlinux") && (!object || streq(owner, object)))
                        return true;
        }
        return false;
}

/* Is a generated function called instead of, or around, the author's? */
static bool wraps_callback(const PatchFile *p, const char *object, size_t which) {
        if (streq(callbacks[which].name, "pre_patch"))
                return callback_get(find_callbacks(p, object), which);
        return streq(callbacks[which].name, "post_unpatch") && table_has_module_symbols(p, object);
}

static int list_objects(const PatchFile *p, char ***ret) {
        _cleanup_strv_free_ char **objects = NULL;
        int r;

        for (size_t i = 0; i < p->n_functions; i++)
                if (!strv_contains(objects, p->functions[i].object)) {
                        r = strv_extend(&objects, p->functions[i].object);
                        if (r < 0)
                                return r;
                }
        for (size_t i = 0; i < p->n_callbacks; i++)
                if (!strv_contains(objects, p->callbacks[i].object)) {
                        r = strv_extend(&objects, p->callbacks[i].object);
                        if (r < 0)
                                return r;
                }
        *ret = TAKE_PTR(objects);
        return 0;
}

static void put_declarations(FILE *f, const PatchFile *p) {
        for (size_t i = 0; i < p->n_functions; i++)
                fprintf(f, "extern void %s(void);\n", p->functions[i].replacement);
        for (size_t i = 0; i < p->n_callbacks; i++)
                for (size_t c = 0; c < ELEMENTSOF(callbacks); c++)
                        if (callback_get(p->callbacks + i, c))
                                fprintf(f, "extern %s %s(%s);\n", callbacks[c].type,
                                        callback_get(p->callbacks + i, c), callbacks[c].arguments);
        if (p->self_test)
                fprintf(f, "extern int %s(void);\n", p->self_test);
        fputc('\n', f);
}

/* The kernel's own message names the object only; the wrapper's names the function. */
static void put_pre_patch(FILE *f, const char *function, size_t i) {
        fprintf(f,
                "static int hotpatch_pre_patch_%zu(struct klp_object *object)\n"
                "{\n"
                "\treturn hotpatch_veto(\"pre_patch callback\", \"%s\", %s(object));\n"
                "}\n\n",
                i, function, function);
}

/* What the module's unexported symbols were resolved to is forgotten when it goes, module/reload.c.
 */
static void put_post_unpatch(FILE *f, const char *function, size_t i) {
        fprintf(f,
                "static void hotpatch_post_unpatch_%zu(struct klp_object *object)\n"
                "{\n",
                i);
        if (function)
                fprintf(f, "\t%s(object);\n", function);
        fputs("\thotpatch_clear_relocations(object);\n"
              "}\n\n", f);
}

static void put_functions(FILE *f, const PatchFile *p, const char *object, size_t i) {
        fprintf(f, "static struct klp_func hotpatch_functions_%zu[] = {\n", i);
        for (size_t j = 0; j < p->n_functions; j++)
                if (streq(p->functions[j].object, object))
                        fprintf(f,
                                "\t{\n"
                                "\t\t.old_name = \"%s\",\n"
                                "\t\t.new_func = %s,\n"
                                "\t\t.old_sympos = %" PRIu64 ",\n"
                                "\t},\n",
                                p->functions[j].function, p->functions[j].replacement,
                                p->functions[j].sympos);
        fputs("\t{}\n};\n\n", f);
}

static void put_object(FILE *f, const PatchFile *p, const char *object, size_t i) {
        const PatchCallbacks *cb = find_callbacks(p, object);

        fputs("\t{\n", f);
        if (!streq(object, "vmlinux"))
                fprintf(f, "\t\t.name = \"%s\",\n", object);
        fprintf(f, "\t\t.funcs = hotpatch_functions_%zu,\n", i);
        for (size_t c = 0; c < ELEMENTSOF(callbacks); c++)
                if (wraps_callback(p, object, c))
                        fprintf(f, "\t\t.callbacks.%s = hotpatch_%s_%zu,\n", callbacks[c].name,
                                callbacks[c].name, i);
                else if (callback_get(cb, c))
                        fprintf(f, "\t\t.callbacks.%s = %s,\n", callbacks[c].name, callback_get(cb, c));
        fputs("\t},\n", f);
}

static void put_patch(FILE *f, const PatchFile *p, char *const *objects) {
        for (size_t i = 0; objects[i]; i++) {
                const PatchCallbacks *cb = find_callbacks(p, objects[i]);

                put_functions(f, p, objects[i], i);
                if (cb && cb->pre_patch)
                        put_pre_patch(f, cb->pre_patch, i);
                if (table_has_module_symbols(p, objects[i]))
                        put_post_unpatch(f, cb ? cb->post_unpatch : NULL, i);
        }
        fputs("static struct klp_object hotpatch_objects[] = {\n", f);
        for (size_t i = 0; objects[i]; i++)
                put_object(f, p, objects[i], i);
        fprintf(f,
                "\t{}\n"
                "};\n\n"
                "struct klp_patch hotpatch_patch = {\n"
                "\t.mod = THIS_MODULE,\n"
                "\t.objs = hotpatch_objects,\n"
                "\t.replace = %s,\n"
                "};\n\n",
                p->replace ? "true" : "false");
}

static void put_self_test(FILE *f, const PatchFile *p) {
        /* The function may be __init; module/selftest.c sees that, and calls it no more then. */
        fputs("const struct hotpatch_self_test hotpatch_self_test __refconst = {\n", f);
        if (p->self_test)
                fprintf(f, "\t.name = \"%s\",\n\t.run = %s,\n", p->self_test, p->self_test);
        fputs("};\n\n", f);
}

/* The texts of the notes, as macros: their sizes are those of the fields. */
static void put_note_texts(FILE *f, const PatchFile *p, const char *text) {
        fprintf(f,
                "#define ROUND_UP_4(x) (((x) + 3) / 4 * 4)\n"
                "#define BUNDLE_ID \"%s\"\n"
                "#define TABLE \\\n",
                p->manifest->id);
        for (const char *line = text; *line;) {
                int l = (int) (strchr(line, '\n') - line);

                fprintf(f, "\t\"%.*s\\n\"%s\n", l, line, line[l + 1] ? " \\" : "");
                line += l + 1;
        }
        fputs("\n", f);
}

static void put_note_type(FILE *f) {
        fprintf(f,
                "struct hotpatch_identity {\n"
                "\t__le32 version;\n"
                "\t__le32 reserved;\n"
                "\t__le64 sequence;\n"
                "\tu8 table_sha256[%u];\n"
                "\tchar bundle_id[sizeof(BUNDLE_ID)];\n"
                "} __packed;\n\n"
                "static const struct {\n"
                "\tstruct elf64_note identity_header;\n"
                "\tchar identity_owner[ROUND_UP_4(sizeof(\"" HOTPATCH_NOTE_OWNER "\"))];\n"
                "\tstruct hotpatch_identity identity;\n"
                "\tchar pad[ROUND_UP_4(sizeof(struct hotpatch_identity)) -\n"
                "\t\t sizeof(struct hotpatch_identity)];\n"
                "\tstruct elf64_note table_header;\n"
                "\tchar table_owner[ROUND_UP_4(sizeof(\"" HOTPATCH_NOTE_OWNER "\"))];\n"
                "\tchar table[ROUND_UP_4(sizeof(TABLE))];\n",
                DIGEST_SIZE);
}

/* livepatch/note.h has the format; both notes in one object, so that nothing comes between them. */
static void put_note(FILE *f, const PatchFile *p, const char *text, const uint8_t digest[static DIGEST_SIZE]) {
        put_note_texts(f, p, text);
        put_note_type(f);
        fprintf(f,
                "} __packed hotpatch_note __used __aligned(4)\n"
                "\t__section(\"" HOTPATCH_NOTE_SECTION "\") = {\n"
                "\t.identity_header = {\n"
                "\t\t.n_namesz = sizeof(\"" HOTPATCH_NOTE_OWNER "\"),\n"
                "\t\t.n_descsz = sizeof(struct hotpatch_identity),\n"
                "\t\t.n_type = %u,\n"
                "\t},\n"
                "\t.identity_owner = \"" HOTPATCH_NOTE_OWNER "\",\n"
                "\t.identity.version = cpu_to_le32(%u),\n"
                "\t.identity.sequence = cpu_to_le64(%" PRIu64 "ULL),\n"
                "\t.identity.table_sha256 = {\n",
                HOTPATCH_NOTE_IDENTITY, HOTPATCH_NOTE_VERSION, p->manifest->sequence);
        put_bytes(f, digest, DIGEST_SIZE);
        fprintf(f,
                "\t},\n"
                "\t.identity.bundle_id = BUNDLE_ID,\n"
                "\t.table_header = {\n"
                "\t\t.n_namesz = sizeof(\"" HOTPATCH_NOTE_OWNER "\"),\n"
                "\t\t.n_descsz = sizeof(TABLE),\n"
                "\t\t.n_type = %u,\n"
                "\t},\n"
                "\t.table_owner = \"" HOTPATCH_NOTE_OWNER "\",\n"
                "\t.table = TABLE,\n"
                "};\n\n",
                HOTPATCH_NOTE_TABLE);
}

/**
 * table_source() - the generated C file
 * @p: the patch
 * @ret: the text; free with free()
 *
 * Return: 0 or a negative errno.
 */
int table_source(const PatchFile *p, char **ret) {
        _cleanup_free_ char *text = NULL, *source = NULL;
        _cleanup_strv_free_ char **objects = NULL;
        uint8_t digest[DIGEST_SIZE];
        size_t size;
        FILE *f;
        int r;

        r = table_text(p, &text);
        if (r < 0)
                return r;
        r = digest_bytes(text, strlen(text) + 1, digest); /* the descriptor has the NUL */
        if (r < 0)
                return r;
        r = list_objects(p, &objects);
        if (r < 0)
                return r;
        f = open_memstream(&source, &size);
        if (!f)
                return -ENOMEM;
        fputs("// SPDX-License-Identifier: GPL-2.0-only\n"
              "/* Made by hotpatch-module from patch.json. */\n\n"
              "#include <linux/elf.h>\n\n"
              "#include \"runtime.h\"\n\n", f);
        put_declarations(f, p);
        put_patch(f, p, objects);
        put_self_test(f, p);
        put_note(f, p, text, digest);
        fputs("MODULE_DESCRIPTION(\"", f);
        put_escaped(f, p->manifest->title);
        fputs("\");\n", f);
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(source);
        return 0;
}
