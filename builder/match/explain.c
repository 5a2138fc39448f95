/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The first difference in words: both instructions, where they are, and the symbols that they name.
 */

#include "builder/match/matcher.h"

#include <inttypes.h>

#include "util/str.h"

/** explain() - the difference as a sentence whose subject is the function; the first one stays */
int explain(Body *b, const char *format, ...) {
        va_list ap;
        int r;

        if (b->difference)
                return 0;
        va_start(ap, format);
        r = str_vprintf(&b->difference, format, ap);
        va_end(ap);
        return r;
}

/* What cannot be decoded. */
static int plain_bytes(const uint8_t *code, size_t size, char **ret) {
        if (size == 0)
                return str_printf(ret, "nothing");
        return str_printf(ret, size > 1 ? "bytes %02x %02x …" : "byte %02x", code[0], size > 1 ? code[1] : 0);
}

/* An instruction, and which symbol (of the object or the image) it refers to, if it does. */
static int with_symbol(char *text, const char *symbol, char **ret) {
        _cleanup_free_ char *instruction = text;

        return str_printf(ret, symbol ? "%s <%s>" : "%s", instruction, symbol);
}

static int format_ours(const Matcher *m, uint32_t section, uint64_t offset, char **ret) {
        const ObjectSection *s = m->object->sections + section;
        const char *symbol = NULL;
        char *text = NULL;
        Insn i;
        int r;

        if (!s->data || offset >= s->size || insn_decode(s->data + offset, s->size - offset, &i) < 0)
                return plain_bytes(s->data ? s->data + offset : NULL, s->data && offset < s->size ? 1 : 0, ret);
        for (uint64_t at = offset; at < offset + i.length && !symbol; at++) {
                const ObjectRelocation *relocation = object_relocation_at(s, at);

                if (relocation)
                        symbol = m->object->symbols[relocation->symbol].name;
        }
        r = insn_format(s->data + offset, s->size - offset, offset, &text);
        return r < 0 ? r : with_symbol(text, symbol, ret);
}

static int format_theirs(const Matcher *m, uint64_t address, char **ret) {
        const ImageSymbol *symbol = NULL;
        const uint8_t *code;
        char *text = NULL;
        size_t size = 0;
        Insn i;
        int r;

        code = image_bytes(m->image, address, &size);
        if (!code || insn_decode(code, size, &i) < 0)
                return plain_bytes(code, code ? size : 0, ret);
        if (i.kind == INSN_CALL || i.kind == INSN_JUMP || i.kind == INSN_CONDITIONAL_JUMP)
                symbol = image_covering(m->image, address + i.length + (uint64_t) i.immediate);
        else if (i.rip_relative)
                symbol = image_covering(m->image, address + i.length + (uint64_t) i.displacement);
        r = insn_format(code, size, address, &text);
        return r < 0 ? r : with_symbol(text, symbol ? symbol->name : NULL, ret);
}

/* Offsets that a reader can look up: from the beginning of the part. */
static uint64_t part_offset(const Body *b, uint32_t section, Point at, uint64_t *ret_image, const char **ret_where,
                const Matcher *m) {
        const Part *p = body_part(b, section, at.offset);

        *ret_image = p ? at.address - p->address : 0;
        *ret_where = p && p->symbol ? m->object->symbols[p->symbol].name : m->object->sections[section].name;
        return p ? at.offset - p->start : at.offset;
}

/** explain_instruction() - the two instructions at a place differ */
int explain_instruction(const Matcher *m, Body *b, uint32_t section, Point at) {
        _cleanup_free_ char *ours = NULL, *theirs = NULL;
        uint64_t offset, image_offset;
        const char *where;
        int r;

        if (b->difference)
                return 0;
        offset = part_offset(b, section, at, &image_offset, &where, m);
        r = format_ours(m, section, at.offset, &ours);
        if (r < 0)
                return r;
        r = format_theirs(m, at.address, &theirs);
        if (r < 0)
                return r;
        return explain(b, "compiled here has '%s' at %s+0x%" PRIx64 ", the image has '%s' at +0x%" PRIx64
                       " (0x%" PRIx64 ")", ours, where, offset, theirs, image_offset, at.address);
}

/** explain_reference() - the two instructions are the same, but lead to different things */
int explain_reference(const Matcher *m, Body *b, uint32_t section, Point at, uint32_t symbol, uint64_t target) {
        const ImageSymbol *covering = image_covering(m->image, target);
        const Known *known = m->known + symbol;
        uint64_t offset, image_offset;
        _cleanup_free_ char *theirs = NULL, *elsewhere = NULL;
        const char *where;
        int r;

        if (b->difference)
                return 0;
        offset = part_offset(b, section, at, &image_offset, &where, m);
        r = format_theirs(m, at.address, &theirs);
        if (r < 0)
                return r;
        if (known->set && str_printf(&elsewhere, ", which is at 0x%" PRIx64, known->address) < 0)
                return -ENOMEM;
        return explain(b, "compiled here refers to '%s'%s at %s+0x%" PRIx64 ", the image at +0x%" PRIx64
                       " (0x%" PRIx64 ", '%s') to 0x%" PRIx64 " in '%s'",
                       m->object->symbols[symbol].name, strempty(elsewhere), where, offset, image_offset, at.address,
                       theirs, target, covering ? covering->name : "nothing");
}
