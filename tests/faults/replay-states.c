/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * replay-states mark DISK OFFSET NAME ROOT
 * replay-states check LOG OFFSET FSTYPE SEED FOLDER ROOT all|flushes
 *
 * The log has everything that was written to the disk with the state directory, and every flush, from the moment
 * in which it was empty; write-log.h. `check` makes of it the disks that a power cut may leave, mounts each of them,
 * so that the file system replays its journal, reads the state directory with the daemon's own code, lets the code of
 * the next start settle it, and judges by replay-rules.c. The disks:
 *
 *   flush    all that was written up to a flush
 *   begin    and the first writes after it
 *   torn     and half of the next one
 *   without  and all others before the next flush but one
 *   alone    and one of these only
 *   drawn    and some of these, drawn with a seed
 *
 * A disk may keep a write that was not flushed and lose one that came before it; all these are such disks. Where a mark
 * says that an operation is over, what was flushed until then must be all that the running machine showed; and where
 * the kernel is about to load or unload a module, an intent that names it must have been flushed.
 *
 * FOLDER is made; in a tmpfs it is fast. The trust anchors are those below ROOT. With REPLAY_TRACE in the environment
 * everything is told that a flush changes.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>

#include "daemon/aftermath.h"
#include "daemon/store-internal.h"
#include "dbus/errors.h"
#include "tests/faults/replay.h"
#include "tests/faults/state-lines.h"
#include "util/file.h"
#include "util/strv.h"

/* So many writes between two flushes are tried one by one; of more, so many are drawn. */
#define EACH_MAX 24
#define DRAWN 6
#define BLOCK ((size_t) 4096)

/** struct Replay - the work */
typedef struct Replay {
        WriteLog log;
        uint64_t disk_size; /* without the marks */
        const char *type;
        const char *folder;
        const char *root; /* where the trust anchors are */
        char *mount;
        ReplayMark *marks;
        size_t n_marks;
        int base_fd;    /* the disk as of the last flush */
        int scratch_fd; /* what is mounted */
        uint8_t *base;
        char **announced;
        size_t mark; /* the last one before the state */
        size_t n_flushes;
        size_t n_others;
        size_t n_kernel;
        size_t n_broken;
        char **last; /* lines at the last flush */
        bool trace;
        bool only_flushes;
} Replay;

/* --- images --- */

static int make_image(const char *folder, const char *name, uint64_t size, int *ret_fd) {
        _cleanup_free_ char *path = path_join(folder, name);
        _cleanup_close_ int fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -EBADF;

        if (fd < 0 || ftruncate(fd, (off_t) size) < 0)
                return path ? -errno : -ENOMEM;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Mounting writes to it, so each state has a new one. */
static int copy_base(Replay *r) {
        static const uint8_t zeros[BLOCK];

        safe_close(r->scratch_fd);
        r->scratch_fd = open(r->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (r->scratch_fd < 0 || ftruncate(r->scratch_fd, (off_t) r->disk_size) < 0)
                return -errno;
        for (uint64_t at = 0, end; at < r->disk_size; at = end + BLOCK) {
                for (end = at; end < r->disk_size && memcmp(r->base + end, zeros, BLOCK) != 0;)
                        end += BLOCK;
                if (end > at && pwrite(r->scratch_fd, r->base + at, end - at, (off_t) at) != (ssize_t) (end - at))
                        return -EIO;
        }
        return 0;
}

static bool is_write(const Replay *r, size_t i) {
        const WriteLogEntry *e = &r->log.entries[i];

        return e->size > 0 && e->offset < r->disk_size;
}

static int apply(const Replay *r, size_t i, int fd) {
        return is_write(r, i) ? write_log_entry_apply(&r->log.entries[i], fd) : 0;
}

/* --- one state --- */

static int look_left(_unused_ int dir_fd, const char *name, void *userdata) {
        *(bool *) userdata = *(bool *) userdata || startswith(name, ".#");
        return 0;
}

static int find_left(const Replay *r) {
        static const char *const folders[] = { ".", "spool", "admitted", "streams", "trials", "strikes" };
        bool found = false;

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                _cleanup_free_ char *path = path_join(r->mount, folders[i]);
                _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -EBADF;

                if (fd >= 0 && store_walk(fd, look_left, &found) < 0)
                        return -EIO;
        }
        return found;
}

/* As hotpatch-restore does it at the next start. */
static int settle(const Replay *r, ReplayState *s) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_close_ int root_fd = open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int k = root_fd < 0 ? -errno : store_open(r->folder, &store, &error);
        sd_id128_t boot;

        if (k >= 0 && find_left(r) != 0)
                s->trouble = strdup("temporary files are left after the state directory was opened");
        if (k >= 0)
                k = sd_id128_randomize(&boot);
        if (k >= 0)
                k = aftermath_settle(store, root_fd, boot, (uint64_t) time(NULL) * USEC_PER_SEC);
        return k < 0 ? k : state_lines(store, r->folder, true, &s->settled);
}

static int look(const Replay *r, ReplayState *s) {
        _cleanup_(store_freep) Store *store = NULL;
        int k = store_open_to_look(r->folder, &store);

        return k < 0 ? k : state_lines(store, r->folder, true, &s->lines);
}

static int examine(const Replay *r, ReplayState *ret) {
        const char *what = "mounting";
        int k = replay_mount(r->scratch_fd, r->type, r->mount);

        if (k >= 0) {
                what = "reading the state directory";
                k = look(r, ret);
                if (k >= 0) {
                        what = "settling it";
                        k = settle(r, ret);
                }
                if (replay_unmount(r->mount) < 0)
                        return -EBUSY;
        }
        if (k < 0 && asprintf(&ret->trouble, "%s: %s", what, strerror(-k)) < 0)
                return -ENOMEM;
        return 0;
}

static void print_lines(const char *title, char *const *lines) {
        printf("    %s:\n", title);
        for (; lines && *lines; lines++)
                printf("        %s\n", *lines);
}

static void report(Replay *r, size_t entry, const char *kind, const ReplayState *s, const char *broken) {
        r->n_broken++;
        if (r->n_broken > 3)
                return;
        printf("not: after entry %zu (%s), operation '%s': %s\n", entry, kind,
                r->mark + 1 < r->n_marks ? r->marks[r->mark + 1].name : "the last", broken);
        print_lines("found", s->lines);
        print_lines("settled", s->settled);
        print_lines("before", r->marks[r->mark].live);
        if (r->mark + 1 < r->n_marks)
                print_lines("after", r->marks[r->mark + 1].live);
}

/* From the last mark before the state to the first one behind it. */
static int check_scratch(Replay *r, size_t entry, const char *kind, ReplayState *ret) {
        size_t until = r->mark + 1;
        ReplayWindow window;
        char *broken;
        int k;

        while (until < r->n_marks && r->marks[until].entry < entry)
                until++;
        window = (ReplayWindow) {
                .marks = r->marks + r->mark,
                .n_marks = (until < r->n_marks ? until + 1 : r->n_marks) - r->mark,
                .announced = r->announced,
        };
        k = examine(r, ret);
        if (k < 0)
                return k;
        broken = replay_judge(ret, &window);
        if (broken)
                report(r, entry, kind, ret, broken);
        free(broken);
        return 0;
}

/* --- states between two flushes --- */

/** struct Variant - which of the writes from @first to @last (exclusive) are on the disk */
typedef struct Variant {
        const char *kind;
        const bool *kept;
        size_t first;
        size_t last;
        bool torn; /* of the last one only the first half */
} Variant;

static int check_variant(Replay *r, const Variant *v) {
        ReplayState state = {};
        int k = copy_base(r);

        for (size_t i = v->first; k >= 0 && i < v->last; i++) {
                WriteLogEntry e = r->log.entries[i];

                if (!v->kept[i - v->first] || !is_write(r, i))
                        continue;
                if (v->torn && i == v->last - 1)
                        e.size = e.size / 1024 * 512;
                k = write_log_entry_apply(&e, r->scratch_fd);
        }
        if (k >= 0)
                k = check_scratch(r, v->last - 1, v->kind, &state);
        r->n_others++;
        replay_state_done(&state);
        return k;
}

static int check_prefixes(Replay *r, size_t first, size_t last, bool *kept) {
        int k = 0;

        memset(kept, true, last - first);
        for (size_t i = first; k >= 0 && i < last; i++) {
                if (!is_write(r, i))
                        continue;
                if (r->log.entries[i].size > 512 && !(r->log.entries[i].flags & WRITE_LOG_DISCARD))
                        k = check_variant(r, &(Variant) { "torn", kept, first, i + 1, true });
                if (k >= 0 && i + 1 < last)
                        k = check_variant(r, &(Variant) { "begin", kept, first, i + 1, false });
        }
        return k;
}

static int check_singles(Replay *r, size_t first, size_t last, bool *kept) {
        int k = 0;

        for (size_t i = first; k >= 0 && i < last; i++) {
                if (!is_write(r, i))
                        continue;
                memset(kept, true, last - first);
                kept[i - first] = false;
                k = check_variant(r, &(Variant) { "without", kept, first, last, false });
                if (k < 0)
                        break;
                memset(kept, false, last - first);
                kept[i - first] = true;
                k = check_variant(r, &(Variant) { "alone", kept, first, last, false });
        }
        return k;
}

static int check_drawn(Replay *r, size_t first, size_t last, bool *kept) {
        int k = 0;

        for (size_t n = 0; k >= 0 && n < DRAWN; n++) {
                for (size_t i = first; i < last; i++)
                        kept[i - first] = random() % 2 == 0;
                k = check_variant(r, &(Variant) { "drawn", kept, first, last, false });
        }
        return k;
}

static int check_between(Replay *r, size_t first, size_t last) {
        _cleanup_free_ bool *kept = calloc(last - first + 1, sizeof(bool));
        size_t n = 0;
        int k = 0;

        if (!kept)
                return -ENOMEM;
        for (size_t i = first; i < last; i++)
                n += is_write(r, i);
        if (n == 0)
                return 0;
        if (n <= EACH_MAX)
                k = check_prefixes(r, first, last, kept);
        /* Of two, each alone is a state of its own; one alone is both flushes around it. */
        if (k >= 0 && n >= 2 && n <= EACH_MAX)
                k = check_singles(r, first, last, kept);
        if (k >= 0 && n >= 4)
                k = check_drawn(r, first, last, kept);
        return k;
}

/* --- from flush to flush --- */

static int announce_words(Replay *r, const char *line) {
        _cleanup_free_ char *copy = strdup(line);
        char *rest = copy, *word;

        if (!copy)
                return -ENOMEM;
        while ((word = strsep(&rest, " ")))
                if (!strv_contains(r->announced, word) && strv_extend(&r->announced, word) < 0)
                        return -ENOMEM;
        return 0;
}

/* Every id that an intent on the disk names; a rollback also brings back what its patches had superseded. */
static int announce(Replay *r, char *const *lines) {
        bool rollback = false;
        int k = 0;

        for (char *const *line = lines; line && *line; line++)
                rollback = rollback || startswith(*line, "intent rollback ");
        for (; k >= 0 && lines && *lines; lines++)
                if (startswith(*lines, "intent ") || (rollback && startswith(*lines, "superseded ")))
                        k = announce_words(r, *lines);
        return k;
}

static void trace(const Replay *r, size_t entry, char *const *lines) {
        if (!r->trace || state_lines_equal(lines, r->last))
                return;
        printf("after the flush at entry %zu, operation '%s'\n", entry,
                r->mark + 1 < r->n_marks ? r->marks[r->mark + 1].name : "the last");
        for (char *const *line = lines; line && *line; line++)
                if (!strv_contains(r->last, *line))
                        printf("    + %s\n", *line);
        for (char **line = r->last; line && *line; line++)
                if (!strv_contains((char **) lines, *line))
                        printf("    - %s\n", *line);
}

static int check_flush(Replay *r, size_t entry) {
        ReplayState state = {};
        int k = copy_base(r);

        if (k >= 0)
                k = check_scratch(r, entry, "flush", &state);
        r->n_flushes++;
        if (k >= 0)
                k = announce(r, state.lines);
        if (k >= 0) {
                trace(r, entry, state.lines);
                strv_free(r->last);
                r->last = TAKE_PTR(state.lines);
        }
        replay_state_done(&state);
        return k;
}

/* The operation is over: so says the daemon, and so must say the disk. */
static int reach_mark(Replay *r, size_t n) {
        ReplayState state = {};
        int k = copy_base(r);

        if (k >= 0)
                k = examine(r, &state);
        if (k >= 0 && !state_lines_equal(state.lines, r->marks[n].live)) {
                r->mark = n > 0 ? n - 1 : 0;
                report(r, r->marks[n].entry, "mark", &state, "it was said to be over, and is not on the disk");
        }
        if (k >= 0)
                k = replay_admitted(state.settled, &r->marks[n].settled);
        replay_state_done(&state);
        return k;
}

/* First all marks: a state in the middle of an operation is compared with both ends of it. */
static int reach_marks(Replay *r) {
        size_t flushed = 0, n = 0;
        int k = 0;

        for (size_t i = 0; k >= 0 && i < r->log.n_entries && n < r->n_marks; i++) {
                if (i == r->marks[n].entry)
                        k = reach_mark(r, n++);
                if (!(r->log.entries[i].flags & WRITE_LOG_FLUSH))
                        continue;
                for (; k >= 0 && flushed < i; flushed++)
                        k = apply(r, flushed, r->base_fd);
        }
        return k;
}

static int clear_base(Replay *r) {
        return ftruncate(r->base_fd, 0) < 0 || ftruncate(r->base_fd, (off_t) r->disk_size) < 0 ? -errno : 0;
}

static int pass_marks(Replay *r, size_t entry) {
        while (r->mark + 1 < r->n_marks && r->marks[r->mark + 1].entry < entry) {
                r->mark++;
                r->announced = strv_free(r->announced);
                int k = announce(r, r->marks[r->mark].live);
                if (k < 0)
                        return k;
        }
        return 0;
}

/* Does the disk say that this module may be loaded or unloaded now? An intent names it, or a rollback brings it back:
 * that names only what it takes out, and what comes back is admitted again by then. */
static bool is_expected(char *const *lines, const char *module) {
        bool named = false, rollback = false, admitted = false;

        for (; lines && *lines; lines++) {
                char word[256];

                named = named || (sscanf(*lines, "touches %255s", word) == 1 && streq(word, module));
                rollback = rollback || startswith(*lines, "intent rollback ");
                admitted = admitted || (startswith(*lines, "admitted ") &&
                                        sscanf(*lines, "admitted %*s %*s %255s", word) == 1 && streq(word, module));
        }
        return named || (rollback && admitted);
}

static int check_kernel(Replay *r, size_t entry) {
        _cleanup_free_ char *module = replay_mark_module(&r->log.entries[entry], r->disk_size);

        if (!module)
                return 0;
        r->n_kernel++;
        if (is_expected(r->last, module))
                return 0;
        report(r, entry, "kernel", &(ReplayState) { .lines = r->last },
               "the kernel was touched without an intent on the disk");
        return 0;
}

/* Up to the first flush behind the last mark: what follows is the file system being unmounted, and none of our work. */
static int walk(Replay *r) {
        size_t flushed = 0;
        int k = clear_base(r);

        for (size_t i = 0; k >= 0 && i < r->log.n_entries && flushed <= r->marks[r->n_marks - 1].entry; i++) {
                k = check_kernel(r, i);
                if (k < 0)
                        break;
                if (!(r->log.entries[i].flags & WRITE_LOG_FLUSH))
                        continue;
                /* Before the first mark the file system is made. */
                if (flushed > r->marks[0].entry && !r->only_flushes)
                        k = check_between(r, flushed, i);
                for (; k >= 0 && flushed < i; flushed++)
                        k = apply(r, flushed, r->base_fd);
                if (k >= 0 && i > r->marks[0].entry)
                        k = pass_marks(r, i);
                if (k >= 0 && i > r->marks[0].entry)
                        k = check_flush(r, i);
        }
        return k;
}

/* --- the program --- */

static int make_folder(Replay *r) {
        static const char *const folders[] = { "", "var", "var/lib", "var/lib/hotpatch", "etc", "etc/hotpatch" };
        _cleanup_free_ char *command = NULL;

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                _cleanup_free_ char *path = path_join(r->folder, folders[i]);
                if (!path || (mkdir(path, 0700) < 0 && errno != EEXIST))
                        return path ? -errno : -ENOMEM;
        }
        if (asprintf(&command, "cp -r '%s/etc/hotpatch/trust.d' '%s/etc/hotpatch/'", r->root, r->folder) < 0)
                return -ENOMEM;
        r->mount = path_join(r->folder, "var/lib/hotpatch");
        return r->mount && system(command) == 0 ? 0 : -EIO;
}

static int prepare(Replay *r, const char *log) {
        int k = write_log_open(log, &r->log);

        if (k >= 0)
                k = replay_marks_find(&r->log, r->disk_size, &r->marks, &r->n_marks);
        if (k >= 0 && r->n_marks < 2)
                k = -ENODATA;
        if (k >= 0)
                k = make_folder(r);
        if (k >= 0)
                k = make_image(r->folder, "base", r->disk_size, &r->base_fd);
        if (k < 0)
                return k;
        r->base = mmap(NULL, r->disk_size, PROT_READ, MAP_SHARED, r->base_fd, 0);
        return r->base == MAP_FAILED ? -errno : 0;
}

static int check(char *const *argv) {
        Replay r = {
                .disk_size = strtoull(argv[1], NULL, 10), .type = argv[2], .folder = argv[4],
                .root = argv[5], .base_fd = -EBADF, .scratch_fd = -EBADF, .trace = getenv("REPLAY_TRACE"),
                .only_flushes = streq(argv[6], "flushes"),
        };
        int k;

        srandom((unsigned) strtoul(argv[3], NULL, 10));
        k = replay_mount_privately();
        if (k >= 0)
                k = prepare(&r, argv[0]);
        if (k >= 0)
                k = reach_marks(&r);
        if (k >= 0)
                k = walk(&r);
        if (k < 0) {
                fprintf(stderr, "replay-states: %s\n", strerror(-k));
                return k;
        }
        printf("# %s: %zu operations, %zu entries, modules loaded or unloaded %zu times, %zu flushes, %zu states between "
                "them, %zu broken\n", r.type, r.n_marks - 1, r.log.n_entries, r.n_kernel, r.n_flushes, r.n_others,
                r.n_broken);
        return r.n_broken > 0 ? -EBADMSG : 0;
}

int main(int argc, char *argv[]) {
        int r;

        r = hotpatch_errors_register();
        if (r >= 0 && argc == 9 && streq(argv[1], "check"))
                return check(argv + 2) < 0;
        if (r < 0 || argc != 6 || !streq(argv[1], "mark")) {
                fprintf(stderr, "Usage: %s mark DISK OFFSET NAME ROOT\n"
                        "       %s check LOG OFFSET FSTYPE SEED FOLDER ROOT all|flushes\n", argv[0], argv[0]);
                return 2;
        }
        r = replay_mark_write(argv[2], strtoull(argv[3], NULL, 10), argv[4], argv[5]);
        if (r < 0)
                fprintf(stderr, "replay-states: %s: %s\n", argv[2], strerror(-r));
        return r < 0;
}
