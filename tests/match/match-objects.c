/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The proof on real kernels: every function of whole objects against the packaged image.
 *
 *     match-objects [--corrupt N] [--digests FILE] IMAGE OBJECT.o …
 *
 * IMAGE is a vmlinuz or a module. Each OBJECT.o is raw compiler output of the same source, made in a
 * prepared tree with
 *
 *     make CC=gcc-12 OBJECT_FILES_NON_STANDARD=y KCFLAGS="-ffunction-sections -fdata-sections" fs/namespace.o
 *
 * With --corrupt, one bit of each byte of every Nth function is flipped in the image, which must be seen.
 * With --digests, FILE gets a line "OBJECT FUNCTION ADDRESS SIZE SHA256 OFFSET+SIZE,…" for each function,
 * to be compared with the memory of a running kernel.
 *
 * What is not proven is shown with the reason. Defaults that another object overrides (weak functions) are
 * counted apart. Exit status: 0 when all others were proven and every flip was seen.
 */

#include <elf.h>
#include <getopt.h>
#include <inttypes.h>

#include "builder/match/matcher.h"
#include "dbus/errors.h"

typedef struct Sum {
        size_t functions;
        size_t proven;
        size_t weak;
        size_t flipped;
        size_t seen;
} Sum;

static unsigned long arg_corrupt;
static FILE *arg_digests;

static void put_digest(const Image *image, const Match *match) {
        fprintf(arg_digests, "%s %s %" PRIx64 " %" PRIu64 " ", image->object, match->image->name,
                match->image->address, match->size);
        for (size_t i = 0; i < DIGEST_SIZE; i++)
                fprintf(arg_digests, "%02x", match->sha256[i]);
        fputc(' ', arg_digests);
        for (size_t i = 0; i < match->n_masked; i++)
                fprintf(arg_digests, "%s%u+%u", i ? "," : "", match->masked[i].offset, match->masked[i].size);
        fprintf(arg_digests, "%s\n", match->n_masked ? "" : "-");
}

/* What was learnt about other symbols stays: it is only more that must be right. */
static void corrupt_function(Matcher *m, uint32_t function, const Match *match, Sum *sum) {
        size_t room;
        uint8_t *code = (uint8_t *) image_bytes(m->image, match->image->address, &room);

        for (uint64_t i = 0; i < match->size; i++) {
                uint8_t bit = (uint8_t) (1U << random() % 8);
                Body b = {};
                int r;

                code[i] ^= bit;
                r = body_match(m, function, match->image->address, &b);
                code[i] ^= bit;
                sum->flipped++;
                if (r == 0)
                        sum->seen++;
                else
                        printf("  not seen: bit 0x%02x of %s+0x%" PRIx64 "\n", bit, match->image->name, i);
                body_done(&b);
        }
}

static void prove_function(Matcher *m, uint32_t function, Sum *sum, Findings *findings) {
        const ObjectSymbol *s = m->object->symbols + function;
        const Match *match;
        int r = matcher_prove(m, function, &match, findings);

        sum->functions++;
        if (r < 0)
                printf("  %s: %s\n", s->name, strerror(-r));
        else if (r == 0)
                sum->weak += s->bind == STB_WEAK;
        else {
                sum->proven++;
                if (arg_digests)
                        put_digest(m->image, match);
                if (arg_corrupt > 0 && function % arg_corrupt == 0 && match->symbol == function &&
                    !strstr(s->name, ".cold"))
                        corrupt_function(m, function, match, sum);
        }
}

static int do_object(const Image *image, const char *path, Sum *sum, sd_bus_error *error) {
        _cleanup_object_free_ Object *o = NULL;
        _cleanup_matcher_free_ Matcher *m = NULL;
        Findings findings = {};
        int r;

        r = object_read(path, &o, error);
        if (r < 0)
                return r;
        r = matcher_new(o, image, &m);
        if (r < 0)
                return sd_bus_error_set_errnof(error, -r, "'%s' has a table of an unknown form", path);
        printf("%s\n", path);
        for (uint32_t i = 1; i < o->n_symbols; i++)
                if (object_symbol_is_function(o, i) && object_symbol_is_defined(o, i) && o->symbols[i].size > 0)
                        prove_function(m, i, sum, &findings);
        for (size_t i = 0; i < findings.n; i++)
                printf("  %s: %s\n", rule_name(findings.items[i].rule), findings.items[i].text);
        findings_done(&findings);
        return 0;
}

static int do_image(const char *path, char *const *objects, Sum *sum, sd_bus_error *error) {
        _cleanup_image_free_ Image *image = NULL;
        int r = strstr(path, ".ko") ? image_open_module(path, &image, error) :
                                      image_open_kernel(path, &image, error);

        for (size_t i = 0; r >= 0 && objects[i]; i++)
                r = do_object(image, objects[i], sum, error);
        return r;
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "corrupt", required_argument, NULL, 'c' },
                { "digests", required_argument, NULL, 'd' },
                {},
        };
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Sum sum = {};
        int c, r;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                if (c == 'c')
                        arg_corrupt = strtoul(optarg, NULL, 10);
                else if (c != 'd' || !(arg_digests = fopen(optarg, "we")))
                        return 2;
        if (argc - optind < 2 || hotpatch_errors_register() < 0)
                return 2;
        r = do_image(argv[optind], argv + optind + 1, &sum, &error);
        if (r < 0)
                fprintf(stderr, "match-objects: %s\n", error.message ?: strerror(-r));
        if (arg_digests && fclose(arg_digests) != 0)
                r = -EIO;
        printf("%zu of %zu functions proven, %zu are overridden defaults\n", sum.proven, sum.functions, sum.weak);
        if (arg_corrupt > 0)
                printf("%zu of %zu flips seen\n", sum.seen, sum.flipped);
        return r < 0 ? 2 : sum.proven + sum.weak < sum.functions || sum.seen < sum.flipped;
}
