/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The order of work: what was changed is taken over; whatever that needs is followed until nothing new is
 * found; then everything gets its place, its bytes and its relocations. Nothing is written when there
 * is a refusal, but all of them are collected before.
 *
 * A replaced function keeps its name as a local symbol, for stack traces, and gets a global one that
 * is a C identifier, for the table. The local one comes first in the symbol table, and kallsyms takes
 * the first of several at one address.
 *
 * A changed function that ftrace cannot redirect (system calls are: the source's inline functions are
 * notrace) is taken over without being redirected, if all that reach it are calls from what else is
 * taken over.
 */

#include "builder/extract/extract-internal.h"

#include "util/strv.h"

/* Intel SDM volume 2, ENDBR64 */
static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

static void extractor_done(Extractor *e) {
        for (size_t i = 0; i < e->n_pieces; i++)
                free(e->pieces[i].hidden);
        free(e->pieces);
        free(e->silenced);
        free(e->constants);
        free(e->externals);
        types_free(e->types);
        output_done(&e->output);
        extracted_done(&e->result);
}

/** extracted_done() - free what the result owns */
void extracted_done(Extracted *x) {
        for (size_t i = 0; i < x->n_functions; i++) {
                free(x->functions[i].object);
                free(x->functions[i].function);
                free(x->functions[i].replacement);
        }
        for (size_t i = 0; i < x->n_symbols; i++) {
                free(x->symbols[i].name);
                free(x->symbols[i].object);
                free(x->symbols[i].symbol);
                free(x->symbols[i].owner);
        }
        free(x->functions);
        free(x->symbols);
        strv_free(x->added);
        *x = (Extracted) {};
}

static ChangeKind change_kind(const Extractor *e, uint32_t symbol) {
        return e->in->changes->symbols[symbol].kind;
}

static bool is_kept_code(const Object *o, uint32_t symbol) {
        return object_symbol_is_function(o, symbol) && o->sections[o->symbols[symbol].section].kind == OBJECT_CODE;
}

/* New, and visible to the other objects of the fix. */
static bool is_provided(const Changes *c, uint32_t symbol) {
        const Object *o = c->after;
        const ObjectSymbol *s = o->symbols + symbol;

        if (c->symbols[symbol].kind != CHANGE_NEW || !object_symbol_is_defined(o, symbol) || s->bind == STB_LOCAL)
                return false;
        return is_kept_code(o, symbol) || (s->type == STT_OBJECT && (o->sections[s->section].kind == OBJECT_DATA ||
                                                        o->sections[s->section].kind == OBJECT_READ_ONLY));
}

/** provided_add() - one more; @object is "" for the patch itself. Returns 0 or -ENOMEM. */
int provided_add(Provided *p, const char *name, const char *object) {
        int r = strv_extend(&p->names, name);

        return r < 0 ? r : strv_extend(&p->objects, object);
}

void provided_done(Provided *p) {
        strv_free(p->names);
        strv_free(p->objects);
        *p = (Provided) {};
}

/**
 * extract_provided() - what of an object other objects of the fix may use
 * @changes: of the object
 * @object: `vmlinux` or the module that it belongs to
 * @p: is added to
 *
 * Return: 0 or -ENOMEM.
 */
int extract_provided(const Changes *changes, const char *object, Provided *p) {
        for (uint32_t i = 1; i < changes->after->n_symbols; i++)
                if (is_provided(changes, i)) {
                        int r = provided_add(p, changes->after->symbols[i].name, object);

                        if (r < 0)
                                return r;
                }
        return 0;
}

/* ---- what is taken over ---- */

static int take_roots(Extractor *e) {
        const Object *o = e->object;
        size_t piece;
        int r = 0;

        for (uint32_t i = 1; i < o->n_symbols && r >= 0; i++)
                if (is_kept_code(o, i) && (change_kind(e, i) == CHANGE_CHANGED || is_provided(e->in->changes, i)))
                        r = piece_add_function(e, object_function_parent(o, i));
                else if (is_provided(e->in->changes, i))
                        r = piece_add_data(e, i, &piece);
        return r;
}

static int follow_relocations(Extractor *e, size_t piece) {
        const ObjectSection *s = e->object->sections + e->pieces[piece].section;
        Target target;
        int r = 0;

        for (size_t i = 0; i < s->n_relocations && r >= 0; i++)
                if (s->relocations[i].offset >= e->pieces[piece].start && s->relocations[i].offset < e->pieces[piece].end &&
                                !field_is_silenced(e, e->pieces[piece].section, s->relocations[i].offset))
                        r = target_find(e, piece, s->relocations + i, &target);
        for (size_t i = 0; i < e->pieces[piece].n_hidden && r >= 0; i++)
                r = target_find(e, piece, e->pieces[piece].hidden + i, &target);
        return r;
}

static int follow(Extractor *e) {
        int r = take_roots(e);

        for (size_t i = 0; i < e->n_pieces && r >= 0; i++) {
                r = follow_relocations(e, i);
                if (r >= 0 && piece_is_code(e->pieces + i))
                        r = tables_scan(e, i);
                if (r >= 0 && piece_is_code(e->pieces + i))
                        r = constants_scan(e, i);
        }
        return r < 0 ? r : tables_check(e);
}

/* ---- what is redirected ---- */

static int refuse_carried(Extractor *e, uint32_t function, const char *why, const char *other) {
        const char *name = e->object->symbols[function].name;

        return findings_refuse(e->findings, RULE_NO_FTRACE_SITE, name,
                "ftrace has no place to redirect '%s', and %s%s", name, why, other);
}

/* One reference to a function that is not redirected: only a call from what is taken over will do. */
static int check_carried_reference(Extractor *e, uint32_t function, uint32_t section, const ObjectRelocation *rel) {
        const Object *o = e->object;
        size_t from = piece_find(e, section, rel->offset);
        uint32_t caller;

        if (from != NO_PIECE && e->pieces[from].function == function)
                return 0;
        if (from != NO_PIECE && piece_is_code(e->pieces + from) &&
                        object_field_is_branch(o->sections + section, rel))
                return 0;
        caller = object_covering(o, section, rel->offset);
        return refuse_carried(e, function, caller ? "it is used by " : "its address is in section ",
                caller ? o->symbols[caller].name : o->sections[section].name);
}

static int check_carried(Extractor *e, uint32_t function) {
        const Object *o = e->object;
        int r = 0;

        if (o->symbols[function].bind != STB_LOCAL)
                return refuse_carried(e, function, "other objects may call it", "");
        if (!object_symbol_is_alone(o, function))
                return refuse_carried(e, function, "its neighbours may call it, in section ",
                        o->sections[o->symbols[function].section].name);
        for (uint32_t i = 1; i < o->n_sections && r >= 0; i++) {
                const ObjectSection *s = o->sections + i;

                if (s->kind == OBJECT_TABLE || s->kind == OBJECT_IGNORED)
                        continue;
                for (size_t n = 0; n < s->n_relocations && r >= 0; n++)
                        if (object_symbol_is_function(o, s->relocations[n].symbol) &&
                                        object_function_parent(o, s->relocations[n].symbol) == function)
                                r = check_carried_reference(e, function, i, s->relocations + n);
        }
        return r;
}

static int add_redirection(Extractor *e, const Piece *p, const ImageSymbol *original) {
        PatchFunction f = {
                .object = strdup(e->in->image->object),
                .function = strdup(original->name),
                .sympos = original->n_same > 1 ? original->position : 0,
        };
        int r;

        r = replacement_name(e, e->object->symbols[p->symbol].name, &f.replacement);
        if (r >= 0)
                r = f.object && f.function ? APPEND(e->result.functions, e->result.n_functions, f) : -ENOMEM;
        if (r < 0) {
                free(f.object);
                free(f.function);
                free(f.replacement);
        }
        return r;
}

static bool begins_with_endbr(const Extractor *e, const Piece *p) {
        const ObjectSymbol *f = e->object->symbols + p->symbol;
        const ObjectSection *s = e->object->sections + f->section;

        return f->size >= sizeof(endbr64) && memcmp(s->data + f->value, endbr64, sizeof(endbr64)) == 0;
}

/*
 * The table has the address of each replacement, and objtool wants an endbr64 where an address leads to
 * that is in data. ftrace gets there by a return, which needs none.
 */
static int permit_address(Extractor *e, const Piece *p) {
        OutputRelocation rel = { .type = R_X86_64_32, .section = p->to };
        size_t section;
        int r;

        if (begins_with_endbr(e, p))
                return 0;
        rel.addend = (int64_t) (p->at + e->object->symbols[p->symbol].value - p->start);
        r = output_section(&e->output, ".discard.noendbr", SHT_PROGBITS, 0, &section);
        if (r >= 0)
                r = output_reserve(&e->output, section, 4, 1, &rel.offset);
        return r < 0 ? r : output_relocate(&e->output, section, &rel);
}

static OutputSymbol symbol_of(const Extractor *e, const Piece *p) {
        const ObjectSymbol *s = e->object->symbols + p->symbol;

        return (OutputSymbol) {
                .name = (char *) s->name,
                .section = p->to,
                .value = p->at + (s->value - p->start),
                .size = s->size,
                .type = p->kind == PIECE_FUNCTION ? STT_FUNC : STT_OBJECT,
                .bind = is_provided(e->in->changes, p->symbol) ? STB_GLOBAL : STB_LOCAL,
        };
}

/* Which pieces are redirected is found before there is an output, their symbols are added after. */
static int redirect(Extractor *e, const Piece *p) {
        uint32_t before = e->in->changes->symbols[p->symbol].before;
        const ImageSymbol *original;
        int r;

        r = matcher_locate(e->in->matcher, before, &original);
        if (r == -ENOENT || (r > 0 && !image_ftrace_site(e->in->image, original->address)))
                return check_carried(e, p->symbol);
        r = original_find(e, p->symbol, &original);
        return r <= 0 ? r : add_redirection(e, p, original);
}

static bool is_changed_function(const Extractor *e, const Piece *p) {
        return p->kind == PIECE_FUNCTION && p->symbol == p->function && change_kind(e, p->symbol) == CHANGE_CHANGED;
}

static int name_functions(Extractor *e) {
        int r = 0;

        for (size_t i = 0; i < e->n_pieces && r >= 0; i++) {
                const Piece *p = e->pieces + i;

                if (is_changed_function(e, p))
                        r = redirect(e, p);
                else if (p->kind == PIECE_FUNCTION && p->symbol == p->function)
                        r = strv_extend(&e->result.added, e->object->symbols[p->symbol].name);
        }
        return r;
}

static bool is_redirected(const Extractor *e, const char *replacement) {
        for (size_t i = 0; i < e->result.n_functions; i++)
                if (streq(e->result.functions[i].replacement, replacement))
                        return true;
        return false;
}

static int add_alias(Extractor *e, const Piece *p) {
        _cleanup_free_ char *name = NULL;
        OutputSymbol s = symbol_of(e, p);
        int r;

        r = replacement_name(e, s.name, &name);
        if (r < 0 || !is_redirected(e, name))
                return r;
        s.name = name;
        s.bind = STB_GLOBAL;
        r = output_symbol(&e->output, &s, NULL);
        return r < 0 ? r : permit_address(e, p);
}

static int add_symbols(Extractor *e) {
        int r = 0;

        for (size_t i = 0; i < e->n_pieces && r >= 0; i++) {
                OutputSymbol s;

                if (e->pieces[i].kind != PIECE_FUNCTION && e->pieces[i].kind != PIECE_DATA)
                        continue;
                s = symbol_of(e, e->pieces + i);
                r = output_symbol(&e->output, &s, NULL);
                if (r >= 0 && is_changed_function(e, e->pieces + i))
                        r = add_alias(e, e->pieces + i);
        }
        return r;
}

static int produce(Extractor *e, const char *path) {
        int r;

        r = pieces_copy(e);
        if (r >= 0)
                r = add_symbols(e);
        return r < 0 ? r : output_write(&e->output, path, e->error);
}

/**
 * extract() - make an object of what the fix changed
 * @in: the compared object, the image, and who knows where things are
 * @path: of the new object; must not exist
 * @ret: what the module's table and post-link step have to know; free with extracted_done()
 * @findings: gets what cannot be done; with refusals from here there is no file, and @ret is empty
 * @error: what kept us from deciding
 *
 * Return: 0 or a negative errno.
 */
int extract(const ExtractInput *in, const char *path, Extracted *ret, Findings *findings, sd_bus_error *error) {
        _cleanup_(extractor_done) Extractor e = {
                .in = in,
                .object = in->changes->after,
                .findings = findings,
                .error = error,
        };
        size_t refusals = findings_refusals(findings);
        int r;

        *ret = (Extracted) {};
        e.externals = calloc(e.object->n_symbols, sizeof(*e.externals));
        if (!e.externals)
                return -ENOMEM;
        r = follow(&e);
        if (r >= 0)
                r = name_functions(&e);
        if (r >= 0)
                r = pieces_lay_out(&e);
        if (r < 0 || findings_refusals(findings) > refusals || e.n_pieces == 0)
                return r < 0 ? r : 0;
        r = produce(&e, path);
        if (r < 0)
                return r;
        *ret = e.result;
        e.result = (Extracted) {};
        return 0;
}
