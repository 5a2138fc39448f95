/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The life of hotpatches: jobs, transitions, trials, rollbacks, and everything that may end in their
 * middle. README.md beside this file says what is proved, how, and what is left out.
 *
 * Two patches, 0 and 1. With SUPERSEDES patch 1 supersedes patch 0; without, both may be applied as one
 * transaction. With REPLACES its module takes the place of all livepatches, too: the kernel throws patch 0 out with
 * the end of the transition. With REQUIRES there is a patch 2 that requires patch 0, or what supersedes it.
 *
 * Each statement is one step that a crash may come before or after; what is one system call or one rename in the product
 * is one statement here, or an `atomic` or `d_step`.
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

#ifdef REPLACES
#define SUPERSEDES
#endif
#ifdef REQUIRES
#define SUPERSEDES
#endif

#define has(set, p) (((set) >> (p)) & 1)
#define BOTH 3
#define when(set, p, step) if :: has(set, p) -> step(p) :: else fi
#ifdef REQUIRES
#define N 3
#define each(step) step(0); step(1); step(2)
#define in_order(set, step) when(set, 0, step); when(set, 1, step); when(set, 2, step)
#define backwards(set, step) when(set, 2, step); when(set, 1, step); when(set, 0, step)
#define all(what) (what(0) && what(1) && what(2))
#else
#define N 2
#define each(step) step(0); step(1)
#define in_order(set, step) when(set, 0, step); when(set, 1, step)
#define backwards(set, step) when(set, 1, step); when(set, 0, step)
#define all(what) (what(0) && what(1))
#endif

/* --- the kernel: gone with the machine --- */

#define ABSENT 0
#define PATCHING 1
#define PATCHED 2
#define UNPATCHING 3
#define INACTIVE 4 /* in memory, out of force */

byte kernel[N];
bool stuck;     /* a task sleeps for ever in what is to be replaced */
byte inflight;  /* p + 1: a child is in finit_module(2) with patch p */

#define at_rest(p) (kernel[p] != PATCHING && kernel[p] != UNPATCHING)
/* What patch 2 requires: it, or what supersedes it. */
#define provided (kernel[0] == PATCHED || kernel[1] == PATCHED)

/* --- the state directory: stays --- */

#define NONE 0
#define APPLY 1
#define REMOVE 2
#define ROLLBACK 3
#define RESTORE 4

bool admitted[N];   /* the record: wanted */
bool superseded[N]; /* kept with the trial of patch 1, to come back if that fails */
byte intent = NONE;
byte intent_set;
bool intent_replaced; /* patch 0 will be thrown out by it */
bool intent_old;    /* of another boot */
byte trial[N];      /* NONE, APPLY or RESTORE */
bool trial_old[N];
bool trial_together; /* both are of one transaction */
byte failed;         /* the patches of the trial that has failed: its reason is written down */
bool noted;          /* and so is what comes back */
byte strikes[N];
bool clean;         /* the machine was shut down in order */

bool struck[N];     /* the strike for the boot that the records name is written down */

#define quarantined(p) (strikes[p] >= 2)

/* --- what runs --- */

bool up;             /* the machine, booted as far as hotpatchd.service */
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
byte guilty;         /* a sign named it, or the machine crashed while it was on trial, or worked on */
bool owed;           /* patch 2 has to leave for a moment, and nothing speaks against it */
bool left_out;       /* it is wanted, and what it requires is not there in this boot */

/* --- the journal --- */

mtype = { STARTED, LOADED, APPLIED, REMOVED, DONE, FAILED, REFUSED, REVERSING, INTERRUPTED, STRUCK, RESTORED, LEFT_OUT };

#ifdef TRACE
/* check-trace puts a process at the other end that takes only what a real journal says. */
chan journal = [0] of { mtype, byte };
#define BY_CRASH 1
#define BY_SHUTDOWN 2
bool lost;    /* what is said now does not get to the disk any more */
bool past;    /* nor what is said in the next boot */
byte ending;  /* this boot is to end so; 0: it goes on */
byte unseen;  /* so many calls at most whose records are lost */
#define record(event, p) if :: lost :: !lost -> journal!event(p) fi
#define then_record(event, p) ; record(event, p)
#define may_crash (ending == BY_CRASH)
#define may_shut_down (ending == BY_SHUTDOWN)
#define may_ask (ending != BY_SHUTDOWN && (!lost || unseen > 0))
#define may_kill !lost
#define note_call unseen = (lost -> unseen - 1 : unseen)
#define note_end ending = 0; lost = past
#else
#define record(event, p) skip
#define then_record(event, p)
#define may_crash true
#define may_shut_down true
#define may_ask true
#define may_kill true
#define note_call skip
#define note_end skip
#endif
#define NOBODY 9

/* --- the kernel at work --- */

inline insert_now() {
        p = inflight - 1;
        /* at most one transition, and nothing that has proved to kill */
        assert(all(at_rest));
        assert(!quarantined(p) && blame[p] < 2);
        assert(kernel[p] == ABSENT);
        assert(p != 2 || provided);
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

/* Nothing in force may be without what it requires, not for a moment. */
inline check_requirement() {
#ifdef REQUIRES
        assert(provided || kernel[2] == ABSENT || kernel[2] == INACTIVE)
#else
        skip
#endif
}

/* klp_patch.replace: what nothing turns around any more */
inline throw_out() {
#ifdef REPLACES
        if :: kernel[0] == PATCHED -> kernel[0] = INACTIVE :: else fi
#else
        skip
#endif
}

active proctype Kernel() {
        byte p;
end:    do
        :: d_step { kernel[0] == PATCHING && !stuck -> kernel[0] = PATCHED }
        :: d_step { kernel[1] == PATCHING && !stuck -> kernel[1] = PATCHED; throw_out() }
        :: d_step { kernel[0] == UNPATCHING && !stuck -> kernel[0] = INACTIVE; check_requirement() }
        :: d_step { kernel[1] == UNPATCHING && !stuck -> kernel[1] = INACTIVE; check_requirement() }
#ifdef REQUIRES
        :: d_step { kernel[2] == PATCHING && !stuck -> kernel[2] = PATCHED }
        :: d_step { kernel[2] == UNPATCHING && !stuck -> kernel[2] = INACTIVE }
#endif
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
        d_step { intent = NONE; intent_set = 0; intent_old = false; intent_replaced = false }
}

#define not_struck(p) struck[p] = false

inline open_intent(kind, set) {
        d_step {
                intent = kind;
                intent_set = set;
                intent_old = false;
#ifndef BUG_REPLACED_NOT_NOTED
                intent_replaced = replaced;
#endif
                each(not_struck)
        }
}

inline unwant(p) {
        admitted[p] = false
}

inline drop_trial(p) {
        d_step { trial[p] = NONE; trial_old[p] = false; trial_together = false; fresh[p] = false }
}

inline forget(p) {
        unwant(p);
        drop_trial(p)
}

inline put_on_trial(p) {
        d_step { trial[p] = RESTORE; trial_old[p] = false; struck[p] = false; trial_together = false }
}

/* Into the kernel again, by whoever comes across it half way. */
inline come_back(p) {
        if
        :: d_step { kernel[p] == INACTIVE -> kernel[p] = ABSENT }
        :: else
        fi;
        if
        :: kernel[p] == ABSENT -> insert(p); record(LOADED, p)
        :: else
        fi;
        stuck = false;
        kernel[p] == PATCHED
}

/* What an Apply that failed has thrown out comes back; on a trial that it may be on still. */
inline bring_back_replaced() {
#if defined(REPLACES) && !defined(BUG_REPLACED_LOST)
        if
        :: replaced && admitted[0] && kernel[0] != PATCHED ->
                if :: trial[0] == NONE -> put_on_trial(0) :: else fi;
                come_back(0);
                record(APPLIED, 0)
        :: else
        fi
#else
        skip
#endif
}

/* Backwards: what was inserted leaves in reverse order, then the records, then the intent. */
inline undo(set) {
        record(REVERSING, NOBODY);
        backwards(set, take_out);
        in_order(set, forget);
        bring_back_replaced();
        close_intent();
        record(FAILED, NOBODY)
}

/* What a patch on trial has superseded is kept, to come back if that fails. */
inline let_go(p) {
        if
#ifdef SUPERSEDES
        :: d_step { p == 0 && admitted[0] && trial[1] != NONE -> admitted[0] = false; superseded[0] = true }
#endif
        :: else -> admitted[p] = false
        fi;
        drop_trial(p)
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
                let_go(p);
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
#ifdef REQUIRES
        when(intent_set, 2, leave);
#endif
        when(intent_set, 1, leave);
        if :: has(intent_set, 0) && !turned -> leave(0) :: else fi;
        if
        :: turned && !past_return -> record(REVERSING, NOBODY)
        :: !turned && has(intent_set, 1) -> superseded[0] = false
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
                replaced = false;
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
#ifdef REPLACES
        :: kernel[p] == PATCHED -> turned = true /* the commit cannot be written */
#endif
        fi
}

#define not_refuted(p) refuted[p] = false
#define tried(p) trial[p] = APPLY; trial_old[p] = false

inline apply_one(p) {
        if
        :: !turned -> inserted = inserted | (1 << p); bring_in(p)
        :: else
        fi
}

inline apply(set) {
#ifdef REPLACES
        replaced = has(set, 1) && admitted[0];
#endif
#ifndef BUG_LATE_INTENT
        open_intent(APPLY, set);
#endif
        record(STARTED, NOBODY);
        d_step { inserted = 0; turned = false; in_order(set, not_refuted) }
        in_order(set, apply_one);
#ifdef BUG_LATE_INTENT
        open_intent(APPLY, set);
#endif
        if
        :: turned -> undo(inserted)
        :: else ->
#ifndef BUG_NO_TRIAL
                d_step { trial_together = set == BOTH; in_order(set, tried); together = set == BOTH };
#endif
                if :: has(set, 0) -> commit(0, set == 1) :: else fi;
                if :: has(set, 1) -> commit(1, true) :: else fi;
#ifdef REQUIRES
                if :: has(set, 2) -> commit(2, true) :: else fi;
#endif
                if
                :: intent == REMOVE -> past_return = true; leave_all()
                :: else -> record(DONE, NOBODY)
                fi
        fi;
        d_step { inserted = 0; turned = false; replaced = false }
}

/* In the reverse order of their application. Stopped halfway, what is out is out. */
inline remove(set) {
        d_step { together = false; turned = false }
        open_intent(REMOVE, set);
        record(STARTED, NOBODY);
        leave_all()
}

/* --- a bad sign in a trial: its transaction leaves, and what it had superseded comes back --- */

#define strike_now(p, culprits) \
        if \
        :: has(culprits, p) && !struck[p] && !quarantined(p) -> \
                assert(has(guilty, p)); \
                strikes[p]++; \
                struck[p] = true \
        :: else \
        fi

#ifdef BUG_INNOCENT_STRIKE
#define struck_now(p) strike_now(p, set)
#else
#define struck_now(p) strike_now(p, failed)
#endif

#define removed(p) record(REMOVED, p)

/* Who requires what leaves goes before it. If what it requires comes back, it comes back with that. */
inline find_dependants() {
        d_step {
                set = failed;
                if :: intent == ROLLBACK && !noted -> set = set | intent_set :: else fi;
#ifdef REQUIRES
#ifndef BUG_DEPENDANT_STAYS
                if
                :: (kernel[2] == PATCHED || kernel[2] == PATCHING) &&
                   (kernel[0] != PATCHED || has(failed, 0)) && (kernel[1] != PATCHED || has(failed, 1)) -> set = set | 4
                :: else
                fi;
#endif
                owed = owed || kernel[2] == PATCHED && has(failed, 1) && !has(failed, 2) && superseded[0] && !quarantined(0)
#endif
        }
}

inline see_to_dependant() {
#ifdef REQUIRES
        if
        :: !has(set, 2) || has(failed, 2)
#ifndef BUG_DEPENDANT_LOST
        :: has(set, 2) && !has(failed, 2) && has(failed, 1) && superseded[0] && admitted[2] ->
                d_step { superseded[2] = true; admitted[2] = false }
#endif
        :: else -> unwant(2)
        fi
#else
        skip
#endif
}

/* It left for no fault of its own; if it comes back, its trial begins anew. */
inline drop_dependant() {
#ifdef REQUIRES
        if :: has(set, 2) && !has(failed, 2) -> drop_trial(2) :: else fi
#else
        skip
#endif
}

inline want_again(p) {
        if
        :: superseded[p] && has(failed, 1) -> admitted[p] = true
        :: else
        fi
}

/* What is wanted again and may be: before it is given to the kernel, it is on trial. */
inline return_one(p) {
        if
        :: superseded[p] && has(failed, 1) && !quarantined(p) && (p != 2 || provided) ->
#ifndef BUG_BACK_WITHOUT_TRIAL
                put_on_trial(p);
#endif
                come_back(p)
        :: superseded[p] && has(failed, 1) && p == 2 && !provided -> left_out = true
        :: else
        fi
}

#define returned(p) \
        if \
        :: superseded[p] && has(failed, 1) && kernel[p] == PATCHED -> record(APPLIED, p) \
        :: else \
        fi

#define keep_nothing(p) superseded[p] = false
#define end_failed(p) if :: has(failed, p) -> trial[p] = NONE; trial_old[p] = false; fresh[p] = false :: else fi

/* The last: with the record of the trial goes what it had superseded. */
inline forget_failed() {
        d_step {
                if :: has(failed, 1) -> each(keep_nothing) :: else fi;
                each(end_failed);
                failed = 0;
                noted = false
        }
}

/* From its beginning, also by the next daemon. */
inline roll_back() {
        find_dependants();
        open_intent(ROLLBACK, set);
        record(REVERSING, NOBODY);
#ifdef BUG_WRONG_ORDER
        in_order(set, take_out);
#else
        backwards(set, take_out);
#endif
        see_to_dependant();
        in_order(failed, unwant);
        in_order(set, removed);
        drop_dependant();
        d_step { trial_together = false; each(struck_now) };
        noted = true;
        each(want_again);
        each(return_one);
        each(returned);
        forget_failed();
        close_intent();
        record(DONE, NOBODY);
        together = false
}

/* --- the daemon --- */

#define written_down(p) (admitted[p] || !has(intent_set, p))
#define all_admitted all(written_down)

/* What the next start does about an intent of this boot. */
inline recover() {
        if
        :: failed != 0 ->
                busy = true;
                roll_back();
                set = 0
        :: failed == 0 && intent == ROLLBACK -> close_intent()
        :: failed == 0 && intent == NONE
        :: intent == APPLY ->
                busy = true;
                record(INTERRUPTED, NOBODY);
                if
                :: all_admitted ->
                        set = intent_set;
                        pass_return();
                        if
                        :: intent == REMOVE -> past_return = true; leave_all()
                        :: else -> record(DONE, NOBODY)
                        fi
                :: else -> replaced = intent_replaced; undo(intent_set); replaced = false
                fi;
                set = 0
        :: intent == REMOVE ->
                busy = true;
                record(INTERRUPTED, NOBODY);
                past_return = true;
                leave_all()
        fi;
        busy = false
}

/* Wanted, and nothing speaks against it. */
#define due(p) (admitted[p] && !quarantined(p))
#define settled(p) (kernel[p] == ABSENT || kernel[p] == PATCHED)

/* The invariant of a quiet moment: kernel = records, nothing half, nothing open. */
inline look_around() {
        d_step {
        assert(inside == 1);
        assert(intent == NONE && failed == 0);
        assert(all(settled));
        assert((kernel[0] == PATCHED) == due(0));
        assert((kernel[1] == PATCHED) == due(1));
        assert(!together || (kernel[0] == kernel[1]));
        assert(!want_valid || !want[0] || kernel[0] == PATCHED);
        assert(!want_valid || !want[1] || kernel[1] == PATCHED);
#ifdef REQUIRES
        assert(kernel[2] != PATCHED || due(2) && provided);
        assert(kernel[2] == PATCHED || !due(2) || left_out);
        assert(!want_valid || !want[2] || kernel[2] == PATCHED);
        assert(!owed || kernel[2] == PATCHED);
        owed = false
#endif
        }
}

/* Every wish that a plan would not refuse. */
#define may_remove_one(p) (!has(set, p) || admitted[p] && kernel[p] == PATCHED)
#ifdef REQUIRES
#define needed(p) (kernel[2] != ABSENT && has(set, p))
#define may_apply(set) (set == 1 && !admitted[0] && !admitted[1] && !quarantined(0) || set == 2 && !admitted[1] && !quarantined(1) || \
                        set == 4 && !admitted[2] && !quarantined(2) && provided)
#define may_remove(set) (all(may_remove_one) && !needed(0) && !needed(1))
#else
#ifdef SUPERSEDES
#define may_apply(set) (set == 1 && !admitted[0] && !admitted[1] && !quarantined(0) || set == 2 && !admitted[1] && !quarantined(1))
#else
#define may_apply(set) ((!has(set, 0) || !admitted[0] && !quarantined(0)) && (!has(set, 1) || !admitted[1] && !quarantined(1)))
#endif
#define may_remove(set) all(may_remove_one)
#endif

inline serve() {
        set = request_set;
#ifdef RELEASED /* check-trace --released */
        d_step { strikes[0] = 0; strikes[1] = 0 }
#endif
        if
        :: request == APPLY && may_apply(set) -> request = 0; busy = true; apply(set)
        :: request == REMOVE && may_remove(set) -> request = 0; busy = true; remove(set)
        :: else ->
                request = 0;
                record(REFUSED, NOBODY)
        fi;
        d_step { set = 0; busy = false }
}

/* A patch that has proved itself does not carry an old crash with it. */
#define passed(p) trial[p] = NONE; fresh[p] = false; strikes[p] = 0; blame[p] = 0

/* A transaction has one trial; each patch that was restored has its own, and any of them may be over first. */
inline end_trial_well() {
        atomic {
                if
                :: trial[1] != NONE ->
                        passed(1);
                        each(keep_nothing);
                        if :: trial_together -> passed(0) :: else fi
                :: trial[0] != NONE && (!trial_together || trial[1] == NONE) -> passed(0)
#ifdef REQUIRES
                :: trial[2] != NONE -> passed(2)
#endif
                fi;
                trial_together = false
        }
}

inline end_trial_badly() {
        d_step {
                if :: trial[sign - 1] == RESTORE -> together = false :: else fi;
                if :: trial_together -> failed = BOTH :: else -> failed = 1 << (sign - 1) fi;
                guilty = guilty | failed;
                sign = 0;
                busy = true
        }
        roll_back();
        d_step { set = 0; busy = false }
}

#ifdef REQUIRES
#define on_trial (trial[0] != NONE || trial[1] != NONE || trial[2] != NONE)
#else
#define on_trial (trial[0] != NONE || trial[1] != NONE)
#endif

proctype Daemon(byte me) {
        byte set, inserted;
        bool turned, past_return, replaced;

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
                :: sign == 0 && on_trial -> end_trial_well(); look_around()
                :: false /* with no work there is no step */
                od
        } unless { lock == me && (killed || !up) }
        /* The loader dies with it, or its module is in the kernel first: a new daemon starts after that. */
        if
        :: d_step { inflight != 0 -> inflight = 0 }
        :: inflight == 0
        fi;
        atomic {
                d_step { set = 0; inserted = 0; turned = false; past_return = false; replaced = false; killed = false; busy = false; inside-- }
                lock = 0
        }
        goto start
}

/* --- the machine --- */

#define blamed_now(p) \
        if \
        :: fresh[p] && kernel[p] != ABSENT -> \
                blame[p]++; \
                if :: trial[p] == APPLY -> refuted[p] = true :: else fi \
        :: else \
        fi; \
        if \
        :: trial[p] != NONE || (intent == APPLY || intent == REMOVE) && has(intent_set, p) -> guilty = guilty | (1 << p) \
        :: else \
        fi

inline crash_now() {
        d_step { each(blamed_now); want_valid = false }
}

#define gone(p) kernel[p] = ABSENT; fresh[p] = false; trial_old[p] = trial[p] != NONE

inline go_down() {
        d_step {
                up = false; booting = false; down = true;
                each(gone);
                inflight = 0; stuck = false; sign = 0; request = 0;
                note_end;
                intent_old = intent != NONE;
                owed = false;
                left_out = false
        }
}

#ifdef BUG_STRIKE_ROLLED_BACK
#define named(p) (trial_old[p] || intent_old && has(intent_set, p))
#else
#define named(p) (trial_old[p] || intent_old && intent != ROLLBACK && has(intent_set, p))
#endif

/* One strike for everybody whom a record of the last boot names; for what has failed whatever ended that. */
inline strike(p) {
#ifndef BUG_NO_STRIKE
        if
        :: d_step {
                (has(failed, p) || !clean && named(p)) && !struck[p] && !quarantined(p) ->
                assert(has(guilty, p));
                strikes[p]++;
                struck[p] = true;
                if :: quarantined(p) -> together = false :: else fi
           } then_record(STRUCK, p)
        :: else
        fi
#else
        skip
#endif
}

/* What was about to leave for one that crashed in its trial. */
#ifdef SUPERSEDES
#define still_wanted (!clean && has(intent_set, 0) && trial[1] == APPLY)
#else
#define still_wanted false
#endif

/* The kernel that the intent was about is gone: only the records are left to be made whole. */
inline settle_intent() {
        if
        :: intent == APPLY && all_admitted ->
#ifdef SUPERSEDES
                if :: has(intent_set, 1) && admitted[0] && clean -> superseded[0] = true; admitted[0] = false :: else fi
#else
                skip
#endif
        :: intent == REMOVE && still_wanted
        :: intent == REMOVE && !still_wanted || intent == APPLY && !all_admitted ->
#ifndef BUG_HALF_AT_BOOT
                backwards(intent_set, let_go);
#endif
                if :: has(intent_set, 1) -> superseded[0] = false :: else fi
        :: intent == ROLLBACK /* its trial says it */
        :: intent == NONE
        fi;
        close_intent()
}

/* It was being taken out, and is. Who had to leave with it was not always written down as coming back yet, and then is still
 * wanted. */
inline settle_failed() {
        if
        :: failed != 0 ->
                in_order(failed, unwant);
                each(want_again);
                forget_failed();
                trial_together = false
        :: else
        fi
}

/* A trial that ended in a crash: a new patch is not tried again; one that was restored is, once. */
inline settle_trial(p) {
#ifndef BUG_AGAIN_AFTER_CRASH
        if
        :: trial[p] == APPLY && trial_old[p] && !clean ->
                if :: p == 1 && superseded[0] -> admitted[0] = true; superseded[0] = false :: else fi;
                admitted[p] = false
        :: p == 1 && trial[1] == RESTORE && trial_old[1] && !clean && quarantined(1) && superseded[0] ->
                admitted[0] = true;
                superseded[0] = false
        :: else
        fi
#else
        skip
#endif
}

/* One file for each transaction. */
inline close_trial(p) {
        d_step { trial[p] = NONE; trial_old[p] = false }
}

inline close_trials() {
        if
        :: d_step { trial_together && trial[0] != NONE && trial[1] != NONE ->
                        trial[0] = NONE; trial[1] = NONE; trial_old[0] = false; trial_old[1] = false }
        :: else -> each(close_trial)
        fi
}

/* Each by itself, with a record of its own, written before the module is given to the kernel. */
inline restore(p) {
        if
#ifndef BUG_WITHOUT_REQUIRED
        :: p == 2 && due(p) && !provided -> left_out = true then_record(LEFT_OUT, p)
        :: due(p) && (p != 2 || provided) ->
#else
        :: due(p) ->
#endif
                assert(!refuted[p]);
                d_step { trial[p] = RESTORE; trial_old[p] = false; struck[p] = false }
                insert(p);
                stuck = false;
                kernel[p] == PATCHED then_record(RESTORED, p)
        :: else
        fi
}

/* Said of all before the first one is restored. */
inline tell_quarantine(p) {
#ifdef TRACE
        if
        :: admitted[p] && quarantined(p) -> record(LEFT_OUT, p)
        :: else
        fi
#endif
}

active proctype Boot() {
end:    do
        :: atomic { down && lock == 0 -> down = false; booting = true };
           {
                each(strike);
                settle_intent();
                settle_failed();
                each(settle_trial);
                close_trials();
                d_step { clean = false; trial_together = false }
#ifdef TRACE
                each(tell_quarantine);
#endif
                each(restore);
                d_step { booting = false; up = true; guilty = 0 }
           } unless { down }
        od
}

/* Wanted, and nothing is under way that may end with it out. */
#ifdef SUPERSEDES
#define committed(p) (due(p) && intent == NONE && failed == 0 && (p != 2 || due(0) || due(1)))
#else
#define committed(p) (due(p) && !(intent != NONE && has(intent_set, p)) && !has(failed, p))
#endif
#define wanted(p) want[p] = committed(p)

active proctype World() {
        byte requests = REQUESTS, kills = KILLS, crashes = CRASHES, shutdowns = SHUTDOWNS, signs = SIGNS;

end:    do
        :: d_step { requests > 0 && request == 0 && up && may_ask -> requests--; note_call };
           atomic {
                if :: request_set = 1 :: request_set = 2
#ifndef SUPERSEDES
                   :: request_set = 3
#endif
#ifdef REQUIRES
                   :: request_set = 4
#endif
                fi;
                if :: up -> if :: request = APPLY :: request = REMOVE fi :: else fi
           }
        :: d_step { kills > 0 && lock != 0 && up && !killed && may_kill -> kills--; killed = true }
        :: atomic { crashes > 0 && (up || booting) && may_crash -> crashes--; crash_now(); clean = false; go_down() }
        :: atomic {
                shutdowns > 0 && up && may_shut_down ->
                shutdowns--;
                d_step {
                        clean = true;
                        each(wanted);
                        want_valid = true
                }
                go_down()
           }
        :: d_step { signs > 0 && sign == 0 && up && trial[0] != NONE && kernel[0] == PATCHED -> signs--; sign = 1 }
        :: d_step { signs > 0 && sign == 0 && up && trial[1] != NONE && kernel[1] == PATCHED -> signs--; sign = 2 }
#ifdef REQUIRES
        :: d_step { signs > 0 && sign == 0 && up && trial[2] != NONE && kernel[2] == PATCHED -> signs--; sign = 3 }
#endif
        od
}

init {
        atomic {
#ifdef REQUIRES
#ifndef TRACE
                /* What is required, and who requires it, have been there for long. */
                admitted[0] = true; kernel[0] = PATCHED;
                admitted[2] = true; kernel[2] = PATCHED;
#endif
#endif
                up = true;
                run Daemon(1);
                run Daemon(2)
        }
}

#ifdef PROGRESS
ltl every_job_ends { [] (busy -> <> !busy) }
#endif
