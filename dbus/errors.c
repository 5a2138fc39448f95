/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The table of named refusals, sorted by the layer that finds them: container, signature, manifest,
 * module, kernel, state, service. Standard D-Bus errors (InvalidArgs, AccessDenied, LimitsExceeded …)
 * are used for what they already mean and get their exit codes here as well.
 */

#include "dbus/errors.h"

#define ROW(name, error, exit, remedy) { HOTPATCH_ERROR(name), (error), HOTPATCH_EXIT_##exit, (remedy) }

const HotpatchError hotpatch_errors[] = {
        ROW("NotABundle", EBADMSG, BAD_BUNDLE,
            "Give the .hpb file that the patch vendor published."),
        ROW("BundleTruncated", EBADMSG, BAD_BUNDLE,
            "Fetch the bundle again; the copy is incomplete."),
        ROW("BundleTrailingData", EBADMSG, BAD_BUNDLE,
            "Fetch the bundle again; bytes were added after its end."),
        ROW("BundleMemberOrder", EBADMSG, BAD_BUNDLE,
            "Pack the bundle with 'hotpatchctl bundle create'; other archivers choose another order."),
        ROW("BundleMemberDuplicate", EBADMSG, BAD_BUNDLE,
            "Pack the bundle with 'hotpatchctl bundle create'; each member may occur once."),
        ROW("BundleMemberName", EBADMSG, BAD_BUNDLE,
            "Pack the bundle with 'hotpatchctl bundle create'; member names are plain lower-case file names."),
        ROW("BundleMemberType", EBADMSG, BAD_BUNDLE,
            "Pack the bundle with 'hotpatchctl bundle create'; a bundle holds regular files only."),
        ROW("BundleInvalid", EBADMSG, BAD_BUNDLE,
            "Pack the bundle with 'hotpatchctl bundle create'; see hotpatch-bundle(5) for the format."),
        ROW("BundleTooLarge", EFBIG, BAD_BUNDLE,
            "Split the bundle by kernel release; hotpatch-bundle(5) lists the limits."),
        ROW("BundleUnreadable", EBADF, BAD_BUNDLE,
            "Give a readable regular file on a local file system."),
        ROW("SignatureMissing", EKEYREJECTED, BAD_BUNDLE,
            "Sign the bundle with 'hotpatchctl bundle sign', or get the signed one from its vendor."),
        ROW("SignatureMalformed", EKEYREJECTED, BAD_BUNDLE,
            "Sign the bundle again with 'hotpatchctl bundle sign'."),
        ROW("SignatureNotDer", EKEYREJECTED, BAD_BUNDLE,
            "Sign again with a tool that writes DER, such as 'hotpatchctl bundle sign'."),
        ROW("SignatureNotDetached", EKEYREJECTED, BAD_BUNDLE,
            "Sign again with a detached signature, as 'hotpatchctl bundle sign' makes it."),
        ROW("SignatureNoSigner", EKEYREJECTED, BAD_BUNDLE,
            "Sign again; a signature member holds exactly one signer."),
        ROW("SignatureWeakDigest", EKEYREJECTED, BAD_BUNDLE,
            "Sign again with SHA-256, SHA-384 or SHA-512."),
        ROW("SignatureInvalid", EKEYREJECTED, BAD_BUNDLE,
            "Fetch the bundle again; if it stays so, it was changed after it was signed."),
        ROW("SignaturesTooFew", EKEYREJECTED, BAD_BUNDLE,
            "Have the bundle signed by as many different signers as the site demands."),
        ROW("SignerNotTrusted", EKEYREJECTED, BAD_BUNDLE,
            "If you trust this signer, put its root certificate into /etc/hotpatch/trust.d."),
        ROW("SignerExpired", EKEYEXPIRED, BAD_BUNDLE,
            "Ask the vendor for a bundle signed with a current certificate, and check this machine's clock."),
        ROW("SignerNotYetValid", EKEYEXPIRED, BAD_BUNDLE,
            "Check this machine's clock; the certificate is not valid yet."),
        ROW("SignerRevoked", EKEYREVOKED, BAD_BUNDLE,
            "Do not use this bundle; its signer's certificate was revoked."),
        ROW("SignerWrongPurpose", EKEYREJECTED, BAD_BUNDLE,
            "Sign with a certificate made for hotpatch bundles; 'hotpatchctl key generate' makes one."),
        ROW("SignerWeakKey", EKEYREJECTED, BAD_BUNDLE,
            "Sign with RSA of at least 3072 bits or with ECDSA on P-256 or P-384."),
        ROW("RevocationUnknown", EKEYREJECTED, BAD_BUNDLE,
            "Put the current revocation list (CRL) of the issuer into /etc/hotpatch/trust.d."),
        ROW("NoTrustAnchors", ENOKEY, BAD_BUNDLE,
            "Put the root certificate of a patch vendor into /etc/hotpatch/trust.d."),
        ROW("TrustStoreInvalid", EBADMSG, FAILURE,
            "Repair or remove the named file in the trust.d directory."),
        ROW("ManifestInvalid", EBADMSG, BAD_BUNDLE,
            "Make the manifest with 'hotpatchctl bundle create'; see hotpatch-bundle(5)."),
        ROW("ManifestUnknownField", EBADMSG, BAD_BUNDLE,
            "Update hotpatch; this bundle needs a newer version, or its manifest is misspelt."),
        ROW("ManifestDuplicateKey", EBADMSG, BAD_BUNDLE,
            "Make the manifest with 'hotpatchctl bundle create'; a key may occur once."),
        ROW("PayloadMismatch", EBADMSG, BAD_BUNDLE,
            "Fetch the bundle again; a payload was changed after the bundle was signed."),
        ROW("ModuleInvalid", ENOEXEC, BAD_BUNDLE,
            "Build the patch module again; it is not a well-formed kernel module."),
        ROW("NotALivepatch", ENOEXEC, BAD_BUNDLE,
            "Build the module as a livepatch (MODULE_INFO(livepatch, \"Y\")); hotpatch-module(1) does."),
        ROW("ModuleManifestMismatch", EBADMSG, BAD_BUNDLE,
            "Make the bundle again with 'hotpatchctl bundle create'; its manifest does not describe its module."),
        ROW("BundleExpired", EKEYEXPIRED, BAD_BUNDLE,
            "Get a current bundle from its vendor; this one says that it is no longer to be used."),
        ROW("ArchitectureMismatch", ENOEXEC, NOT_APPLICABLE,
            "Get the bundle for this machine's architecture."),
        ROW("KernelReleaseMismatch", ENOEXEC, NOT_APPLICABLE,
            "Get the bundle for the running kernel release, or restart into the kernel it was made for."),
        ROW("KernelBuildIdMismatch", ENOEXEC, NOT_APPLICABLE,
            "Get the bundle for exactly this kernel build; the release name alone is not enough."),
        ROW("ModuleBuildIdMismatch", ENOEXEC, NOT_APPLICABLE,
            "Get the bundle for this build of the target module; it was replaced, by DKMS perhaps."),
        ROW("FunctionNotFound", ENOENT, NOT_APPLICABLE,
            "Report it to the patch author; the running kernel has no such function."),
        ROW("FunctionAmbiguous", ENOTUNIQ, NOT_APPLICABLE,
            "Report it to the patch author; the position (sympos) of the function must be given."),
        ROW("FunctionNotTraceable", EOPNOTSUPP, NOT_APPLICABLE,
            "Report it to the patch author; this function cannot be redirected, its callers might be."),
        ROW("FunctionBusy", EBUSY, NOT_APPLICABLE,
            "Stop the other user of this function (see enabled_functions in tracefs) and apply again."),
        ROW("NoLivepatchSupport", EOPNOTSUPP, NOT_APPLICABLE,
            "Run a kernel that was built with CONFIG_LIVEPATCH=y."),
        ROW("NoReliableStacks", EOPNOTSUPP, NOT_APPLICABLE,
            "Run a kernel with reliable stack traces (CONFIG_HAVE_RELIABLE_STACKTRACE; on x86 the ORC unwinder)."),
        ROW("FtraceDisabled", EBUSY, NOT_APPLICABLE,
            "Turn function tracing on: sysctl kernel.ftrace_enabled=1."),
        ROW("TracingUnavailable", ENOENT, NOT_APPLICABLE,
            "Mount tracefs: systemctl start sys-kernel-tracing.mount."),
        ROW("TransitionInProgress", EBUSY, BUSY,
            "Wait for the running livepatch transition to end; 'hotpatchctl status' shows it."),
        ROW("ModuleSignatureRequired", EKEYREJECTED, NOT_APPLICABLE,
            "Have the module signed with a key that this kernel trusts, and enrol the key."),
        ROW("AlreadyApplied", EALREADY, OK,
            "Nothing to do."),
        ROW("NotApplied", EALREADY, OK,
            "Nothing to do."),
        ROW("Downgrade", EPERM, NOT_APPLICABLE,
            "Get a newer bundle of this stream; going back needs the option 'allow-downgrade'."),
        ROW("SequenceReused", EEXIST, NOT_APPLICABLE,
            "Report it to the patch vendor; a sequence number must not be used for other content again."),
        ROW("Conflict", EEXIST, NOT_APPLICABLE,
            "Remove the patch that stands against it first."),
        ROW("MissingRequirement", ENOENT, NOT_APPLICABLE,
            "Apply the bundle it requires first, or both together."),
        ROW("RequirementCycle", ELOOP, NOT_APPLICABLE,
            "Report it to the patch vendor; these bundles can never be applied."),
        ROW("NotAHotpatch", EOPNOTSUPP, NOT_APPLICABLE,
            "Give a bundle of the kind 'hotpatch'; a baseline needs a restart."),
        ROW("ForbiddenByPolicy", EPERM, NOT_APPLICABLE,
            "Restart into a kernel with the fix; or the administrator changes 'Forbid' in hotpatchd.conf(5)."),
        ROW("ModuleNameInUse", EEXIST, NOT_APPLICABLE,
            "Remove the module of that name first (rmmod); it is not from this bundle."),
        ROW("Disabled", ECANCELED, NOT_APPLICABLE,
            "Remove /etc/hotpatch/disable and 'hotpatch=off' on the kernel command line."),
        ROW("RefusedByKernel", EIO, KERNEL,
            "Read the kernel's own lines in the message; report them to the patch author."),
        ROW("RefusedByModule", ECANCELED, KERNEL,
            "Report it to the patch author; the patch's own self-test said no on this machine."),
        ROW("TransitionStalled", ETIME, KERNEL,
            "Apply again at a quieter time; the transition was reversed and nothing changed."),
        ROW("PinnedUntilReboot", EBUSY, KERNEL,
            "Nothing runs the module any more; restart the machine when it suits, to have it out of memory."),
        ROW("NoSuchPatch", ENOENT, NOT_FOUND,
            "Run 'hotpatchctl list' to see the patches this machine knows."),
        ROW("NoSuchJob", ENOENT, NOT_FOUND,
            "Run 'hotpatchctl status'; finished jobs are forgotten after a while."),
        ROW("NoSuchBundle", ENOENT, NOT_FOUND,
            "Stage the bundle first, or give its file."),
        ROW("NotOurs", EPERM, NOT_APPLICABLE,
            "Remove it with the tool that loaded it; hotpatch does not touch other people's patches."),
        ROW("Busy", EBUSY, BUSY,
            "Wait until the running job has ended; 'hotpatchctl status' shows it."),
        ROW("Cancelled", ECANCELED, FAILURE,
            "Nothing was changed; run it again if it was not you who cancelled."),
        ROW("NotCancellable", EBUSY, BUSY,
            "Wait until the job has ended, then remove the patch."),
        ROW("Interrupted", ECANCELED, FAILURE,
            "Run it again; hotpatchd was interrupted and undid what it had begun."),
        ROW("SpoolFull", ENOSPC, FAILURE,
            "Remove staged bundles from /var/lib/hotpatch/spool."),
        ROW("StateUnwritable", EIO, FAILURE,
            "Free space on or repair the file system that holds /var/lib/hotpatch."),
        ROW("KernelBuildIdUnknown", ENOENT, FAILURE,
            "Give the kernel's image by --vmlinux, or its build-id by --build-id RELEASE=HEX."),
        ROW("KernelImageInvalid", EBADMSG, FAILURE,
            "Give the kernel image or module file as the kernel's package ships it; hotpatch reads x86-64 ones."),
        ROW("PatchFileInvalid", EBADMSG, FAILURE,
            "Correct the named place of patch.json; hotpatch-module(1) lists its keys."),
        ROW("KernelHeadersMissing", ENOENT, FAILURE,
            "Install the headers of that kernel, or give their folder with --headers."),
        ROW("KernelPackageMissing", ENOENT, FAILURE,
            "Run 'apt-get update'; where the archive no longer has the package, give the source with --source."),
        ROW("KernelDownloadFailed", EIO, FAILURE,
            "Run it again when the archive can be reached and there is space on the disk."),
        ROW("KernelSourceMismatch", EBADMSG, FAILURE,
            "Give the source and headers of exactly this kernel, and the tools it was built with."),
        ROW("KernelPrepareFailed", EIO, FAILURE,
            "Install what make's lines name; a kernel build wants bc, bison, flex, libelf-dev, libssl-dev and pahole."),
        ROW("CompilerMismatch", ENOEXEC, FAILURE,
            "Install the compiler that the kernel was built with, in the same version."),
        ROW("BuildCacheUnusable", EIO, FAILURE,
            "Give another folder by XDG_CACHE_HOME, with some GiB of free space."),
        ROW("ModuleBuildFailed", ENOEXEC, FAILURE,
            "Correct the sources of the patch as the compiler's lines say."),
        ROW("FixInvalid", EBADMSG, FAILURE,
            "Give unified diffs of text files against the kernel's source, as 'git format-patch' or 'diff -u' make them."),
        ROW("FixDoesNotApply", EBADMSG, FAILURE,
            "Give the fix as it is for exactly this version of the kernel's source."),
        ROW("FixAlreadyApplied", EALREADY, FAILURE,
            "Nothing is to do: the source that this kernel was built from has the fix."),
        ROW("StateDamaged", EBADMSG, FAILURE,
            "Look at the named file in /var/lib/hotpatch; repair it from a backup or remove it."),
        ROW("JournalUnreadable", EACCES, NOT_AUTHORIZED,
            "Run the command as root, or be a member of the group systemd-journal."),
        ROW("AuthorizationUnavailable", EACCES, NOT_AUTHORIZED,
            "Start polkit, or run the command as root."),
};
const size_t n_hotpatch_errors = ELEMENTSOF(hotpatch_errors);

/* Errors that D-Bus itself defines; the errno is sd-bus's own. */
static const HotpatchError standard_errors[] = {
        { SD_BUS_ERROR_ACCESS_DENIED, EACCES, HOTPATCH_EXIT_NOT_AUTHORIZED,
          "Run the command as root, or ask the administrator for the polkit action." },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, EACCES, HOTPATCH_EXIT_NOT_AUTHORIZED,
          "Run the command in a terminal, so that it can ask for a password, or as root." },
        { SD_BUS_ERROR_INVALID_ARGS, EINVAL, HOTPATCH_EXIT_USAGE, "Read hotpatchctl(1)." },
        { SD_BUS_ERROR_FILE_NOT_FOUND, ENOENT, HOTPATCH_EXIT_NOT_FOUND, "Check the name of the file." },
        { SD_BUS_ERROR_LIMITS_EXCEEDED, ENOBUFS, HOTPATCH_EXIT_BUSY, "Wait a moment and try again." },
        { SD_BUS_ERROR_SERVICE_UNKNOWN, EHOSTUNREACH, HOTPATCH_EXIT_UNREACHABLE,
          "Start it: systemctl start hotpatchd.service" },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, ENXIO, HOTPATCH_EXIT_UNREACHABLE,
          "Start it: systemctl start hotpatchd.service" },
        /* What systemd says to the bus when it should start the service. */
        { "org.freedesktop.systemd1.NoSuchUnit", EHOSTUNREACH, HOTPATCH_EXIT_UNREACHABLE,
          "Install the package that has hotpatchd.service." },
        { "org.freedesktop.systemd1.UnitMasked", EHOSTUNREACH, HOTPATCH_EXIT_UNREACHABLE,
          "Allow it to start: systemctl unmask hotpatchd.service" },
        { "org.freedesktop.DBus.Error.TimedOut", ETIMEDOUT, HOTPATCH_EXIT_UNREACHABLE,
          "Look at 'systemctl status hotpatchd.service'." },
        { SD_BUS_ERROR_FILE_EXISTS, EEXIST, HOTPATCH_EXIT_UNREACHABLE, /* a masked unit behind an alias */
          "Look at 'systemctl status hotpatchd.service'; it may be masked." },
        { SD_BUS_ERROR_NO_SERVER, EHOSTDOWN, HOTPATCH_EXIT_UNREACHABLE,
          "Start the system bus: systemctl start dbus.service" },
        { SD_BUS_ERROR_DISCONNECTED, ECONNRESET, HOTPATCH_EXIT_UNREACHABLE,
          "Look at 'systemctl status dbus.service hotpatchd.service'." },
        { SD_BUS_ERROR_NO_REPLY, ETIMEDOUT, HOTPATCH_EXIT_BUSY,
          "Look at 'systemctl status hotpatchd.service'." },
};

/**
 * hotpatch_errors_register() - make sd-bus translate our names to errno values
 *
 * Afterwards sd_bus_error_setf() with one of our names returns the errno of the table, negative.
 * Call it once, early; calling it again is harmless.
 *
 * Return: 0 or a negative errno.
 */
int hotpatch_errors_register(void) {
        static sd_bus_error_map map[ELEMENTSOF(hotpatch_errors) + 1];
        int r;

        for (size_t i = 0; i < n_hotpatch_errors; i++)
                map[i] = (sd_bus_error_map) SD_BUS_ERROR_MAP(
                        hotpatch_errors[i].name, hotpatch_errors[i].error);
        map[n_hotpatch_errors] = (sd_bus_error_map) SD_BUS_ERROR_MAP_END;
        r = sd_bus_error_add_map(map);
        return r < 0 ? r : 0;
}

/** hotpatch_error_find() - the row of a D-Bus error name, or NULL; also knows the standard names */
const HotpatchError *hotpatch_error_find(const char *name) {
        for (size_t i = 0; i < n_hotpatch_errors; i++)
                if (streq(hotpatch_errors[i].name, name))
                        return &hotpatch_errors[i];
        for (size_t i = 0; i < ELEMENTSOF(standard_errors); i++)
                if (streq(standard_errors[i].name, name))
                        return &standard_errors[i];
        return NULL;
}
