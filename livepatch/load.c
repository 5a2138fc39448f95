/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Loading and unloading modules, and making sense of the kernel's no.
 *
 * The kernel answers with an errno that says little: EBUSY is another transition, ftrace switched
 * off or another user of the function; EINVAL is a missing, an ambiguous or an untraceable
 * function. So a refusal is named by what is surest first: the errno where it has one meaning, a
 * gate that would stop any livepatch, the kernel's log lines since just before the attempt, and
 * last what the state of the kernel makes likely. The log lines are always put behind the sentence.
 *
 * insert blocks while the kernel checks, relocates and runs the module's init, so callers run it in
 * a child. Success means that the transition has begun, not that the patch is in force.
 *
 * The caller gives a file in a folder that only root can enter, so nobody swaps it between its
 * check and here. No parameters, no modprobe.d configuration, no dependencies, no force flags: the
 * bundle alone says what is loaded.
 */

#include <libkmod.h>

#include "dbus/errors.h"
#include "livepatch/identity.h"
#include "livepatch/klog.h"
#include "livepatch/load.h"
#include "livepatch/state.h"
#include "util/limits.h"

static void kmod_silent(_unused_ void *data, _unused_ int priority, _unused_ const char *file,
                _unused_ int line, _unused_ const char *fn, _unused_ const char *format,
                _unused_ va_list args) {
}

static void kmod_unrefp(struct kmod_ctx **c) {
        kmod_unref(*c);
}

static void kmod_module_unrefp(struct kmod_module **m) {
        kmod_module_unref(*m);
}

static int context_new(struct kmod_ctx **ret) {
        const char *no_configuration = NULL;
        struct kmod_ctx *c = kmod_new(NULL, &no_configuration);

        if (!c)
                return -ENOMEM;
        kmod_set_log_fn(c, kmod_silent, NULL);
        *ret = c;
        return 0;
}

static int kmod_insert(_unused_ void *userdata, const char *path) {
        _cleanup_(kmod_unrefp) struct kmod_ctx *c = NULL;
        _cleanup_(kmod_module_unrefp) struct kmod_module *m = NULL;
        int r;

        r = context_new(&c);
        if (r < 0)
                return r;
        r = kmod_module_new_from_path(c, path, &m);
        return r < 0 ? r : kmod_module_insert_module(m, 0, NULL);
}

static int kmod_remove(_unused_ void *userdata, const char *name) {
        _cleanup_(kmod_unrefp) struct kmod_ctx *c = NULL;
        _cleanup_(kmod_module_unrefp) struct kmod_module *m = NULL;
        int r;

        r = context_new(&c);
        if (r < 0)
                return r;
        r = kmod_module_new_from_name(c, name, &m);
        /* libkmod adds O_NONBLOCK itself. */
        return r < 0 ? r : kmod_module_remove_module(m, 0);
}

const ModuleOps module_ops_kmod = { .insert = kmod_insert, .remove = kmod_remove };

/* What kernel/livepatch and our runtime write when they refuse, most telling first. */
static const struct Phrase {
        const char *text;
        const char *name;
        const char *meaning;
} phrases[] = {
        { "refused the patch: error", HOTPATCH_ERROR("RefusedByModule"),
          "its own check of this machine said no" },
        { "pre-patch callback failed", HOTPATCH_ERROR("RefusedByModule"),
          "its own check before patching said no" },
        { "not compatible with the already installed livepatches", HOTPATCH_ERROR("Conflict"),
          "it is not compatible with the livepatches in force" },
        { "is not marked as a livepatch module", HOTPATCH_ERROR("NotALivepatch"),
          "it is not marked as a livepatch" },
        { "unresolvable ambiguity for symbol", HOTPATCH_ERROR("FunctionAmbiguous"),
          "a symbol it names exists several times" },
        { "not found in symbol table", HOTPATCH_ERROR("FunctionNotFound"),
          "a symbol it names does not exist" },
        { "symbol position", HOTPATCH_ERROR("FunctionNotFound"),
          "a symbol it names does not exist at that position" },
        { "failed to find location for function", HOTPATCH_ERROR("FunctionNotTraceable"),
          "a function it replaces cannot be redirected" },
        { "(-16)", HOTPATCH_ERROR("FunctionBusy"),
          "a function it replaces is redirected by somebody else" },
};

typedef struct Refusal {
        const char *name;
        const char *meaning;
} Refusal;

static bool refusal_from_log(const char *log, Refusal *ret) {
        for (size_t i = 0; i < ELEMENTSOF(phrases); i++)
                if (strstr(log, phrases[i].text)) {
                        *ret = (Refusal) { phrases[i].name, phrases[i].meaning };
                        return true;
                }
        return false;
}

/* What explains any refusal, whatever the log says. With ftrace off the kernel blames the first
 * function it cannot register. */
static bool refusal_from_gates(const KernelGates *g, int r, Refusal *ret) {
        if (!g->livepatch_supported)
                *ret = (Refusal) { HOTPATCH_ERROR("NoLivepatchSupport"),
                        "this kernel cannot livepatch" };
        else if (r == -EBUSY && !g->ftrace_enabled)
                *ret = (Refusal) { HOTPATCH_ERROR("FtraceDisabled"),
                        "function tracing (kernel.ftrace_enabled) is off" };
        else
                return false;
        return true;
}

static bool refusal_from_errno(int r, Refusal *ret) {
        switch (r) {
        case -EEXIST:
                *ret = (Refusal) { HOTPATCH_ERROR("ModuleNameInUse"),
                        "a module of that name is loaded already" };
                return true;
        case -EKEYREJECTED:
        case -ENOKEY:
                *ret = (Refusal) { HOTPATCH_ERROR("ModuleSignatureRequired"),
                        "the module is not signed with a key that this kernel trusts" };
                return true;
        case -EBADMSG:
                *ret = (Refusal) { HOTPATCH_ERROR("ModuleSignatureRequired"),
                        "the signature appended to the module is broken" };
                return true;
        }
        return false;
}

static Refusal refusal_find(const Kernel *k, int r, const char *log) {
        _cleanup_(kernel_gates_done) KernelGates g = {};
        bool have_gates = kernel_gates(k, &g) >= 0;
        Refusal refusal;

        if (refusal_from_errno(r, &refusal) ||
                        (have_gates && refusal_from_gates(&g, r, &refusal)) ||
                        refusal_from_log(log, &refusal))
                return refusal;
        if (r == -EPERM && have_gates && g.module_signature_required)
                return (Refusal){HOTPATCH_ERROR("ModuleSignatureRequired"),
                                "the kernel is locked down, and the module is not signed with a "
                                "key it trusts"};
        if (r == -EBUSY && livepatch_transition_running(k, NULL) > 0)
                return (Refusal) { HOTPATCH_ERROR("TransitionInProgress"),
                        "another livepatch is in transition" };
        return (Refusal) { HOTPATCH_ERROR("RefusedByKernel"), NULL };
}

/* NAME of DIRECTORY/NAME.ko, in @buf. */
static int name_from_path(const char *path, char buf[static HOTPATCH_MODULE_NAME_MAX + 1]) {
        const char *base = strrchr(path, '/');
        size_t l;

        base = base ? base + 1 : path;
        l = strlen(base);
        if (l <= strlen(".ko") || l - strlen(".ko") > HOTPATCH_MODULE_NAME_MAX ||
            !streq(base + l - strlen(".ko"), ".ko"))
                return -EINVAL;
        memcpy(buf, base, l - strlen(".ko"));
        buf[l - strlen(".ko")] = 0;
        return kernel_module_name_valid(buf) ? 0 : -EINVAL;
}

static bool is_shortage(int r) {
        return r == -ENOMEM || r == -EINTR || r == -EMFILE || r == -ENFILE || r == -ENOSPC;
}

/**
 * module_load() - load a livepatch module; blocks
 * @path: the file, in a place that nobody else can write to, named as the module and `.ko`
 * @error: names the refusal; the kernel's log lines follow the sentence, each on a line
 *
 * Return: 0 when the transition has begun (or, for a module that is no livepatch, when it is
 * loaded), or a negative errno; then nothing of the module is left in the kernel. A shortage keeps its own number, for
 * who may try it again.
 */
int module_load(const Kernel *k, const char *path, sd_bus_error *error) {
        char name[HOTPATCH_MODULE_NAME_MAX + 1];
        _cleanup_kernel_log_free_ KernelLog *mark = NULL;
        _cleanup_free_ char *log = NULL;
        Refusal refusal;
        int r, named;

        r = name_from_path(path, name);
        if (r < 0)
                return r;
        r = kernel_log_open(k, &mark);
        if (r < 0)
                return r;
        r = kernel_insert(k, path);
        if (r >= 0)
                return 0;
        if (kernel_log_read(mark, name, &log) < 0)
                log = strdup("");
        if (!log)
                return -ENOMEM;
        refusal = refusal_find(k, r, log);
        named = sd_bus_error_setf(error, refusal.name,
                "The kernel refused to load module '%s': %s (%s)%s%s",
                name, refusal.meaning ?: "it gave no reason we know", strerror(-r),
                *log ? "\n" : "", log);
        return is_shortage(r) ? r : named;
}

/**
 * module_unload() - unload a module that nothing uses; does not wait
 * @error: names the refusal
 *
 * The safe order is the caller's: disable, wait until livepatch_state() is LIVEPATCH_INACTIVE,
 * unload. A module that is not there is as wanted.
 *
 * Return: 0, -EBUSY (error `Busy`) while something holds the module, so that it may work a little
 * later, or another negative errno.
 */
int module_unload(const Kernel *k, const char *name, sd_bus_error *error) {
        LivepatchState state;
        int r;

        if (!kernel_module_name_valid(name))
                return -EINVAL;
        r = kernel_remove(k, name);
        if (r >= 0 || r == -ENOENT)
                return 0;
        if (r != -EAGAIN && r != -EBUSY)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("RefusedByKernel"),
                        "The kernel refused to unload module '%s': %s", name, strerror(-r));
        if (livepatch_state(k, name, &state) < 0)
                state = LIVEPATCH_HELD;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("Busy"),
                        "Module '%s' cannot be unloaded yet: it is %s", name,
                        livepatch_state_to_string(state));
}
