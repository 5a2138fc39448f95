/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Changed functions that cannot be redirected, but whose callers can.
 *
 * The kernel's `inline` says notrace as well (include/linux/compiler_types.h), and gcc is free not to
 * inline: __do_sys_fsmount() is such a function, and every system call's body may be. Nobody outside of
 * the object knows it. So its callers take over: they count as changed, are redirected, and call the
 * new one, which the patch carries. This goes on until every such function is only called by others that
 * are replaced.
 *
 * Not so if somebody else may call it: it is global, or its address is taken. Then it stays as it is
 * here, and the rule over functions refuses it.
 */

#include "builder/rules/internal.h"
#include "util/str.h"

/* Several functions of a name: enough if one can be redirected; matching finds out which it is. */
bool image_has_site(const Image *image, const char *name, bool *ret_found) {
        const ImageSymbol *const *symbols;
        size_t n = image_find(image, name, &symbols);

        *ret_found = false;
        for (size_t i = 0; i < n; i++) {
                if (!symbols[i]->function || symbols[i]->undefined || symbols[i]->init)
                        continue;
                *ret_found = true;
                if (image_ftrace_site(image, symbols[i]->address))
                        return true;
        }
        return false;
}

/*
 * Who refers to a function, one after the other
 * @section, @relocation: where to go on; 0, 0 to begin with. Moved behind what was found
 * @ret_user: the function that does (never a .cold part); 0: data, or init code
 * @ret_call: by calling it or jumping to it
 *
 * Return: false: no more.
 */
static bool next_reference(const Object *o, uint32_t function, size_t *section, size_t *relocation, uint32_t *ret_user,
                bool *ret_call) {
        for (; *section < o->n_sections; (*section)++, *relocation = 0) {
                const ObjectSection *s = o->sections + *section;

                if (s->kind == OBJECT_TABLE || s->kind == OBJECT_IGNORED || s->kind == OBJECT_EXPORT)
                        continue;
                while (*relocation < s->n_relocations) {
                        const ObjectRelocation *r = s->relocations + (*relocation)++;
                        uint32_t user;

                        if (!object_symbol_is_function(o, r->symbol) ||
                                        object_function_parent(o, r->symbol) != function)
                                continue;
                        user = object_covering(o, (uint32_t) *section, r->offset);
                        if (user != 0 && object_symbol_is_function(o, user))
                                user = object_function_parent(o, user);
                        if (user == function)
                                continue; /* its own jumps between its parts */
                        *ret_user = s->kind == OBJECT_CODE ? user : 0;
                        *ret_call = s->kind == OBJECT_CODE && object_field_is_branch(s, r);
                        return true;
                }
        }
        return false;
}

/* Is every reference to a function a call, and by a function of this object? */
static bool only_called(const Object *o, uint32_t function) {
        size_t section = 0, relocation = 0;
        uint32_t user;
        bool call;

        if (o->symbols[function].bind != STB_LOCAL)
                return false;
        while (next_reference(o, function, &section, &relocation, &user, &call))
                if (!call || user == 0)
                        return false;
        return true;
}

/** struct Walk - from a function up to callers that can be redirected
 *  @seen: for each symbol of the object after the fix: on the way already */
typedef struct Walk {
        const Changes *changes;
        const Image *image;
        bool *seen;
} Walk;

/* In a section that it shares (.noinstr.text, .kprobes.text), neighbours call it without a relocation: who does
 * cannot be seen. */
static bool callers_are_known(const Changes *c, uint32_t function) {
        return object_symbol_is_alone(c->after, function) &&
                object_symbol_is_alone(c->before, c->symbols[function].before) && only_called(c->after, function) &&
                only_called(c->before, c->symbols[function].before);
}

/* New functions have no original that would have to be redirected. */
static bool has_site(const Walk *w, uint32_t function) {
        uint32_t before = w->changes->symbols[function].before;
        bool found;

        return before == 0 || image_has_site(w->image, w->changes->before->symbols[before].name, &found);
}

static bool reaches_sites(Walk *w, uint32_t function) {
        const Changes *c = w->changes;
        size_t section = 0, relocation = 0;
        uint32_t user;
        bool call;

        if (w->seen[function] || has_site(w, function))
                return true;
        w->seen[function] = true;
        if (!callers_are_known(c, function))
                return false;
        while (next_reference(c->after, function, &section, &relocation, &user, &call))
                if (!reaches_sites(w, user))
                        return false;
        return true;
}

/**
 * callers_can_take_over() - is each way to a function through others that can be redirected?
 * @function: of the object after the fix; not a .cold part
 *
 * Return: 1 yes, 0 no, or -ENOMEM.
 */
int callers_can_take_over(const Changes *c, const Image *image, uint32_t function) {
        _cleanup_free_ bool *seen = calloc(c->after->n_symbols, sizeof(*seen));

        if (!seen)
                return -ENOMEM;
        return reaches_sites(&(Walk) { c, image, seen }, function);
}

static int mark(Changes *c, uint32_t symbol, const char *callee) {
        SymbolChange *s = c->symbols + symbol;

        if (s->kind != CHANGE_SAME)
                return 0;
        free(s->why);
        if (str_printf(&s->why, "calls '%s', which cannot be redirected itself", callee) < 0)
                return -ENOMEM;
        s->kind = CHANGE_CHANGED;
        return 1;
}

/* A function and its parts are replaced together. */
static int mark_family(Changes *c, uint32_t function, const char *callee) {
        int marked = 0;

        for (uint32_t i = 1; i < c->after->n_symbols; i++) {
                int r;

                if (!object_symbol_is_function(c->after, i) || object_function_parent(c->after, i) != function)
                        continue;
                r = mark(c, i, callee);
                if (r < 0)
                        return r;
                marked |= r;
        }
        return marked;
}

static int mark_callers(Changes *c, uint32_t function) {
        size_t section = 0, relocation = 0;
        int marked = 0;
        uint32_t user;
        bool call;

        while (next_reference(c->after, function, &section, &relocation, &user, &call)) {
                int r = mark_family(c, user, c->after->symbols[function].name);

                if (r < 0)
                        return r;
                marked |= r;
        }
        return marked;
}

/* Return: 1 when there is something new to look at, 0, or -ENOMEM. */
static int take_over(Changes *c, const Image *image, uint32_t i) {
        const ObjectSection *s = symbol_section(c->after, i);
        bool found;
        int r;

        if (c->symbols[i].kind != CHANGE_CHANGED || c->symbols[i].before == 0 || !s || s->kind != OBJECT_CODE ||
                        !object_symbol_is_function(c->after, i) || object_function_parent(c->after, i) != i ||
                        image_has_site(image, c->before->symbols[c->symbols[i].before].name, &found))
                return 0;
        r = callers_can_take_over(c, image, i);
        return r <= 0 ? r : mark_callers(c, i);
}

/**
 * callers_take_over() - mark as changed who calls a changed function that cannot be redirected
 * @c: CHANGE_SAME becomes CHANGE_CHANGED, with the reason
 * @image: that the object is part of
 *
 * Return: 0 or -ENOMEM.
 */
int callers_take_over(Changes *c, const Image *image) {
        int marked = 1;

        while (marked > 0) {
                marked = 0;
                for (uint32_t i = 1; i < c->after->n_symbols; i++) {
                        int r = take_over(c, image, i);

                        if (r < 0)
                                return r;
                        marked |= r;
                }
        }
        return 0;
}
