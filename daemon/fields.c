/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The one format of the state files: lines `KEY=VALUE`, first `FORMAT=1`, last `END=1`.
 *
 * An administrator can read it, and there is exactly one way to write each object, so whatever
 * differs from that is damage: an unknown or repeated key, a control character, a missing last
 * line. The end line is there because a file cut at a line's end would otherwise look whole.
 *
 * Text of strangers (titles) may contain anything; a byte below space, DEL and the backslash are
 * written as `\xNN`, and only these may be.
 */

#include "daemon/fields.h"
#include "util/hex.h"
#include "util/limits.h"
#include "util/strv.h"

#define FIRST_LINE "FORMAT=1\n"
#define LAST_LINE "END=1\n"

static void *member(const Field *f, void *object) {
        return (uint8_t *) object + f->offset;
}

static const void *member_const(const Field *f, const void *object) {
        return (const uint8_t *) object + f->offset;
}

/* --- reading --- */

static bool must_be_escaped(unsigned char c) {
        return c < ' ' || c == 0x7f || c == '\\';
}

/* Return: 0 and the text, -EBADMSG for what unescape() would not have written. */
static int unescape(const char *value, size_t size, char **ret) {
        _cleanup_free_ char *s = malloc(size + 1);
        size_t n = 0;

        if (!s)
                return -ENOMEM;
        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char) value[i];

                if (c == '\\') {
                        char digits[3] = { 0 };

                        if (size - i < 4 || value[i + 1] != 'x')
                                return -EBADMSG;
                        memcpy(digits, value + i + 2, 2);
                        if (hex_decode(digits, &c, 1) < 0 || c == 0 || !must_be_escaped(c))
                                return -EBADMSG;
                        i += 3;
                } else if (must_be_escaped(c))
                        return -EBADMSG;
                s[n++] = (char) c;
        }
        s[n] = 0;
        *ret = TAKE_PTR(s);
        return 0;
}

/* One spelling for each number: no sign, no space, no leading zero. */
static int parse_u64(const char *s, uint64_t *ret) {
        uint64_t v = 0;

        if (*s == 0 || (*s == '0' && s[1] != 0))
                return -EBADMSG;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return -EBADMSG;
                if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
                    __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
                        return -EBADMSG;
        }
        *ret = v;
        return 0;
}

static int parse_id128(const char *s, sd_id128_t *ret) {
        return hex_decode(s, ret->bytes, sizeof(ret->bytes)) < 0 ? -EBADMSG : 0;
}

static int parse_bool(const char *s, bool *ret) {
        if (!streq(s, "0") && !streq(s, "1"))
                return -EBADMSG;
        *ret = *s == '1';
        return 0;
}

static int field_set(const Field *f, const char *value, size_t size, void *object) {
        _cleanup_free_ char *s = NULL;
        int r = unescape(value, size, &s);

        if (r < 0)
                return r;
        if (f->valid && !f->valid(s))
                return -EBADMSG;
        switch (f->type) {
        case FIELD_STRING:
                *(char **) member(f, object) = TAKE_PTR(s);
                return 0;
        case FIELD_STRV: {
                char ***v = member(f, object);
                return strv_length(*v) >= HOTPATCH_RECORD_LIST_MAX ? -EBADMSG : strv_extend(v, s);
        }
        case FIELD_U64:
                return parse_u64(s, member(f, object));
        case FIELD_ID128:
                return parse_id128(s, member(f, object));
        case FIELD_BOOL:
                return parse_bool(s, member(f, object));
        }
        return -EINVAL;
}

static const Field *field_find(const Field *fields, size_t n_fields, const char *line, size_t size) {
        for (size_t i = 0; i < n_fields; i++)
                if (strlen(fields[i].key) == size && memcmp(fields[i].key, line, size) == 0)
                        return &fields[i];
        return NULL;
}

static int parse_line(const Field *fields, size_t n_fields, const char *line, size_t size,
                void *object, uint64_t *seen) {
        const char *eq = memchr(line, '=', size);
        const Field *f;
        uint64_t bit;

        f = eq ? field_find(fields, n_fields, line, (size_t) (eq - line)) : NULL;
        if (!f)
                return -EBADMSG;
        bit = UINT64_C(1) << (f - fields);
        if (f->type != FIELD_STRV && (*seen & bit))
                return -EBADMSG;
        *seen |= bit;
        return field_set(f, eq + 1, size - (size_t) (eq + 1 - line), object);
}

static int parse_lines(const Field *fields, size_t n_fields, const char *p, size_t size, void *object) {
        uint64_t seen = 0;

        while (size > 0) {
                const char *end = memchr(p, '\n', size);
                size_t length;
                int r;

                if (!end)
                        return -EBADMSG;
                length = (size_t) (end - p);
                r = parse_line(fields, n_fields, p, length, object, &seen);
                if (r < 0)
                        return r;
                p += length + 1;
                size -= length + 1;
        }
        for (size_t i = 0; i < n_fields; i++)
                if (fields[i].required && !(seen & UINT64_C(1) << i))
                        return -EBADMSG;
        return 0;
}

/**
 * fields_parse() - read a state file
 * @fields: the table, at most 64 rows
 * @object: all zero; filled. On failure it is all zero again
 *
 * Return: 0, -EBADMSG when the bytes are not such a file, or -ENOMEM.
 */
int fields_parse(const Field *fields, size_t n_fields, const void *data, size_t size, void *object) {
        const size_t first = strlen(FIRST_LINE), last = strlen(LAST_LINE);
        const char *p = data;
        int r;

        if (size < first + last || memcmp(p, FIRST_LINE, first) != 0 ||
            memcmp(p + size - last, LAST_LINE, last) != 0)
                return -EBADMSG;
        r = parse_lines(fields, n_fields, p + first, size - first - last, object);
        if (r < 0)
                fields_done(fields, n_fields, object);
        return r;
}

/** fields_done() - free what the members own and set all of them to zero */
void fields_done(const Field *fields, size_t n_fields, void *object) {
        for (size_t i = 0; i < n_fields; i++) {
                void *m = member(&fields[i], object);

                switch (fields[i].type) {
                case FIELD_STRING:
                        free(*(char **) m);
                        *(char **) m = NULL;
                        break;
                case FIELD_STRV:
                        *(char ***) m = strv_free(*(char ***) m);
                        break;
                case FIELD_U64:
                        *(uint64_t *) m = 0;
                        break;
                case FIELD_ID128:
                        *(sd_id128_t *) m = SD_ID128_NULL;
                        break;
                case FIELD_BOOL:
                        *(bool *) m = false;
                        break;
                }
        }
}

/* --- writing --- */

static int write_string(FILE *f, const Field *field, const char *value) {
        if (field->valid && !field->valid(value))
                return -EINVAL;
        fprintf(f, "%s=", field->key);
        for (; *value; value++)
                if (must_be_escaped((unsigned char) *value))
                        fprintf(f, "\\x%02x", (unsigned char) *value);
                else
                        fputc(*value, f);
        fputc('\n', f);
        return 0;
}

static int write_strv(FILE *f, const Field *field, char *const *values) {
        if (strv_length(values) > HOTPATCH_RECORD_LIST_MAX)
                return -E2BIG;
        for (; values && *values; values++) {
                int r = write_string(f, field, *values);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int write_field(FILE *f, const Field *field, const void *object) {
        const void *m = member_const(field, object);

        switch (field->type) {
        case FIELD_STRING: {
                const char *s = *(char *const *) m;

                if (s)
                        return write_string(f, field, s);
                return field->required ? -EINVAL : 0;
        }
        case FIELD_STRV: {
                char *const *v = *(char **const *) m;

                if (field->required && strv_length(v) == 0)
                        return -EINVAL;
                return write_strv(f, field, v);
        }
        case FIELD_U64:
                fprintf(f, "%s=%llu\n", field->key, (unsigned long long) *(const uint64_t *) m);
                return 0;
        case FIELD_ID128: {
                char hex[SD_ID128_STRING_MAX];

                fprintf(f, "%s=%s\n", field->key, sd_id128_to_string(*(const sd_id128_t *) m, hex));
                return 0;
        }
        case FIELD_BOOL:
                fprintf(f, "%s=%d\n", field->key, *(const bool *) m);
                return 0;
        }
        return -EINVAL;
}

/**
 * fields_format() - write a state file
 * @ret: the bytes, NUL terminated; to be freed
 *
 * What it writes, fields_parse() reads back as the same object.
 *
 * Return: 0, -EINVAL when the object could not be read back (a required member is missing, or a
 * string is not valid), -E2BIG when a list is too long, or -ENOMEM.
 */
int fields_format(const Field *fields, size_t n_fields, const void *object, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        int r = 0;

        if (!f)
                return -errno;
        fputs(FIRST_LINE, f);
        for (size_t i = 0; i < n_fields && r >= 0; i++)
                r = write_field(f, &fields[i], object);
        fputs(LAST_LINE, f);
        if (fclose(f) != 0 && r >= 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}
