/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A user task changes over on its way out of the kernel, before it would come to stand in the cgroup
 * freezer (kernel/entry/common.c: TIF_PATCH_PENDING is looked at before signals, and freezing is one). So
 * a unit need not stay frozen until the transition has ended: as soon as systemd says that all of its
 * tasks stand still, they have changed over, and it is thawed. That is some milliseconds, during
 * which the programs notice nothing: no signal, no EINTR, unlike with SIGSTOP.
 *
 * What must never happen is that a unit stays frozen. Therefore:
 *
 *   - its name lies in /run/hotpatch/frozen before systemd is asked to freeze it, and is taken out after
 *     it was thawed; a daemon that starts thaws what it finds there;
 *   - a unit that does not stand still within a second is thawed without having been frozen;
 *   - thawing that fails is tried again until it works or the unit is gone;
 *   - one that somebody else has frozen is left as it is.
 *
 * /run, not the state directory: a restart thaws everything by itself.
 */

#include <fcntl.h>
#include <time.h>

#include "daemon/freezer.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

#define FROZEN_FOLDER "run/hotpatch"
#define FROZEN_FILE "frozen"

/* All tasks of a unit stand still within milliseconds, or one of them sits in an uninterruptible sleep. */
#define FREEZE_TIMEOUT_USEC USEC_PER_SEC
#define THAW_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define QUESTION_TIMEOUT_USEC (2 * USEC_PER_SEC)
#define THAW_AGAIN_USEC (USEC_PER_SEC / 2)
/* Names of one run, and of a damaged file. */
#define UNITS_MAX 64U

typedef enum Phase { QUIET, ASKING, FREEZING, THAWING, PAUSE } Phase;

struct Freezer {
        sd_event *event;
        Systemd *systemd;
        int root_fd;
        FreezerTold told;
        void *userdata;

        char **queue;    /* to be frozen and thawed; the first is under way */
        char **frozen;   /* may be frozen: what the file says */
        Phase phase;
        SystemdCall *call;
        sd_event_source *timer;
        uint64_t since_usec;
        bool unknown;    /* the unit did not say that it stands still */
        bool complained;
        bool stale;      /* the file says more than @frozen, and could not be written */
        bool closed;

        FreezerDone done;
        void *done_userdata;
        FreezerDone quiet;
        void *quiet_userdata;
};

static uint64_t now_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

/* --- the list --- */

static int folder_open(const Freezer *f) {
        int fd = openat(f->root_fd, FROZEN_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        return fd < 0 ? -errno : fd;
}

static int list_write(const Freezer *f) {
        _cleanup_close_ int fd = folder_open(f);
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *out;

        if (fd < 0)
                return fd;
        if (strv_length(f->frozen) == 0)
                return unlinkat(fd, FROZEN_FILE, 0) < 0 && errno != ENOENT ? -errno : 0;
        out = open_memstream(&text, &size);
        if (!out)
                return -ENOMEM;
        for (char **unit = f->frozen; *unit; unit++)
                fprintf(out, "%s\n", *unit);
        if (fclose(out) != 0)
                return -ENOMEM;
        return file_replace_at(fd, FROZEN_FILE, text, size, 0600);
}

static int list_read(Freezer *f) {
        _cleanup_close_ int fd = folder_open(f);
        _cleanup_free_ char *text = NULL;
        char *rest, *unit;
        void *data;
        int r;

        if (fd < 0)
                return fd;
        r = file_read_at(fd, FROZEN_FILE, UNITS_MAX * (HOTPATCH_UNIT_NAME_MAX + 1), &data, NULL);
        if (r < 0)
                return r;
        text = data;
        for (rest = text; (unit = strsep(&rest, "\n"));) {
                if (!systemd_unit_name_is_valid(unit) || strv_contains(f->frozen, unit))
                        continue;
                r = strv_extend(&f->frozen, unit);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- one after the other --- */

static void next(Freezer *f);

static void tell(Freezer *f, const char *unit, uint64_t usec, const char *error, bool stuck) {
        f->told(f->userdata, unit, usec, error, stuck);
}

static void thaw(Freezer *f, const char *unit);

static int on_pause_over(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Freezer *f = userdata;

        f->timer = sd_event_source_disable_unref(f->timer);
        f->phase = QUIET;
        next(f);
        return 0;
}

static void pause_and_go_on(Freezer *f) {
        f->phase = PAUSE;
        if (sd_event_add_time_relative(f->event, &f->timer, CLOCK_MONOTONIC, THAW_AGAIN_USEC, 0,
                    on_pause_over, f) < 0)
                f->phase = QUIET; /* the next start thaws it */
}

static void thaw_failed(Freezer *f, const char *why) {
        if (!f->complained)
                tell(f, f->frozen[0], now_usec() - f->since_usec, why, true);
        f->complained = true;
        pause_and_go_on(f);
}

/* Who is named there is thawed by the next start, also when somebody else has frozen it since. At the end of the daemon
 * there is one more try. Return: whether the next one has to wait. */
static bool refresh_list(Freezer *f) {
        f->stale = f->stale && list_write(f) < 0;
        if (!f->stale || f->closed)
                return false;
        pause_and_go_on(f);
        return f->phase == PAUSE;
}

/* A unit that is gone has no tasks that could be frozen. */
static bool is_gone(const sd_bus_error *error) {
        return sd_bus_error_has_names(error, "org.freedesktop.systemd1.NoSuchUnit",
                "org.freedesktop.systemd1.UnitInactive");
}

static void on_thawed(void *userdata, int r, _unused_ const char *answer, const sd_bus_error *error) {
        _cleanup_free_ char *unit = NULL;
        Freezer *f = userdata;
        uint64_t usec = now_usec() - f->since_usec;

        f->call = systemd_call_free(f->call);
        f->phase = QUIET;
        if (r < 0 && !is_gone(error))
                return thaw_failed(f, error->message);
        unit = strdup(f->frozen[0]);
        strv_remove(f->frozen, f->frozen[0]);
        f->stale = list_write(f) < 0;
        if (unit)
                tell(f, unit, usec, f->unknown ? "its tasks did not stand still within a second" : NULL, false);
        f->complained = false;
        next(f);
}

static void thaw(Freezer *f, const char *unit) {
        int r;

        f->phase = THAWING;
        r = systemd_thaw_unit(f->systemd, unit, THAW_TIMEOUT_USEC, on_thawed, f, &f->call);
        if (r < 0)
                thaw_failed(f, strerror(-r));
}

static void on_frozen(void *userdata, int r, _unused_ const char *answer, _unused_ const sd_bus_error *error) {
        Freezer *f = userdata;

        f->call = systemd_call_free(f->call);
        /* Refused or late, it may become frozen all the same. */
        f->unknown = r < 0;
        thaw(f, f->frozen[0]);
}

/* The first of the queue is not frozen. */
static void pass_over(Freezer *f, const char *why) {
        _cleanup_free_ char *unit = strdup(f->queue[0]);

        strv_remove(f->queue, f->queue[0]);
        f->phase = QUIET;
        if (unit)
                tell(f, unit, 0, why, false);
        next(f);
}

static void freeze(Freezer *f) {
        _cleanup_free_ char *unit = strdup(f->queue[0]);
        int r;

        r = unit ? strv_extend(&f->frozen, unit) : -ENOMEM;
        if (r >= 0)
                r = list_write(f);
        f->stale = f->stale && r < 0;
        if (r < 0) {
                if (unit)
                        strv_remove(f->frozen, unit);
                return pass_over(f, strerror(-r));
        }
        strv_remove(f->queue, unit);
        f->phase = FREEZING;
        f->unknown = false;
        f->since_usec = now_usec();
        r = systemd_freeze_unit(f->systemd, unit, FREEZE_TIMEOUT_USEC, on_frozen, f, &f->call);
        if (r >= 0)
                return;
        strv_remove(f->frozen, unit);
        f->stale = list_write(f) < 0;
        f->phase = QUIET;
        tell(f, unit, 0, strerror(-r), false);
        next(f);
}

static void on_state(void *userdata, int r, const char *answer, const sd_bus_error *error) {
        Freezer *f = userdata;
        bool running = r >= 0 && streq_ptr(answer, "running");
        _cleanup_free_ char *why = strdup(r < 0 ? strempty(error->message) : "it is frozen by somebody else");

        f->call = systemd_call_free(f->call);
        if (!f->queue || !f->queue[0]) { /* stopped meanwhile */
                f->phase = QUIET;
                return next(f);
        }
        if (running)
                freeze(f);
        else
                pass_over(f, why);
}

static void ask(Freezer *f) {
        int r;

        f->phase = ASKING;
        r = systemd_get_unit_string(f->systemd, f->queue[0], "FreezerState", QUESTION_TIMEOUT_USEC, on_state, f,
                &f->call);
        if (r < 0)
                pass_over(f, strerror(-r));
}

static void next(Freezer *f) {
        FreezerDone done;

        if (f->phase != QUIET)
                return;
        /* What may be frozen comes first. */
        if (f->frozen && f->frozen[0])
                return thaw(f, f->frozen[0]);
        if (f->queue && f->queue[0])
                return ask(f);
        done = f->done;
        f->done = NULL;
        if (done)
                done(f->done_userdata);
        if (freezer_is_busy(f) || refresh_list(f))
                return;
        done = f->quiet;
        f->quiet = NULL;
        if (done)
                done(f->quiet_userdata);
}

/**
 * freezer_run() - freeze and thaw units, one after the other
 * @units: names; at most 64 are taken
 * @done: called later, when the last was thawed; NULL: nobody asks
 *
 * Return: 0, -EBUSY while another run is under way, or another negative errno.
 */
int freezer_run(Freezer *f, char *const *units, FreezerDone done, void *userdata) {
        _cleanup_strv_free_ char **queue = NULL;
        int r;

        if (freezer_is_busy(f) || f->closed)
                return -EBUSY;
        for (size_t i = 0; units[i] && i < UNITS_MAX; i++) {
                r = strv_extend(&queue, units[i]);
                if (r < 0)
                        return r;
        }
        if (!queue)
                return -EINVAL;
        strv_free(f->queue);
        f->queue = TAKE_PTR(queue);
        f->done = done;
        f->done_userdata = userdata;
        next(f);
        return 0;
}

/** freezer_stop() - freeze no more units, and tell the caller of the run nothing; thawing goes on */
void freezer_stop(Freezer *f) {
        f->queue = strv_free(f->queue);
        f->done = NULL;
}

/**
 * freezer_when_quiet() - call @done when nothing is frozen; at once when nothing is
 *
 * For the end of the daemon: nothing is frozen any more. To be used with freezer_stop().
 */
void freezer_when_quiet(Freezer *f, FreezerDone done, void *userdata) {
        f->closed = true;
        if (!freezer_is_busy(f))
                return done(userdata);
        f->quiet = done;
        f->quiet_userdata = userdata;
}

/** freezer_is_busy() - is a unit frozen, or about to be? */
bool freezer_is_busy(const Freezer *f) {
        return f->phase != QUIET || (f->queue && f->queue[0]) || (f->frozen && f->frozen[0]);
}

/**
 * freezer_recover() - thaw what a daemon before this one may have left frozen
 *
 * Return: 0 (also when there is nothing to do), or a negative errno.
 */
int freezer_recover(Freezer *f) {
        int r = list_read(f);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        f->since_usec = now_usec();
        next(f);
        return 0;
}

/**
 * freezer_new() - a freezer with nothing to do
 * @root_fd: borrowed; the list lies below it
 * @told, @userdata: hears of each unit, see FreezerTold
 * @ret: freezer_free() it before @systemd
 *
 * Return: 0 or -ENOMEM.
 */
int freezer_new(sd_event *event, Systemd *systemd, int root_fd, FreezerTold told, void *userdata, Freezer **ret) {
        Freezer *f = malloc(sizeof(*f));

        if (!f)
                return -ENOMEM;
        *f = (Freezer) {
                .event = sd_event_ref(event),
                .systemd = systemd,
                .root_fd = root_fd,
                .told = told,
                .userdata = userdata,
        };
        *ret = f;
        return 0;
}

/** freezer_free() - forget it; what is frozen stays so and is in the list. Returns NULL. */
Freezer *freezer_free(Freezer *f) {
        if (!f)
                return NULL;
        systemd_call_free(f->call);
        sd_event_source_disable_unref(f->timer);
        strv_free(f->queue);
        strv_free(f->frozen);
        sd_event_unref(f->event);
        free(f);
        return NULL;
}
