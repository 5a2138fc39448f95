/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of match/ share. Nobody else includes this. */

#include "builder/match/match.h"
#include "builder/object/insn.h"

/** struct Point - an instruction boundary on both sides */
typedef struct Point {
        uint64_t offset;  /* in the object's section */
        uint64_t address; /* in the image */
} Point;

/**
 * struct Part - one piece of code that is matched in a run: a function, its .cold part, or a piece of
 * .altinstr_aux, which has no symbol
 * @start, @end: in the object's section
 * @address: where it begins in the image
 * @size: what it takes there; known after the walk
 * @points: ascending, the end included
 */
typedef struct Part {
        uint32_t symbol; /* 0: none */
        uint32_t section;
        uint64_t start;
        uint64_t end;
        uint64_t address;
        uint64_t size;
        Point *points;
        size_t n_points;
} Part;

/** struct Branch - a place in the object's code that the code refers to, and what the image has for it */
typedef struct Branch {
        uint32_t section;
        uint64_t target;
        uint64_t address;
        Point from;
        uint32_t from_section;
} Branch;

/** struct Place - a symbol of the object, and where the image has it */
typedef struct Place {
        uint32_t symbol;
        uint64_t address;
} Place;

/**
 * struct Body - one attempt to match one function at one address
 * @function: the symbol
 * @parts: the function itself comes first; more are found on the way
 * @branches: compared when all parts have their points
 * @places: what the code refers to; believed when everything else is proven
 * @difference: why not; NULL while it matches
 * @progress: instructions that matched
 */
typedef struct Body {
        uint32_t function;
        Part *parts;
        size_t n_parts;
        Branch *branches;
        size_t n_branches;
        Place *places;
        size_t n_places;
        char *difference;
        size_t progress;
} Body;

typedef enum SiteKind {
        SITE_ALTERNATIVE,
        SITE_PARAVIRT,
        SITE_LOCK,
        SITE_RETPOLINE,
        SITE_RETURN,
        SITE_CALL,        /* call depth tracking */
        SITE_STATIC_CALL,
        SITE_JUMP_LABEL,
        SITE_ENDBR,
        SITE_CONSTANT,    /* a constant that is known only at boot */
} SiteKind;

/** struct Site - a place in the image's code that a running kernel may write to, from the image's tables */
typedef struct Site {
        uint64_t address;
        uint32_t size; /* 0: the instruction that is there */
        SiteKind kind;
        uint64_t target; /* of a static branch */
        uint64_t key;    /* of a static branch, without its flags */
} Site;

typedef struct Sites {
        Site *items; /* by address */
        size_t n;
} Sites;

/** struct ObjectSite - the same for the object's tables, as far as the comparison needs it */
typedef struct ObjectSite {
        uint32_t section;
        uint64_t offset;
        uint32_t size;     /* of the instructions that alternatives replace */
        bool jump_label;
        bool jump_hack;    /* objtool writes a NOP over the jump */
        ObjectRelocation target; /* of a static branch */
        ObjectRelocation key;
} ObjectSite;

/** struct Known - where the image has a symbol of the object, and how we know */
typedef struct Known {
        uint64_t address;
        bool set;
        bool contradicted; /* two matched functions disagree */
        bool asked;        /* all that could tell have been tried */
        bool proving;
        Match *match;
} Known;

struct Matcher {
        const Object *object;
        const Image *image;
        Sites sites;
        ObjectSite *object_sites; /* by section and offset */
        size_t n_object_sites;
        Known *known;             /* for each symbol of the object */
};

/* sites.c */
int sites_read(const Image *image, Sites *ret) _must_check_ _nonnull_(1, 2);
const Site *sites_from(const Sites *s, uint64_t address) _nonnull_(1);
const Site *sites_find(const Sites *s, uint64_t address, SiteKind kind) _nonnull_(1);

/* objectsites.c */
int object_sites_read(const Object *o, ObjectSite **ret, size_t *ret_n) _must_check_ _nonnull_(1, 2, 3);
const ObjectSite *object_sites_jump(const Matcher *m, uint32_t section, uint64_t offset) _nonnull_(1);
bool object_sites_alternative(const Matcher *m, uint32_t section, uint64_t offset) _nonnull_(1);

/* body.c */
void body_done(Body *b) _nonnull_(1);
int body_match(Matcher *m, uint32_t function, uint64_t address, Body *ret) _must_check_ _nonnull_(1, 4);
int body_add_part(Body *b, uint32_t symbol, uint32_t section, uint64_t start, uint64_t end, uint64_t address)
                _must_check_ _nonnull_(1);
int body_add_branch(Body *b, const Branch *branch) _must_check_ _nonnull_(1, 2);
int body_add_place(Body *b, uint32_t symbol, uint64_t address) _must_check_ _nonnull_(1);
const Part *body_part(const Body *b, uint32_t section, uint64_t offset) _nonnull_(1);

/* walk.c: 1 it matches, 0 it does not and b->difference says why, or a negative errno */
int part_walk(Matcher *m, Body *b, size_t part) _must_check_ _nonnull_(1, 2);

/* reference.c: the same */
int reference_check(Matcher *m, Body *b, uint32_t section, Point at, const ObjectRelocation *relocation,
                uint64_t target) _must_check_ _nonnull_(1, 2, 5);
bool reference_named(const Matcher *m, uint32_t symbol, uint64_t address) _nonnull_(1);

/* content.c: are the bytes of the object's section from an offset on those at an address? */
bool content_same(const Matcher *m, uint32_t section, int64_t offset, uint64_t size, uint64_t address) _nonnull_(1);
bool content_string_same(const Matcher *m, uint32_t section, int64_t offset, uint64_t address) _nonnull_(1);

/* explain.c: set b->difference; 0 or a negative errno */
int explain_instruction(const Matcher *m, Body *b, uint32_t section, Point at) _must_check_ _nonnull_(1, 2);
int explain_reference(const Matcher *m, Body *b, uint32_t section, Point at, uint32_t symbol, uint64_t target)
                _must_check_ _nonnull_(1, 2);
int explain(Body *b, const char *format, ...) _must_check_ _nonnull_(1, 2) _printf_(2, 3);

/* matcher.c */
const ImageSymbol *symbol_of(const Matcher *m, uint32_t symbol, uint64_t address) _nonnull_(1);
void matcher_know(Matcher *m, uint32_t symbol, uint64_t address) _nonnull_(1);
int matcher_try(Matcher *m, uint32_t function, Findings *findings) _must_check_ _nonnull_(1);

/* locate.c */
int matcher_ask(Matcher *m, uint32_t symbol) _must_check_ _nonnull_(1);

/* mask.c */
int match_make(const Matcher *m, const Part *part, Match **ret) _must_check_ _nonnull_(1, 2, 3);
Match *match_free(Match *match);
