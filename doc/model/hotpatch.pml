/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The life of hotpatches: jobs, transitions, trials, rollbacks, and everything that may end in their
 * middle. README.md beside this file says what is proved, how, and what is left out.
 *
 * Two patches, 0 and 1. With SUPERSEDES patch 1 supersedes patch 0; without, both may be applied as one
 * transaction. Each statement is one step that a crash may come before or after; what is one system call or
 * one rename in the product is one statement here, or an `atomic` or `d_step`.
 *
 * BUG_… macros leave something out on purpose: check-model wants each of them to be found.
 */

#ifndef REQUESTS
#define REQUESTS 2 /* calls of Apply or Remove */
#endif
#ifndef KILLS
#define KILLS 1 /* of the daemon */
#endif
#ifndef CRASHES
#define CRASHES 2 /* of the machine */
#endif
#ifndef SHUTDOWNS
#define SHUTDOWNS 1
#endif
#ifndef SIGNS
#define SIGNS 1 /* bad ones, in trials */
#endif

#define N 2
#define has(set, p) (((set) >> (p)) & 1)
#define BOTH 3

/* --- the kernel: gone with the machine --- */

#define ABSENT 0
#define PATCHING 1
#define PATCHED 2
#define UNPATCHING 3
#define INACTIVE 4 /* in memory, out of force */

byte kernel[N];
bool stuck;     /* a task sleeps for ever in what is to be replaced */
byte inflight;  /* p + 1: a child is in finit_module(2) with patch p */

#define in_transition(p) (kernel[p] == PATCHING || kernel[p] == UNPATCHING)

/* --- the state directory: stays --- */

#define NONE 0
#define APPLY 1
#define REMOVE 2
#define ROLLBACK 3
#define RESTORE 4

bool admitted[N];   /* the record: wanted */
bool superseded[N]; /* kept until the trial of what superseded it is over */
byte intent = NONE;
byte intent_set;
bool intent_old;    /* of another boot */
byte trial[N];      /* NONE, APPLY or RESTORE */
bool trial_old[N];
bool trial_together; /* both are of one transaction */
byte strikes[N];
bool clean;         /* the machine was shut down in order */

bool struck[N];     /* the strike for the boot that the records name is written down */

#define quarantined(p) (strikes[p] >= 2)

/* --- what runs --- */

bool up = true;      /* the machine, booted as far as hotpatchd.service */
bool booting;        /* hotpatch-restore is at work */
bool down;           /* it has just gone down */
byte lock = 0;       /* who has the state directory; 0: nobody */
bool killed;
byte request = 0;    /* APPLY or REMOVE */
byte request_set;
byte sign = 0;       /* p + 1: a bad sign that names patch p */
bool busy;           /* a job runs */
byte inside = 0;     /* daemons at work */

/* --- what ought to be, for the claims only --- */

bool together;       /* both came as one transaction, and nobody asked for one of them to go */
bool want[N];        /* what must be back after the shutdown */
bool want_valid;
bool fresh[N];       /* inserted, and no trial has ended well since */
byte blame[N];       /* how often the machine crashed with it fresh */
bool refuted[N];     /* the first time in its trial after Apply */

/* --- the journal --- */

mtype = { STARTED, LOADED, APPLIED, REMOVED, DONE, FAILED, REFUSED, REVERSING, INTERRUPTED };

#ifdef TRACE
/* check-trace puts a process at the other end that takes only what a real journal says. */
chan journal = [0] of { mtype, byte };
#define record(event, p) journal!event(p)
#else
#define record(event, p) skip
#endif
#define NOBODY 9

/* --- the kernel at work --- */

inline insert_now() {
        p = inflight - 1;
        /* at most one transition, and nothing that has proved to kill */
        assert(!in_transition(0) && !in_transition(1));
        assert(!quarantined(p) && blame[p] < 2);
        assert(kernel[p] == ABSENT);
        fresh[p] = true;
        kernel[p] = PATCHING;
        inflight = 0;
        p = 0;
#ifdef STUCK
        if
        :: stuck = true
        :: stuck = false
        fi
#endif
}

active proctype Kernel() {
        byte p;
end:    do
        :: d_step { kernel[0] == PATCHING && !stuck -> kernel[0] = PATCHED }
        :: d_step { kernel[1] == PATCHING && !stuck -> kernel[1] = PATCHED }
        :: d_step { kernel[0] == UNPATCHING && !stuck -> kernel[0] = INACTIVE }
        :: d_step { kernel[1] == UNPATCHING && !stuck -> kernel[1] = INACTIVE }
        :: atomic { inflight != 0 -> insert_now() }
        od
}

/* --- parts of a job --- */

inline insert(p) {
        atomic { inflight == 0 && kernel[p] == ABSENT -> inflight = p + 1 };
        inflight == 0;
}

/* The way out from whatever it is now; a transition that runs is turned around, which always ends. */
inline take_out(p) {
        do
        :: kernel[p] == ABSENT -> break
        :: d_step { kernel[p] == PATCHING || kernel[p] == PATCHED -> kernel[p] = UNPATCHING; stuck = false }
        :: d_step { kernel[p] == INACTIVE -> kernel[p] = ABSENT }
        od
}

inline close_intent() {
        d_step { intent = NONE; intent_set = 0; intent_old = false }
}

inline open_intent(kind, set) {
        d_step { intent = kind; intent_set = set; intent_old = false; struck[0] = false; struck[1] = false }
}

inline forget(p) {
        admitted[p] = false;
        d_step { trial[p] = NONE; trial_old[p] = false; trial_together = false; fresh[p] = false }
}

/* Backwards: what was inserted leaves in reverse order, then the records, then the intent. */
inline undo(set) {
        record(REVERSING, NOBODY);
        if :: has(set, 1) -> take_out(1) :: else fi;
        if :: has(set, 0) -> take_out(0) :: else fi;
        if :: has(set, 0) -> forget(0) :: else fi;
        if :: has(set, 1) -> forget(1) :: else fi;
        close_intent();
        record(FAILED, NOBODY)
}

/* A patch leaves; its transition may stall like any other. OUT: `turned`: it was turned around and stays. */
inline leave(p) {
        if
        :: kernel[p] == PATCHED ->
                kernel[p] = UNPATCHING;
#ifdef STUCK
                if
                :: stuck = true
                :: stuck = false
                fi
#endif
        :: d_step { kernel[p] == PATCHING -> kernel[p] = UNPATCHING; stuck = false }
        :: else
        fi;
        if
        :: kernel[p] == INACTIVE || kernel[p] == ABSENT ->
                take_out(p);
                forget(p);
                record(REMOVED, p)
#ifdef DEADLINE
        :: d_step { kernel[p] == UNPATCHING -> kernel[p] = PATCHING; stuck = false };
                kernel[p] == PATCHED;
                turned = true
#endif
        fi
}

/* What leaves by an intent, from its beginning: also after an interruption. A removal that was turned around
 * is not finished behind anybody's back later. */
inline leave_all() {
        if :: has(intent_set, 1) -> leave(1) :: else fi;
        if :: has(intent_set, 0) && !turned -> leave(0) :: else fi;
        if
        :: turned && !past_return -> record(REVERSING, NOBODY)
        :: !turned && has(intent_set, 1) -> superseded[0] = false
        :: turned && past_return && superseded[0] && admitted[0] -> superseded[0] = false
        :: else
        fi;
        close_intent();
        if
        :: turned -> record(FAILED, NOBODY)
        :: else -> record(DONE, NOBODY)
        fi;
        d_step { turned = false; past_return = false }
}

/* The new ones are in force: what is left is taking the superseded one out. */
inline pass_return() {
#ifdef SUPERSEDES
        if
        :: has(set, 1) && admitted[0] ->
                superseded[0] = trial[0] != APPLY; /* one that has not stood its own trial does not come back */
                open_intent(REMOVE, 1)
        :: else -> close_intent()
        fi
#else
        close_intent()
#endif
}

inline commit(p, last) {
        admitted[p] = true;
        if :: last -> pass_return() :: else fi;
        record(APPLIED, p)
}

/* OUT: `turned`: cancelled or past the deadline */
inline bring_in(p) {
        insert(p);
        record(LOADED, p);
        if
        :: kernel[p] == PATCHED
#ifdef DEADLINE
        :: kernel[p] == PATCHING -> turned = true
#endif
        fi
}

inline apply(set) {
#ifndef BUG_LATE_INTENT
        open_intent(APPLY, set);
#endif
        record(STARTED, NOBODY);
        d_step {
                inserted = 0;
                turned = false;
                if :: has(set, 0) -> refuted[0] = false :: else fi;
                if :: has(set, 1) -> refuted[1] = false :: else fi
        }
        if :: has(set, 0) -> inserted = inserted | 1; bring_in(0) :: else fi;
        if :: has(set, 1) && !turned -> inserted = inserted | 2; bring_in(1) :: else fi;
#ifdef BUG_LATE_INTENT
        open_intent(APPLY, set);
#endif
        if
        :: turned -> undo(inserted)
        :: else ->
#ifndef BUG_NO_TRIAL
                d_step {
                        trial_together = set == BOTH;
                        if :: has(set, 0) -> trial[0] = APPLY; trial_old[0] = false :: else fi;
                        if :: has(set, 1) -> trial[1] = APPLY; trial_old[1] = false :: else fi;
                        together = set == BOTH
                };
#endif
                if :: has(set, 0) -> commit(0, set == 1) :: else fi;
                if :: has(set, 1) -> commit(1, true) :: else fi;
                if
                :: intent == REMOVE -> past_return = true; leave_all()
                :: else -> record(DONE, NOBODY)
                fi
        fi;
        d_step { inserted = 0; turned = false }
}

/* In the reverse order of their application. Stopped halfway, what is out is out. */
inline remove(set) {
        d_step { together = false; turned = false }
        open_intent(REMOVE, set);
        record(STARTED, NOBODY);
        leave_all()
}

/* A bad sign in a trial: its transaction leaves, and what it had superseded comes back. */
inline rollback_rest() {
        record(REVERSING, NOBODY);
        if :: has(intent_set, 1) -> take_out(1) :: else fi;
        if :: has(intent_set, 0) -> take_out(0) :: else fi;
        if :: has(intent_set, 0) -> forget(0) :: else fi;
        if :: has(intent_set, 1) -> forget(1) :: else fi;
        if :: has(intent_set, 0) -> record(REMOVED, 0) :: else fi;
        if :: has(intent_set, 1) -> record(REMOVED, 1) :: else fi;
        if
        :: superseded[0] && has(intent_set, 1) && !quarantined(0) ->
#ifndef BUG_BACK_WITHOUT_TRIAL
                d_step { trial[0] = RESTORE; trial_old[0] = false; struck[0] = false; trial_together = false }
#endif
                if
                :: kernel[0] == ABSENT -> insert(0); record(LOADED, 0)
                :: else
                fi;
                stuck = false;
                kernel[0] == PATCHED;
                admitted[0] = true;
                record(APPLIED, 0)
        :: else
        fi;
        superseded[0] = false;
        close_intent();
        record(DONE, NOBODY);
        together = false
}

/* --- the daemon --- */

/* What the next start does about an intent of this boot. */
inline recover() {
        if
        :: intent == NONE
        :: intent == APPLY ->
                busy = true;
                record(INTERRUPTED, NOBODY);
                if
                :: (admitted[0] || !has(intent_set, 0)) && (admitted[1] || !has(intent_set, 1)) ->
                        set = intent_set;
                        pass_return();
                        if
                        :: intent == REMOVE -> past_return = true; leave_all()
                        :: else -> record(DONE, NOBODY)
                        fi
                :: else -> undo(intent_set)
                fi;
                set = 0
        :: intent == REMOVE ->
                busy = true;
                record(INTERRUPTED, NOBODY);
                past_return = true;
                leave_all()
        :: intent == ROLLBACK ->
                busy = true;
                rollback_rest()
        fi;
        busy = false
}

/* The invariant of a quiet moment: kernel = records, nothing half, nothing open. */
inline look_around() {
        d_step {
        assert(inside == 1);
        assert(intent == NONE);
        assert(kernel[0] == ABSENT || kernel[0] == PATCHED);
        assert(kernel[1] == ABSENT || kernel[1] == PATCHED);
        assert((kernel[0] == PATCHED) == (admitted[0] && !quarantined(0)));
        assert((kernel[1] == PATCHED) == (admitted[1] && !quarantined(1)));
        assert(!together || (kernel[0] == kernel[1]));
        assert(!want_valid || !want[0] || kernel[0] == PATCHED);
        assert(!want_valid || !want[1] || kernel[1] == PATCHED)
        }
}

/* Every wish that a plan would not refuse. */
#ifdef SUPERSEDES
#define may_apply(set) (set == 1 && !admitted[0] && !admitted[1] && !quarantined(0) || set == 2 && !admitted[1] && !quarantined(1))
#else
#define may_apply(set) ((!has(set, 0) || !admitted[0] && !quarantined(0)) && (!has(set, 1) || !admitted[1] && !quarantined(1)))
#endif
#define may_remove(set) ((!has(set, 0) || admitted[0] && kernel[0] == PATCHED) && (!has(set, 1) || admitted[1] && kernel[1] == PATCHED))

inline serve() {
        set = request_set;
        if
        :: request == APPLY && may_apply(set) -> request = 0; busy = true; apply(set)
        :: request == REMOVE && may_remove(set) -> request = 0; busy = true; remove(set)
        :: else ->
                request = 0;
                record(REFUSED, NOBODY)
        fi;
        d_step { set = 0; busy = false }
}

/* A transaction has one trial; each patch that was restored has its own, and any of them may be over first. */
inline end_trial_well() {
        atomic {
                if
                :: trial[1] != NONE ->
                        trial[1] = NONE;
                        fresh[1] = false;
                        superseded[0] = false;
                        if :: trial_together -> trial[0] = NONE; fresh[0] = false :: else fi
                :: trial[0] != NONE && (!trial_together || trial[1] == NONE) -> trial[0] = NONE; fresh[0] = false
                fi;
                trial_together = false
        }
}

inline end_trial_badly() {
        d_step {
                if :: trial[sign - 1] == RESTORE -> together = false :: else fi;
                if :: trial_together -> set = BOTH :: else -> set = 1 << (sign - 1) fi;
                sign = 0;
                busy = true
        }
        open_intent(ROLLBACK, set);
        rollback_rest();
        d_step { set = 0; busy = false }
}

proctype Daemon(byte me) {
        byte set, inserted;
        bool turned, past_return;

start:
#ifdef BUG_NO_LOCK
end:    atomic { up && !killed -> lock = me; inside++ };
#else
end:    atomic { up && lock == 0 && !killed -> lock = me; inside++ };
#endif
        {
                recover();
                look_around(); want_valid = false;
endq:           do
                :: request != 0 -> serve(); look_around()
                :: sign != 0 && trial[sign - 1] != NONE -> end_trial_badly(); look_around()
                :: d_step { sign != 0 && trial[sign - 1] == NONE -> sign = 0 }
                :: sign == 0 && (trial[0] != NONE || trial[1] != NONE) -> end_trial_well(); look_around()
                :: false /* with no work there is no step */
                od
        } unless { lock == me && (killed || !up) }
        /* The loader dies with it, or its module is in the kernel first: a new daemon starts after that. */
        if
        :: d_step { inflight != 0 -> inflight = 0 }
        :: inflight == 0
        fi;
        atomic {
                d_step { set = 0; inserted = 0; turned = false; past_return = false; killed = false; busy = false; inside-- }
                lock = 0
        }
        goto start
}

/* --- the machine --- */

inline crash_now() {
        d_step {
                if :: fresh[0] && kernel[0] != ABSENT -> blame[0]++ :: else fi;
                if :: fresh[1] && kernel[1] != ABSENT -> blame[1]++ :: else fi;
                if :: fresh[0] && trial[0] == APPLY -> refuted[0] = true :: else fi;
                if :: fresh[1] && trial[1] == APPLY -> refuted[1] = true :: else fi;
                want_valid = false
        }
}

inline go_down() {
        d_step {
                up = false; booting = false; down = true;
                kernel[0] = ABSENT; kernel[1] = ABSENT;
                fresh[0] = false; fresh[1] = false;
                inflight = 0; stuck = false; sign = 0; request = 0;
                intent_old = intent != NONE;
                trial_old[0] = trial[0] != NONE;
                trial_old[1] = trial[1] != NONE
        }
}

#define named(p) (trial_old[p] || intent_old && has(intent_set, p))

/* One strike for everybody whom a record of the last boot names. */
inline strike(p) {
#ifndef BUG_NO_STRIKE
        if
        :: d_step { !clean && named(p) && !struck[p] && strikes[p] < 2 -> strikes[p]++; struck[p] = true; if :: quarantined(p) -> together = false :: else fi }
        :: else
        fi
#else
        skip
#endif
}

/* The kernel that the intent was about is gone: only the records are left to be made whole. */
inline settle_intent() {
        if
        :: intent == APPLY && (admitted[0] || !has(intent_set, 0)) && (admitted[1] || !has(intent_set, 1)) ->
#ifdef SUPERSEDES
                if :: has(intent_set, 1) && admitted[0] -> superseded[0] = trial[0] != APPLY; admitted[0] = false :: else fi
#else
                skip
#endif
        :: intent == REMOVE || intent == ROLLBACK ||
           intent == APPLY && !((admitted[0] || !has(intent_set, 0)) && (admitted[1] || !has(intent_set, 1))) ->
#ifndef BUG_HALF_AT_BOOT
                if :: has(intent_set, 0) -> forget(0) :: else fi;
                if :: has(intent_set, 1) -> forget(1) :: else fi;
#endif
                if
                :: superseded[0] && has(intent_set, 1) && intent == ROLLBACK -> admitted[0] = true
                :: else
                fi;
                if :: has(intent_set, 1) -> superseded[0] = false :: else fi
        :: intent == NONE
        fi;
        close_intent()
}

/* A trial that ended in a crash: a new patch is not tried again; one that was restored is, once. */
inline settle_trial(p) {
#ifndef BUG_AGAIN_AFTER_CRASH
        if
        :: trial[p] == APPLY && trial_old[p] && !clean ->
                if :: p == 1 && superseded[0] -> admitted[0] = true; superseded[0] = false :: else fi;
                admitted[p] = false
        :: else
        fi
#else
        skip
#endif
}

/* One file for each transaction. */
inline close_trials() {
        if
        :: d_step { trial_together && trial[0] != NONE && trial[1] != NONE ->
                        trial[0] = NONE; trial[1] = NONE; trial_old[0] = false; trial_old[1] = false }
        :: else ->
                d_step { trial[0] = NONE; trial_old[0] = false };
                d_step { trial[1] = NONE; trial_old[1] = false }
        fi
}

/* Each by itself, with a record of its own, written before the module is given to the kernel. */
inline restore(p) {
        if
        :: admitted[p] && !quarantined(p) ->
                assert(!refuted[p]);
                d_step { trial[p] = RESTORE; trial_old[p] = false; struck[p] = false }
                insert(p);
                stuck = false;
                kernel[p] == PATCHED
        :: else
        fi
}

active proctype Boot() {
end:    do
        :: atomic { down && lock == 0 -> down = false; booting = true };
           {
                strike(0);
                strike(1);
                settle_intent();
                settle_trial(0);
                settle_trial(1);
                close_trials();
                d_step { clean = false; trial_together = false }
                restore(0);
                restore(1);
                d_step { booting = false; up = true }
           } unless { down }
        od
}

/* Wanted, and nothing is under way that may end with it out. */
#ifdef SUPERSEDES
#define committed(p) (admitted[p] && !quarantined(p) && intent == NONE)
#else
#define committed(p) (admitted[p] && !quarantined(p) && !(intent != NONE && has(intent_set, p)))
#endif

active proctype World() {
        byte requests = REQUESTS, kills = KILLS, crashes = CRASHES, shutdowns = SHUTDOWNS, signs = SIGNS;

end:    do
        :: d_step { requests > 0 && request == 0 && up -> requests-- };
           atomic {
                if :: request_set = 1 :: request_set = 2
#ifndef SUPERSEDES
                   :: request_set = 3
#endif
                fi;
                if :: up -> if :: request = APPLY :: request = REMOVE fi :: else fi
           }
        :: d_step { kills > 0 && lock != 0 && up && !killed -> kills--; killed = true }
        :: atomic { crashes > 0 && (up || booting) -> crashes--; crash_now(); clean = false; go_down() }
        :: atomic {
                shutdowns > 0 && up ->
                shutdowns--;
                d_step {
                        clean = true;
                        want[0] = committed(0);
                        want[1] = committed(1);
                        want_valid = true
                }
                go_down()
           }
        :: d_step { signs > 0 && sign == 0 && up && trial[0] != NONE && kernel[0] == PATCHED -> signs--; sign = 1 }
        :: d_step { signs > 0 && sign == 0 && up && trial[1] != NONE && kernel[1] == PATCHED -> signs--; sign = 2 }
        od
}

init {
        atomic {
                run Daemon(1);
                run Daemon(2)
        }
}

#ifdef PROGRESS
ltl every_job_ends { [] (busy -> <> !busy) }
#endif
