/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Asynchronous polkit.
 *
 * The request is parsed and frozen before the question is asked, and the same object is carried out
 * after the answer: there is no second look at the message and so no second truth. The subject is
 * the sender's unique bus name, never a process id, which could be reused while a person types a
 * password. When the sender leaves the bus the question is taken back and the request dropped.
 *
 * Everything but a clear yes is a no: an error, silence, polkit not being there. Root passes without
 * a question; polkit itself answers yes to root, and a rescue shell has no polkit.
 *
 * The details that are shown to rules are what is known without parsing: the ids, or the size of the
 * file. The title of a bundle or its signer would be nicer in the dialog, but root would then read a
 * stranger's bundle before anybody allowed that.
 */

#include <inttypes.h>

#include "daemon/authorize.h"
#include "dbus/errors.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

/* polkit answers without a person in milliseconds; a script must not hang longer than this. */
#define ANSWER_TIMEOUT_USEC (30 * USEC_PER_SEC)

/* CheckAuthorizationFlags of polkit's D-Bus interface */
#define POLKIT_ALLOW_USER_INTERACTION UINT32_C(1)

typedef struct Question Question;

struct Question {
        Authorizer *authorizer;
        Question *next;
        Request *request;
        sd_bus_slot *slot;
        sd_bus_track *track;
        char cookie[32];
};

struct Authorizer {
        sd_bus *bus;
        AuthorizeContinue next;
        void *userdata;
        Question *questions;
        size_t n_questions;
        uint64_t n_asked;
};

static Question *question_free(Question *q) {
        if (!q)
                return NULL;
        for (Question **p = &q->authorizer->questions; *p; p = &(*p)->next)
                if (*p == q) {
                        *p = q->next;
                        q->authorizer->n_questions--;
                        break;
                }
        sd_bus_slot_unref(q->slot);
        sd_bus_track_unref(q->track);
        request_free(q->request);
        free(q);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(Question *, question_free);

/**
 * authorizer_new() - prepare to ask questions
 * @bus: where polkit and the callers are
 * @next: called after each yes
 * @userdata: for @next
 * @ret: authorizer_free() it
 *
 * Return: 0 or -ENOMEM.
 */
int authorizer_new(sd_bus *bus, AuthorizeContinue next, void *userdata, Authorizer **ret) {
        Authorizer *a = malloc(sizeof(*a));

        if (!a)
                return -ENOMEM;
        *a = (Authorizer) { .bus = sd_bus_ref(bus), .next = next, .userdata = userdata };
        *ret = a;
        return 0;
}

/** authorizer_free() - drop all open questions unanswered; NULL is fine. Returns NULL. */
Authorizer *authorizer_free(Authorizer *a) {
        if (!a)
                return NULL;
        while (a->questions)
                question_free(a->questions);
        sd_bus_unref(a->bus);
        free(a);
        return NULL;
}

/** authorizer_pending() - number of questions that wait for an answer */
size_t authorizer_pending(const Authorizer *a) {
        return a->n_questions;
}

/* Carries the request out; whatever goes wrong becomes the reply. */
static int carry_on(Authorizer *a, Request **request) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = sd_bus_message_ref((*request)->call);
        int r;

        r = a->next(a->userdata, request, &error);
        if (r < 0)
                return sd_bus_reply_method_errno(call, r, &error);
        return 1;
}

static int refusal_from_reply(sd_bus_message *reply, sd_bus_error *error) {
        int authorized, challenge, r;

        if (sd_bus_message_is_method_error(reply, NULL))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("AuthorizationUnavailable"),
                        "polkit did not answer (%s)", sd_bus_message_get_error(reply)->name);
        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r >= 0)
                r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
        if (r < 0)
                return sd_bus_error_set(error, HOTPATCH_ERROR("AuthorizationUnavailable"),
                        "The answer of polkit makes no sense");
        if (authorized)
                return 0;
        if (challenge)
                return sd_bus_error_set(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                        "A password is needed, and nobody could be asked for it");
        return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "polkit says no");
}

static int on_answer(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error) {
        _cleanup_(question_freep) Question *q = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = refusal_from_reply(reply, &error);
        if (r < 0)
                return sd_bus_reply_method_errno(q->request->call, r, &error);
        return carry_on(q->authorizer, &q->request);
}

static int on_sender_gone(_unused_ sd_bus_track *track, void *userdata) {
        _cleanup_(question_freep) Question *q = userdata;

        /* Otherwise a password dialog for nobody stays on somebody's screen. Freeing the question
         * drops its slot, so that a late answer finds nobody. */
        return sd_bus_call_method_async(q->authorizer->bus, NULL, POLKIT_NAME, POLKIT_PATH,
                POLKIT_INTERFACE, "CancelCheckAuthorization", NULL, NULL, "s", q->cookie);
}

static int append_details(sd_bus_message *m, const Request *request) {
        _cleanup_free_ char *ids = NULL;
        char size[32];
        int r;

        r = sd_bus_message_open_container(m, 'a', "{ss}");
        if (r < 0)
                return r;
        for (char **id = request->ids; id && *id; id++) {
                char *joined;

                if (str_printf(&joined, "%s%s%s", strempty(ids), ids ? " " : "", *id) < 0)
                        return -ENOMEM;
                free(ids);
                ids = joined;
        }
        if (ids)
                r = sd_bus_message_append(m, "{ss}", "patches", ids);
        if (r >= 0 && request->fd >= 0) {
                snprintf(size, sizeof(size), "%" PRIu64, request->size);
                r = sd_bus_message_append(m, "{ss}", "bundle-size", size);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int ask(Question *q, const char *action) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *sender = sd_bus_message_get_sender(q->request->call);
        int interactive, r;

        if (!sender)
                return -EBADMSG;
        r = sd_bus_track_new(q->authorizer->bus, &q->track, on_sender_gone, q);
        if (r < 0)
                return r;
        r = sd_bus_track_add_name(q->track, sender);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(q->authorizer->bus, &m, POLKIT_NAME, POLKIT_PATH,
                POLKIT_INTERFACE, "CheckAuthorization");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "(sa{sv})s", "system-bus-name", 1, "name", "s", sender, action);
        if (r < 0)
                return r;
        r = append_details(m, q->request);
        if (r < 0)
                return r;
        interactive = sd_bus_message_get_allow_interactive_authorization(q->request->call) > 0;
        r = sd_bus_message_append(m, "us",
                interactive ? POLKIT_ALLOW_USER_INTERACTION : UINT32_C(0), q->cookie);
        if (r < 0)
                return r;
        return sd_bus_call_async(q->authorizer->bus, &q->slot, m, on_answer, q,
                interactive ? UINT64_MAX : ANSWER_TIMEOUT_USEC);
}

static int check_limits(const Authorizer *a, const Request *request, sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(request->call);
        size_t n = 0;

        for (const Question *q = a->questions; q; q = q->next)
                n += streq_ptr(sd_bus_message_get_sender(q->request->call), sender);
        if (n >= HOTPATCH_AUTHORIZE_PER_SENDER_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                        "%zu calls of this client wait for authorization already", n);
        if (a->n_questions >= HOTPATCH_AUTHORIZE_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                        "%zu calls wait for authorization already", a->n_questions);
        return 0;
}

/**
 * authorize() - carry a request out as soon as it may be
 * @a: the authorizer
 * @request: taken over; on failure freed with the caller's variable
 * @action: polkit action; NULL: none is needed
 * @error: LimitsExceeded, or why the question could not be asked
 *
 * Return: 1, the reply has been or will be sent; a negative errno when it could not be asked and
 * the caller replies with @error.
 */
int authorize(Authorizer *a, Request **request, const char *action, sd_bus_error *error) {
        _cleanup_(question_freep) Question *q = NULL;
        int r;

        if (!action || (*request)->privileged)
                return carry_on(a, request);
        r = check_limits(a, *request, error);
        if (r < 0)
                return r;
        q = malloc(sizeof(*q));
        if (!q)
                return -ENOMEM;
        *q = (Question) { .authorizer = a, .next = a->questions, .request = TAKE_PTR(*request) };
        a->questions = q;
        a->n_questions++;
        snprintf(q->cookie, sizeof(q->cookie), "hotpatchd-%" PRIu64, ++a->n_asked);
        r = ask(q, action);
        if (r < 0)
                return r;
        (void) TAKE_PTR(q); /* belongs to the authorizer's list */
        return 1;
}
