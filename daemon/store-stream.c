/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Streams: the mark against downgrades. It is the highest sequence that was ever active here, so it
 * outlives the patches; whoever wants an older one says so.
 */

#include "bundle/manifest.h"
#include "daemon/store-internal.h"

typedef struct Stream {
        char *name;
        uint64_t sequence;
        char *digest;
} Stream;

static const Field stream_fields[] = {
        { "STREAM", FIELD_STRING, true, offsetof(Stream, name), manifest_id_is_valid },
        { "SEQUENCE", FIELD_U64, true, offsetof(Stream, sequence), NULL },
        { "DIGEST", FIELD_STRING, true, offsetof(Stream, digest), store_valid_digest },
};

static void stream_done(Stream *s) {
        fields_done(stream_fields, ELEMENTSOF(stream_fields), s);
}

static int stream_read(const Store *s, const char *name, Stream *ret) {
        Stream stream = { 0 };
        int r = store_read(s->streams_fd, name, stream_fields, ELEMENTSOF(stream_fields), &stream);

        if (r < 0)
                return r;
        if (!streq(stream.name, name)) {
                stream_done(&stream);
                return -EBADMSG;
        }
        *ret = stream;
        return 0;
}

/**
 * store_stream_get() - the highest sequence of a stream that was ever active here
 * @ret: 0: none yet
 * @ret_digest: of the manifest that had it, to be freed; NULL when there is none. May be NULL
 *
 * Return: 0, -EBADMSG when the mark is damaged (then a downgrade cannot be told: refuse), -EINVAL
 * for a name that is none, or another negative errno.
 */
int store_stream_get(const Store *s, const char *stream, uint64_t *ret, char **ret_digest) {
        _cleanup_(stream_done) Stream mark = { 0 };
        int r;

        if (!manifest_id_is_valid(stream))
                return -EINVAL;
        r = stream_read(s, stream, &mark);
        if (r < 0 && r != -ENOENT)
                return r;
        *ret = mark.sequence;
        if (ret_digest)
                *ret_digest = TAKE_PTR(mark.digest);
        return 0;
}

/** store_stream_set() - write the mark. Return: 0 or a negative errno; see store_write(). */
int store_stream_set(const Store *s, const char *stream, uint64_t sequence, const char *digest) {
        Stream mark = { .name = (char *) stream, .sequence = sequence, .digest = (char *) digest };

        if (!manifest_id_is_valid(stream) || !digest)
                return -EINVAL;
        return store_write(s->streams_fd, stream, stream_fields, ELEMENTSOF(stream_fields), &mark);
}

static int collect_damaged_stream(_unused_ int dir_fd, const char *name, void *userdata) {
        _cleanup_(stream_done) Stream stream = { 0 };
        StoreDamage *d = userdata;

        if (startswith(name, STORE_TEMPORARY_PREFIX) || stream_read(d->store, name, &stream) >= 0)
                return 0;
        return store_damage_add(d->names, "streams/%s", name);
}

/** store_streams_damaged() - append the names of damaged marks. Return: 0 or a negative errno. */
int store_streams_damaged(const Store *s, char ***names) {
        return store_walk(s->streams_fd, collect_damaged_stream, &(StoreDamage) { s, names });
}
