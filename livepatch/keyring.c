/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The kernel's keys for modules.
 *
 * mod_verify_sig() looks for the signer's key in .builtin_trusted_keys and .secondary_trusted_keys (which
 * links .machine), then in .platform. /proc/keys gives the number of each ring, and each key's name:
 *
 *     1f0e6a3c I------     1 perm 1f0b0000     0     0 keyring   .platform: 2
 *     2c1bb0d4 I------     1 perm 1f030000     0     0 asymmetri Our key: 93ab…f0: X509.rsa 6c2df0f0 []
 *
 * but not which key is in which ring, nor the serial number a signature names its key by. The kernel
 * itself can be asked: keyctl(KEYCTL_SEARCH) with "ex:ID" compares as the module loader does
 * (crypto/asymmetric_keys/asymmetric_type.c). A key that is there without leave to be searched by us
 * answers EACCES, a missing one ENOKEY; a ring that we may not search answers EACCES for any id, so an id
 * that nobody has is tried first.
 *
 * Where keyctl(2) does not help (a captured tree, a closed ring) the names in /proc/keys are what can be
 * known: a subject key identifier is in them, an issuer's name only of a self-signed certificate.
 *
 * To say which keys would do, the rings are read. Who is told that a signature is missing wants names, and the keys
 * of a machine's owner (.machine, .platform) among them.
 */

#include <linux/keyctl.h>
#include <sys/syscall.h>

#include "livepatch/keyring.h"
#include "livepatch/lines.h"
#include "util/limits.h"
#include "util/str.h"

/* A search goes on into the rings in a ring, and the first two are in the last: what is found there is in no other. */
static const char *const rings[] = {
        ".builtin_trusted_keys", ".machine", ".platform", ".secondary_trusted_keys",
};

/* Names in one sentence: the firmware of a PC has some five in its db. */
#define NAMES_MAX 12

/* A SHA-512 would not be longer, and no certificate has it. */
static const char nobodys_id[] = "ex:00686f74706174636800";

/**
 * struct Keys - what /proc/keys tells
 * @serials: of the rings; 0: not seen
 * @any_ring: one was seen, so the list can be believed
 * @any_key: there is a key that could be in a ring
 * @named: one has the name that was asked for
 */
typedef struct Keys {
        const ModuleSignature *signature;
        int32_t serials[ELEMENTSOF(rings)];
        bool any_ring;
        bool any_key;
        bool named;
} Keys;

static bool word_begins(Word w, const char *s) {
        return w.l >= strlen(s) && memcmp(w.s, s, strlen(s)) == 0;
}

static void see_ring(Keys *keys, int32_t serial, const char *description) {
        for (size_t i = 0; i < ELEMENTSOF(rings); i++) {
                const char *rest = startswith(description, rings[i]);

                if (rest && *rest == ':') {
                        keys->serials[i] = serial;
                        keys->any_ring = true;
                }
        }
}

/* "SUBJECT: HEX: X509.rsa 6c2df0f0 []", with a subject that may have colons itself. */
static void see_key(Keys *keys, const char *description) {
        const ModuleSignature *s = keys->signature;
        const char *id = s->key_id ?: s->serial, *end = strstr(description, ": X509."), *subject_end;

        if (!end)
                return;
        keys->any_key = true;
        subject_end = memrchr(description, ' ', (size_t) (end - description));
        if (!subject_end || subject_end == description)
                return;
        if (id && strlen(id) == (size_t) (end - subject_end - 1) &&
            memcmp(subject_end + 1, id, strlen(id)) == 0)
                keys->named = true;
        if (!s->key_id && s->signer && strlen(s->signer) == (size_t) (subject_end - 1 - description) &&
            memcmp(description, s->signer, strlen(s->signer)) == 0)
                keys->named = true;
}

/* serial, flags, usage, timeout, permissions, uid, gid, type, description; security/keys/proc.c */
static void key_line(void *userdata, const char *line) {
        Keys *keys = userdata;
        char *end;
        unsigned long serial = strtoul(line, &end, 16);
        Word uid = {}, type;

        if (*end != ' ' || serial > INT32_MAX)
                return;
        for (size_t i = 0; i < 6; i++)
                uid = word_next(&line);
        (void) word_next(&line);
        type = word_next(&line);
        line += strspn(line, " ");
        /* Anybody may make rings and keys of any name for himself. */
        if (!word_is(uid, "0"))
                return;
        if (word_is(type, "keyring"))
                see_ring(keys, (int32_t) serial, line);
        else if (word_begins(type, "asymmetri")) /* the kernel cuts it off there */
                see_key(keys, line);
}

static int search(int32_t ring, const char *id) {
        return syscall(SYS_keyctl, KEYCTL_SEARCH, (long) ring, "asymmetric", id, 0L) < 0 ? -errno : 0;
}

/* Return: 1, 0, or -ENODATA when the ring does not let itself be asked. */
static int ring_has(int32_t ring, const char *id) {
        int r = search(ring, nobodys_id);

        if (r != -ENOKEY)
                return -ENODATA;
        r = search(ring, id);
        if (r >= 0 || r == -EACCES)
                return 1;
        return r == -ENOKEY ? 0 : -ENODATA;
}

static int ask_kernel(const Keys *keys, const char **ret_ring) {
        const ModuleSignature *s = keys->signature;
        _cleanup_free_ char *id = NULL;
        bool asked = false;

        if (str_printf(&id, "ex:%s", s->key_id ?: s->issuer_serial) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(rings); i++) {
                int r = keys->serials[i] != 0 ? ring_has(keys->serials[i], id) : 0;

                if (r < 0)
                        return r;
                if (r > 0) {
                        *ret_ring = rings[i];
                        return 1;
                }
                asked = asked || keys->serials[i] != 0;
        }
        return asked ? 0 : -ENODATA;
}

/**
 * kernel_has_signer() - does the kernel have the key that a module is signed with, where modules need it?
 * @s: a signature that is readable
 * @ret_ring: on 1 the ring, a constant; NULL when that is not known
 *
 * Return: 1, 0, -ENODATA when it cannot be known, or another negative errno.
 */
int kernel_has_signer(const Kernel *k, const ModuleSignature *s, const char **ret_ring) {
        Keys keys = { .signature = s };
        int r;

        if (!s->readable || (!s->key_id && !s->issuer_serial))
                return -EINVAL;
        *ret_ring = NULL;
        r = lines_scan(kernel_root_fd(k), "proc/keys", key_line, &keys);
        if (r == -ENOENT || r == -EACCES || r == -EPERM)
                return -ENODATA;
        if (r < 0)
                return r;
        r = kernel_is_host(k) && keys.any_ring ? ask_kernel(&keys, ret_ring) : -ENODATA;
        if (r == -ENODATA) {
                if (keys.named)
                        r = 1;
                else if (keys.any_ring && (s->key_id || !keys.any_key))
                        r = 0;
        }
        /* Another signer, or a certificate that comes along and was issued by a known key, may do. */
        return r == 0 && s->open ? -ENODATA : r;
}

/* --- all keys --- */

/* "asymmetric;UID;GID;PERMISSIONS;SUBJECT: HEX", keyctl_describe(3). Return: the SUBJECT in @description, or NULL. */
static char *subject_in(char *description) {
        char *name = description, *end;

        if (!startswith(description, "asymmetric;"))
                return NULL;
        for (size_t i = 0; i < 4 && name; i++) {
                name = strchr(name, ';');
                name = name ? name + 1 : NULL;
        }
        end = name ? strrchr(name, ':') : NULL;
        if (!end || end == name)
                return NULL;
        *end = 0;
        for (char *p = name; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        return name;
}

/* Return: how many names were written, and those that are too many. */
static size_t write_names(FILE *f, int32_t ring, const char *ring_name, size_t before) {
        int32_t keys[HOTPATCH_RING_KEYS_MAX];
        long size = syscall(SYS_keyctl, KEYCTL_READ, (long) ring, keys, sizeof(keys), 0L);
        size_t n = size < 0 ? 0 : (size_t) size / sizeof(keys[0]), written = before;

        for (size_t i = 0; i < n && i < ELEMENTSOF(keys); i++) {
                char description[512] = "", *name;
                long l = syscall(SYS_keyctl, KEYCTL_DESCRIBE, (long) keys[i], description, sizeof(description) - 1, 0L);

                /* What is in a ring beside keys are other rings, which are read themselves. */
                name = l > 0 && l < (long) sizeof(description) ? subject_in(description) : NULL;
                if (!name)
                        continue;
                if (written < NAMES_MAX)
                        fprintf(f, "%s'%.100s' in %s", written > 0 ? ", " : "", name, ring_name);
                written++;
        }
        return written;
}

/**
 * kernel_trusted_keys() - the keys with which a module may be signed, in words
 * @ret: "'NAME' in RING, …" or "no key"; NULL when it cannot be known; owned by the caller
 *
 * Return: 0 or a negative errno.
 */
int kernel_trusted_keys(const Kernel *k, char **ret) {
        static const ModuleSignature nobody = {};
        Keys keys = { .signature = &nobody };
        char *text = NULL;
        size_t size, n = 0;
        FILE *f;
        int r = kernel_is_host(k) ? lines_scan(kernel_root_fd(k), "proc/keys", key_line, &keys) : 0;

        *ret = NULL;
        if (r < 0 || !keys.any_ring)
                return r == -ENOMEM ? r : 0;
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(rings); i++)
                n = keys.serials[i] != 0 ? write_names(f, keys.serials[i], rings[i], n) : n;
        if (n == 0)
                fputs("no key", f);
        if (n > NAMES_MAX)
                fprintf(f, " and %zu more", n - NAMES_MAX);
        if (fclose(f) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}
