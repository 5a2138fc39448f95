/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Proving functions of one object against one image (run-pre matching).
 *
 * A function is proven by finding exactly one place in the image that is the same, and everything that
 * a proven function refers to is known from then on. So one that cannot be told from its twins by its
 * bytes can be told by who calls it. Nothing is ever taken back: what contradicts is remembered as such
 * and never used again.
 */

#include "builder/match/matcher.h"

#include <elf.h>

/**
 * matcher_new() - get ready
 * @before: the object; stays the caller's and must stay
 * @image: the same
 *
 * Return: 0, -EBADMSG or -EOPNOTSUPP when a table of either is not as we know it, or -ENOMEM.
 */
int matcher_new(const Object *before, const Image *image, Matcher **ret) {
        _cleanup_matcher_free_ Matcher *m = calloc(1, sizeof(*m));
        int r;

        if (!m)
                return -ENOMEM;
        m->object = before;
        m->image = image;
        m->known = calloc(before->n_symbols, sizeof(*m->known));
        if (!m->known)
                return -ENOMEM;
        r = object_sites_read(before, &m->object_sites, &m->n_object_sites);
        if (r < 0)
                return r;
        r = sites_read(image, &m->sites);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/** matcher_free() - Return: NULL */
Matcher *matcher_free(Matcher *m) {
        if (!m)
                return NULL;
        for (size_t i = 0; m->known && i < m->object->n_symbols; i++)
                match_free(m->known[i].match);
        free(m->known);
        free(m->object_sites);
        free(m->sites.items);
        free(m);
        return NULL;
}

/** symbol_of() - the image's symbol at an address, by the object's name if there is one */
const ImageSymbol *symbol_of(const Matcher *m, uint32_t symbol, uint64_t address) {
        const ImageSymbol *at = NULL;
        size_t n = image_symbols_at(m->image, address, &at);

        for (size_t i = 0; i < n; i++)
                if (streq(at[i].name, m->object->symbols[symbol].name))
                        return at + i;
        return n > 0 ? at : NULL;
}

static void know_one(Known *known, uint64_t address) {
        if (known->set && known->address != address)
                known->contradicted = true;
        else
                *known = (Known) {
                        .address = address,
                        .set = true,
                        .contradicted = known->contradicted,
                        .asked = known->asked,
                        .proving = known->proving,
                        .match = known->match,
                };
}

/** matcher_know() - where the image has a symbol, and with it its aliases; a weak one may lead elsewhere */
void matcher_know(Matcher *m, uint32_t symbol, uint64_t address) {
        const ObjectSymbol *s = m->object->symbols + symbol;
        bool news = !m->known[symbol].set;

        know_one(m->known + symbol, address);
        if (!news || !object_symbol_is_defined(m->object, symbol) || s->type == STT_SECTION || s->bind == STB_WEAK)
                return;
        for (size_t i = 1; i < m->object->n_symbols; i++) {
                const ObjectSymbol *alias = m->object->symbols + i;

                if (i != symbol && alias->section == s->section && alias->value == s->value &&
                    alias->type == s->type && alias->size == s->size && alias->bind != STB_WEAK)
                        know_one(m->known + i, address);
        }
}

/* Everything that a proven function tells. */
static int learn(Matcher *m, const Body *b) {
        for (size_t i = 0; i < b->n_parts; i++) {
                const Part *p = b->parts + i;
                int r;

                if (p->symbol == 0 || m->known[p->symbol].match)
                        continue;
                r = match_make(m, p, &m->known[p->symbol].match);
                if (r < 0)
                        return r;
                matcher_know(m, p->symbol, p->address);
        }
        for (size_t i = 0; i < b->n_places; i++)
                matcher_know(m, b->places[i].symbol, b->places[i].address);
        return 0;
}

/** struct Search - all candidates of one name */
typedef struct Search {
        Body best;      /* the only one that matches, or the one that got farthest */
        size_t matches;
        size_t tried;
} Search;

static int try_address(Matcher *m, uint32_t function, uint64_t address, Search *s) {
        Body b = {};
        int r = body_match(m, function, address, &b);

        if (r < 0)
                return r;
        s->tried++;
        if (r > 0)
                s->matches++;
        if ((r > 0 && s->matches == 1) || (s->matches == 0 && (s->tried == 1 || b.progress > s->best.progress))) {
                body_done(&s->best);
                s->best = b;
        } else
                body_done(&b);
        return 0;
}

static int try_all(Matcher *m, uint32_t function, Search *ret) {
        const Known *known = m->known + function;
        const ImageSymbol *const *found;
        Search s = {};
        size_t n;
        int r = 0;

        if (known->set)
                r = known->contradicted ? 0 : try_address(m, function, known->address, &s);
        else {
                n = image_find(m->image, m->object->symbols[function].name, &found);
                for (size_t i = 0; i < n && r >= 0; i++)
                        if (found[i]->function && !found[i]->undefined)
                                r = try_address(m, function, found[i]->address, &s);
        }
        if (r < 0)
                body_done(&s.best);
        *ret = s;
        return r;
}

static int refuse(Matcher *m, uint32_t function, const Search *s, Findings *findings) {
        const char *name = m->object->symbols[function].name;

        if (m->known[function].contradicted)
                return findings_refuse(findings, RULE_AMBIGUOUS_SYMBOL, name,
                                       "The code and the data of '%s' disagree about which function '%s' is meant",
                                       m->image->object, name);
        if (s->matches > 1)
                return findings_refuse(findings, RULE_AMBIGUOUS_SYMBOL, name,
                                       "%zu functions '%s' of '%s' are all like the one compiled here, and "
                                       "nothing tells them apart", s->matches, name, m->image->object);
        if (s->tried == 0)
                return findings_refuse(findings, RULE_NOT_MATCHED, name, "'%s' has no function '%s'",
                                       m->image->object, name);
        if (m->object->symbols[function].bind == STB_WEAK)
                return findings_refuse(findings, RULE_NOT_MATCHED, name,
                                       "'%s' is only a default here, and '%s' has another function of that name: %s",
                                       name, m->image->object, s->best.difference);
        if (s->tried > 1)
                return findings_refuse(findings, RULE_NOT_MATCHED, name,
                                       "None of the %zu functions '%s' of '%s' is the one compiled here; the nearest: %s",
                                       s->tried, name, m->image->object, s->best.difference);
        return findings_refuse(findings, RULE_NOT_MATCHED, name, "'%s' %s", name, s->best.difference);
}

static int prove(Matcher *m, uint32_t function, Findings *findings) {
        Search s;
        int r;

        r = try_all(m, function, &s);
        if (r < 0)
                return r;
        if (s.matches > 1 && !m->known[function].set) {
                body_done(&s.best);
                r = matcher_ask(m, function);
                if (r >= 0)
                        r = try_all(m, function, &s);
                if (r < 0)
                        return r;
        }
        if (s.matches == 1)
                r = learn(m, &s.best);
        else if (findings)
                r = refuse(m, function, &s, findings);
        r = r < 0 ? r : s.matches == 1;
        body_done(&s.best);
        return r;
}

/* Assembly that does not say where its functions end. */
static int refuse_assembly(const Matcher *m, uint32_t function, Findings *findings) {
        const char *name = m->object->symbols[function].name;

        return findings_refuse(findings, RULE_UNSUPPORTED, name, "'%s' is assembly without a size", name);
}

/** matcher_try() - like matcher_prove(), without a result; @findings may be NULL */
int matcher_try(Matcher *m, uint32_t function, Findings *findings) {
        uint32_t parent = object_function_parent(m->object, function);
        Known *known = m->known + parent;
        int r;

        if (m->known[function].match)
                return 1;
        if (known->proving) /* it is being asked for on the way to itself */
                return 0;
        if (!object_symbol_is_function(m->object, function) || !object_symbol_is_defined(m->object, function))
                return -EINVAL;
        if (m->object->symbols[parent].size == 0)
                return findings ? refuse_assembly(m, function, findings) : 0;
        known->proving = true;
        r = prove(m, parent, findings);
        known->proving = false;
        return r > 0 ? m->known[function].match != NULL : r;
}

/**
 * matcher_prove() - find a function of the object in the image and prove that it is the same
 * @function: a defined function symbol; with the .cold part of one, that function is proven
 * @ret: owned by the matcher
 * @findings: gets the refusal
 *
 * Return: 1 and the match, 0 when it does not match and a finding says why, or a negative errno.
 */
int matcher_prove(Matcher *m, uint32_t function, const Match **ret, Findings *findings) {
        int r = matcher_try(m, function, findings);

        if (r > 0)
                *ret = m->known[function].match;
        return r;
}
