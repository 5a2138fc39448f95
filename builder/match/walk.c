/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One piece of code, instruction by instruction, on both sides. Every byte must be the same, except
 *
 * - relocated fields: what they lead to is compared (reference.c);
 * - branches within the code: assembled with each function in a section of its own, a jump to another
 *   function is always a near one, and in the image it may be short. What follows is shifted, so
 *   targets are compared as instructions, and not as distances, when all have been walked (body.c);
 * - alignment, which is longer or shorter after such a shift;
 * - static branches: objtool wrote a NOP over the jump. Where it would lead is in the image's table.
 *
 * Everything else that a running kernel patches is still as compiled in its package.
 */

#include "builder/match/matcher.h"

#include <elf.h>

/* What an alignment in code is at most filled up to, and at least: gcc asks for 16 and, where that takes
 * too much, for 8 bytes. */
#define ALIGNMENT 8U

typedef struct Walk {
        Matcher *matcher;
        Body *body;
        size_t part;
        uint32_t section;
        const uint8_t *data;  /* of the section */
        uint64_t end;
        const uint8_t *image; /* from the part's address on */
        size_t image_size;
        uint64_t address;
        Point at;
        Insn ours;
        Insn theirs;
} Walk;

static int differs(Walk *w) {
        int r = explain_instruction(w->matcher, w->body, w->section, w->at);

        return r < 0 ? r : 0;
}

static const uint8_t *our_bytes(const Walk *w) {
        return w->data + w->at.offset;
}

static const uint8_t *their_bytes(const Walk *w) {
        return w->image + (w->at.address - w->address);
}

static int add_point(Walk *w) {
        Part *p = w->body->parts + w->part;
        Point *grown;

        /* Room for 2, 4, 8 … */
        if (p->n_points < 2 || (p->n_points & (p->n_points - 1)) == 0) {
                grown = reallocarray(p->points, p->n_points < 2 ? 2 : 2 * p->n_points, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                p->points = grown;
        }
        p->points[p->n_points++] = w->at;
        return 0;
}

static int step(Walk *w) {
        w->at.offset += w->ours.length;
        w->at.address += w->theirs.length;
        w->body->progress++;
        return 1;
}

/*
 * A place in this very section that the code refers to without a relocation. With a section of its own
 * for each function it is in the function, but where the source names the section (.init.text,
 * .sched.text), static functions call each other in this way.
 */
static int check_distance(Walk *w, int64_t our_distance, int64_t their_distance) {
        const Part *p = w->body->parts + w->part;
        uint64_t target = w->at.offset + w->ours.length + (uint64_t) our_distance;
        uint64_t address = w->at.address + w->theirs.length + (uint64_t) their_distance;
        ObjectRelocation meant = {};
        Branch b = {
                .section = w->section,
                .target = target,
                .address = address,
                .from = w->at,
                .from_section = w->section,
        };
        int r;

        if (p->symbol != 0 && (target < p->start || target >= p->end)) {
                meant.symbol = object_covering(w->matcher->object, w->section, target);
                if (meant.symbol == 0)
                        return differs(w);
                meant.delta = (int64_t) (target - w->matcher->object->symbols[meant.symbol].value);
                return reference_check(w->matcher, w->body, w->section, w->at, &meant, address);
        }
        r = body_add_branch(w->body, &b);
        return r < 0 ? r : 1;
}

/* The relocation of an instruction's field, or NULL. */
static const ObjectRelocation *relocation_in(const Walk *w, uint8_t offset, uint8_t size) {
        const ObjectSection *s = w->matcher->object->sections + w->section;

        return size > 0 ? object_relocation_at(s, w->at.offset + offset) : NULL;
}

static bool is_branch(const Insn *i) {
        return i->kind == INSN_CALL || i->kind == INSN_JUMP || i->kind == INSN_CONDITIONAL_JUMP;
}

static int check_reference(Walk *w, const ObjectRelocation *r, uint64_t target) {
        return reference_check(w->matcher, w->body, w->section, w->at, r, target);
}

static int walk_branch(Walk *w) {
        const Insn *a = &w->ours, *b = &w->theirs;
        const ObjectRelocation *relocation = relocation_in(w, a->immediate_offset, a->immediate_size);
        int r;

        if (a->operation != b->operation)
                return differs(w);
        /* Of one size: the same prefixes and the same opcode. Of two: none, and short against near. */
        if (a->length == b->length ? memcmp(our_bytes(w), their_bytes(w), a->immediate_offset) != 0 :
                                     a->immediate_offset > 2 || b->immediate_offset > 2)
                return differs(w);
        if (relocation)
                r = check_reference(w, relocation, w->at.address + b->length + (uint64_t) b->immediate);
        else
                r = check_distance(w, a->immediate, b->immediate);
        return r > 0 ? step(w) : r;
}

/* Where a relocated field of an image's instruction leads. */
static bool field_target(const Walk *w, const ObjectRelocation *r, uint8_t offset, uint64_t *ret) {
        const uint8_t *field = their_bytes(w) + offset;
        int32_t narrow;

        memcpy(&narrow, field, sizeof(narrow));
        switch (r->type) {
        case R_X86_64_PC32:
        case R_X86_64_PLT32:
                *ret = w->at.address + w->theirs.length + (uint64_t) (int64_t) narrow;
                return true;
        case R_X86_64_32S:
                *ret = (uint64_t) (int64_t) narrow;
                return true;
        case R_X86_64_32:
                *ret = (uint32_t) narrow;
                return true;
        case R_X86_64_64:
                memcpy(ret, field, sizeof(*ret));
                return true;
        default:
                return false;
        }
}

/*
 * One field, displacement or immediate. What is not relocated must be the same, but for places in this
 * section (`lea 1b(%rip)`).
 */
static int walk_field(Walk *w, uint8_t offset, uint8_t size, bool relative) {
        const ObjectRelocation *relocation = relocation_in(w, offset, size);
        uint64_t target;

        if (relocation) {
                if (!field_target(w, relocation, offset, &target) ||
                    size != (relocation->type == R_X86_64_64 ? 8 : 4))
                        return differs(w);
                return check_reference(w, relocation, target);
        }
        if (relative)
                return check_distance(w, w->ours.displacement, w->theirs.displacement);
        return memcmp(our_bytes(w) + offset, their_bytes(w) + offset, size) == 0 ? 1 : differs(w);
}

static bool in_field(uint8_t offset, uint8_t size, uint8_t i) {
        return i >= offset && i < offset + size;
}

/* Same form, and the same bytes but for the two fields; no relocation but theirs. */
static bool same_form(const Walk *w) {
        const Insn *a = &w->ours, *b = &w->theirs;

        if (a->length != b->length || a->operation != b->operation ||
            a->displacement_offset != b->displacement_offset || a->displacement_size != b->displacement_size ||
            a->immediate_offset != b->immediate_offset || a->immediate_size != b->immediate_size)
                return false;
        for (uint8_t i = 0; i < a->length; i++) {
                bool field = in_field(a->displacement_offset, a->displacement_size, i) ||
                        in_field(a->immediate_offset, a->immediate_size, i);
                bool first = (a->displacement_size > 0 && i == a->displacement_offset) ||
                        (a->immediate_size > 0 && i == a->immediate_offset);

                if (!field && our_bytes(w)[i] != their_bytes(w)[i])
                        return false;
                if (!first && relocation_in(w, i, 1))
                        return false;
        }
        return true;
}

static int walk_plain(Walk *w) {
        const Insn *a = &w->ours;
        int r = 1;

        if (!same_form(w))
                return differs(w);
        if (a->displacement_size > 0)
                r = walk_field(w, a->displacement_offset, a->displacement_size, a->rip_relative);
        if (r > 0 && a->immediate_size > 0)
                r = walk_field(w, a->immediate_offset, a->immediate_size, false);
        return r > 0 ? step(w) : r;
}

/* The NOPs that objtool writes: arch/x86/include/asm/nops.h, BYTES_NOP2 and BYTES_NOP5. */
static bool is_jump_nop(const uint8_t *code, const Insn *insn) {
        static const uint8_t nop2[] = { 0x66, 0x90 }, nop5[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

        return (insn->length == sizeof(nop2) && memcmp(code, nop2, sizeof(nop2)) == 0) ||
                (insn->length == sizeof(nop5) && memcmp(code, nop5, sizeof(nop5)) == 0);
}

/* Both tables must agree on where the branch leads and on its key. */
static int walk_static_branch(Walk *w, const ObjectSite *ours) {
        const Site *theirs = sites_find(&w->matcher->sites, w->at.address, SITE_JUMP_LABEL);
        int r;

        if (!theirs)
                return differs(w);
        r = reference_check(w->matcher, w->body, w->section, w->at, &ours->target, theirs->target);
        if (r <= 0)
                return r;
        r = reference_check(w->matcher, w->body, w->section, w->at, &ours->key, theirs->key);
        if (r <= 0)
                return r;
        if (w->ours.kind == INSN_JUMP && w->theirs.kind == INSN_NOP)
                return ours->jump_hack && is_jump_nop(their_bytes(w), &w->theirs) ? step(w) : differs(w);
        if (w->ours.kind == INSN_JUMP)
                return walk_branch(w);
        return walk_plain(w);
}

/* The call of __fentry__, where the image has a NOP already (objtool --mnop). */
static int walk_ftrace_site(Walk *w, const ObjectRelocation *relocation) {
        static const uint8_t nop5[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

        if (w->theirs.length == sizeof(nop5) && memcmp(their_bytes(w), nop5, sizeof(nop5)) == 0)
                return image_ftrace_site(w->matcher->image, w->address) ? step(w) : differs(w);
        return relocation ? walk_branch(w) : differs(w);
}

static bool is_fentry(const Walk *w, const ObjectRelocation *r) {
        return w->ours.kind == INSN_CALL && r && streq(w->matcher->object->symbols[r->symbol].name, "__fentry__");
}

static int decode_both(Walk *w) {
        size_t used = w->at.address - w->address;

        if (insn_decode(our_bytes(w), w->end - w->at.offset, &w->ours) < 0 ||
            used >= w->image_size || insn_decode(their_bytes(w), w->image_size - used, &w->theirs) < 0)
                return differs(w);
        return 1;
}

/* NOPs from a place on; false when one of them is not what an assembler fills with. */
static bool skip_padding(const uint8_t *code, size_t size, size_t *ret) {
        size_t at = 0;
        Insn i;

        while (at < size && insn_decode(code + at, size - at, &i) == 0 && i.kind == INSN_NOP) {
                if (i.displacement != 0)
                        return false;
                at += i.length;
        }
        *ret = at;
        return true;
}

/* Alignment: of any length on both sides, if the shift asks for it and both end aligned. */
static int walk_padding(Walk *w) {
        uint64_t our_start = w->body->parts[w->part].start;
        size_t used = w->at.address - w->address, ours, theirs;
        bool shifted = (w->at.offset - our_start) % ALIGNMENT != used % ALIGNMENT;

        if (!shifted)
                return walk_plain(w);
        if (!skip_padding(our_bytes(w), w->end - w->at.offset, &ours) ||
            !skip_padding(their_bytes(w), w->image_size - used, &theirs) ||
            (w->at.offset + ours) % ALIGNMENT != 0 || (w->at.address + theirs) % ALIGNMENT != 0)
                return differs(w);
        w->at.offset += ours;
        w->at.address += theirs;
        return 1;
}

static int walk_instruction(Walk *w) {
        const ObjectSite *site = object_sites_jump(w->matcher, w->section, w->at.offset);
        const ObjectRelocation *relocation = relocation_in(w, w->ours.immediate_offset, w->ours.immediate_size);

        if (site)
                return walk_static_branch(w, site);
        if (is_fentry(w, relocation))
                return walk_ftrace_site(w, relocation);
        if ((w->ours.kind == INSN_NOP || w->theirs.kind == INSN_NOP) &&
            !object_sites_alternative(w->matcher, w->section, w->at.offset))
                return walk_padding(w);
        if (is_branch(&w->ours))
                return walk_branch(w);
        return walk_plain(w);
}

/**
 * part_walk() - compare one part
 * @part: index in @b; its points and its size are filled in. Parts, branches and places may be added
 *
 * Return: 1, 0 when it differs (b->difference says how), or a negative errno.
 */
int part_walk(Matcher *m, Body *b, size_t part) {
        const Part *p = b->parts + part;
        const ObjectSection *s = m->object->sections + p->section;
        Walk w = {
                .matcher = m,
                .body = b,
                .part = part,
                .section = p->section,
                .data = s->data,
                .end = p->end,
                .address = p->address,
                .at = { p->start, p->address },
        };
        int r;

        w.image = image_bytes(m->image, p->address, &w.image_size);
        if (!w.image || !w.data)
                return differs(&w);
        while (w.at.offset < w.end) {
                r = add_point(&w);
                if (r < 0)
                        return r;
                r = decode_both(&w);
                if (r > 0)
                        r = walk_instruction(&w);
                if (r <= 0)
                        return r;
        }
        r = add_point(&w);
        if (r < 0)
                return r;
        b->parts[part].size = w.at.address - w.address;
        return 1;
}
