/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Every quantity that comes from outside has its limit here, with the reason. A root daemon
 * refuses; it does not grow.
 */

#include <stdint.h>

/* A patch module with debug information is a few MiB; 64 MiB leaves room for many targets in one
 * bundle and is far below 2^31, where lengths in OpenSSL's BIO interface turn negative. */
#define HOTPATCH_BUNDLE_MAX (UINT64_C(64) * 1024 * 1024)

/* DESIGN, "The bundle": the manifest is read by people; 256 KiB is some thousand functions. */
#define HOTPATCH_MANIFEST_MAX (UINT64_C(256) * 1024)

/* A detached CMS with three RSA-4096 certificates is 6 KiB. */
#define HOTPATCH_SIGNATURE_MAX (UINT64_C(64) * 1024)
#define HOTPATCH_SIGNATURES_MAX 8U

/* manifest + signatures + payloads */
#define HOTPATCH_MEMBERS_MAX 64U

/* `ustar` has 100 bytes for the name; ours end in a NUL and leave some room. */
#define HOTPATCH_MEMBER_NAME_MAX 96U

/* Bundle ids become file names, object paths and journal fields. */
#define HOTPATCH_ID_MAX 64U

/* MODULE_NAME_LEN - 1 (include/linux/module.h: MAX_PARAM_PREFIX_LEN is 64 - sizeof(long)). */
#define HOTPATCH_MODULE_NAME_MAX 55U

/* KSYM_NAME_LEN - 1 (include/linux/kallsyms.h, 6.1 and later). */
#define HOTPATCH_SYMBOL_MAX 511U

/* One target: what a cumulative vendor patch of a year would touch, times four. */
#define HOTPATCH_OBJECTS_MAX 64U
#define HOTPATCH_FUNCTIONS_MAX 1024U

/* One transaction, and one D-Bus call. */
#define HOTPATCH_TRANSACTION_MAX 16U

/* Jobs that run or wait, and finished ones that stay readable. */
#define HOTPATCH_JOBS_MAX 16U
#define HOTPATCH_JOBS_FINISHED_MAX 32U

/* Questions to polkit under way, in total and for one caller. */
#define HOTPATCH_AUTHORIZE_MAX 64U
#define HOTPATCH_AUTHORIZE_PER_SENDER_MAX 8U

/* Bundles that are looked at for Plan, VerifyBundle and Stage at the same time; one place of these is
 * root's. Each costs a copy of a bundle on disk and a worker. */
#define HOTPATCH_QUERIES_MAX 4U

/* Files in the spool; each is at most HOTPATCH_BUNDLE_MAX. */
#define HOTPATCH_SPOOL_MAX 128U

/* State files: a record lists fixes and relations of one manifest; each list is at most so long. */
#define HOTPATCH_RECORD_MAX (UINT64_C(1024) * 1024)
#define HOTPATCH_RECORD_LIST_MAX 1024U

/* Fixes that are published as being in force: the patches of a machine together repair some hundred. */
#define HOTPATCH_FIXES_PUBLISHED_MAX 16384U

/* Patches that are wanted at the same time; the kernel stacks each of them. */
#define HOTPATCH_ADMITTED_MAX 128U

/* Services that run when a trial begins; a large machine has some hundred. */
#define HOTPATCH_UNITS_WATCHED_MAX 4096U

/* Executables in /etc/hotpatch/checks.d, their names, and the end of what one says that is quoted. */
#define HOTPATCH_CHECKS_MAX 32U
#define HOTPATCH_CHECK_NAME_MAX 64U
#define HOTPATCH_CHECK_OUTPUT_MAX 1024U

/* Trials at a time; each is a transaction of the last day at most. */
#define HOTPATCH_TRIALS_MAX 256U

/* Strikes: how many make a quarantine, how many are kept for one bundle (more say nothing new), and for
 * how many bundles. */
#define HOTPATCH_STRIKES_QUARANTINE 2U
#define HOTPATCH_STRIKES_MAX 16U
#define HOTPATCH_STRIKE_RECORDS_MAX 1024U

/* Patterns of [Policy] Forbid=; a person writes a handful. */
#define HOTPATCH_FORBID_MAX 256U

/* A calendar event of systemd.time(7), and the values of one part of it: the longest that has a use lists each
 * day of a month. Names of time zones: the longest of the database has 32 letters. */
#define HOTPATCH_CALENDAR_TEXT_MAX 255U
#define HOTPATCH_CALENDAR_RANGES_MAX 32U
#define HOTPATCH_ZONE_MAX 63U

/* The state of the baseline: how earlier ones ended (two years of monthly ones), and why this one did. */
#define HOTPATCH_BASELINE_HISTORY_MAX 24U
#define HOTPATCH_BASELINE_RETIRED_MAX 64U
#define HOTPATCH_BASELINE_TEXT_MAX ((size_t) 4096)

/* Trust anchors and CRLs: per file, and how many. */
#define HOTPATCH_ANCHOR_MAX (UINT64_C(1024) * 1024)
#define HOTPATCH_ANCHORS_MAX 64U

/* The running kernel. /sys/kernel/notes is a few hundred bytes (Xen notes make it 1 KiB), a patch's
 * own note some hundred lines; COMMAND_LINE_SIZE is 2048 on x86 and 4096 on s390x. */
#define HOTPATCH_NOTES_MAX ((size_t) 1024 * 1024)
#define HOTPATCH_COMMAND_LINE_MAX ((size_t) 64 * 1024)

/* Keys of a keyring that are looked at to name them; a PC's firmware and a distribution bring a dozen. */
#define HOTPATCH_RING_KEYS_MAX 256U

/* Livepatches at a time; the kernel has no limit, a machine has a handful. */
#define HOTPATCH_LIVEPATCHES_MAX 1024U

/* Functions that others redirect: a tool that hooks more of them is named well enough by these. */
#define HOTPATCH_HOOKS_MAX 64U

/* /sys/module/NAME/hotpatch/tripwires: one page of sysfs, rounded up. */
#define HOTPATCH_TRIPWIRES_MAX ((size_t) 64 * 1024)

/* systemd.unit(5): UNIT_NAME_MAX is 256 with the NUL. */
#define HOTPATCH_UNIT_NAME_MAX 255U

/* Units that are never frozen, FreezeExclude= of hotpatchd.conf(5). */
#define HOTPATCH_FREEZE_EXCLUDE_MAX 256U

/* Tasks that are named when a transition does not end; the others are counted. */
#define HOTPATCH_BLOCKERS_MAX 128U
/* fs/proc/array.c: some 50 numbers and a name. A cgroup's path is at most PATH_MAX, in up to 14
 * hierarchies of the old kind. */
#define HOTPATCH_PROC_STAT_MAX ((size_t) 4096)
#define HOTPATCH_PROC_CGROUP_MAX ((size_t) 64 * 1024)
/* fs/proc/base.c: MAX_STACK_TRACE_DEPTH frames, each a symbol, an offset and a module. */
#define HOTPATCH_FRAMES_MAX 64U
#define HOTPATCH_FRAME_MAX 127U
#define HOTPATCH_PROC_STACK_MAX ((size_t) 64 * 1024)

/* Kernel log lines in a message: a failed livepatch writes two to four. */
#define HOTPATCH_KERNEL_LOG_LINES 8U
#define HOTPATCH_KERNEL_LOG_LINE_MAX 240U

/* Following the kernel log: records in one turn of the event loop, and the time between two turns. Six
 * thousand records a second are more than a serial console or a person can read. */
#define HOTPATCH_KERNEL_LOG_TURN 64U
#define HOTPATCH_KERNEL_LOG_TURN_USEC 10000U
/* Records that are read in one go at a moment that needs to know all: the whole buffer of 128 KiB of a
 * distribution kernel. */
#define HOTPATCH_KERNEL_LOG_CATCH_UP 4096U

/* One report of the kernel (an oops with its call trace is 60 lines) and the names in it. */
#define HOTPATCH_KERNEL_SIGN_LINES 256U
#define HOTPATCH_KERNEL_SIGN_NAMES 64U

/* System states (struct klp_state) of one livepatch; those that are known have one or two. */
#define HOTPATCH_STATES_MAX 64U

/* A patch module. -ffunction-sections makes some thousand sections at most; the symbols are those of
 * the author's few files; only relocations of allocated sections are counted. */
#define HOTPATCH_ELF_SECTIONS_MAX 16384U
#define HOTPATCH_ELF_SYMBOLS_MAX 131072U
#define HOTPATCH_ELF_RELOCATIONS_MAX 524288U
#define HOTPATCH_MODINFO_VALUE_MAX 1024U
#define HOTPATCH_KLP_SYMBOLS_MAX 4096U

/* One object of a kernel build with its debug information: 1 MiB is usual, 30 MiB are seen. */
#define HOTPATCH_OBJECT_MAX ((size_t) 256 * 1024 * 1024)

/* Lines of /proc/kallsyms: 200 000 on a distribution kernel with many modules loaded. */
#define HOTPATCH_KALLSYMS_MAX 4194304U

/* Their names in a kernel image: 4 MiB on a distribution kernel. */
#define HOTPATCH_KALLSYMS_NAMES_MAX ((size_t) 128 * 1024 * 1024)

/* A module of the kernel: amdgpu has 20 MiB, 40 000 symbols and 300 000 relocations. */
#define HOTPATCH_MODULE_IMAGE_MAX (UINT64_C(256) * 1024 * 1024)
#define HOTPATCH_MODULE_SYMBOLS_MAX 1048576U
#define HOTPATCH_MODULE_RELOCATIONS_MAX 8388608U

/* Types of a kernel as BTF: 6 MiB, in 120 000 types. */
#define HOTPATCH_BTF_MAX ((size_t) 64 * 1024 * 1024)

/* hotpatch-build. A stable kernel's whole update is 5 MiB of diff; a fix is some KiB. */
#define HOTPATCH_FIX_MAX ((size_t) 4 * 1024 * 1024)
#define HOTPATCH_FIXES_MAX 64U
#define HOTPATCH_FIX_FILES_MAX 256U
#define HOTPATCH_FIX_HUNKS_MAX 4096U
/* The longest path in 6.12's source is 130 bytes. */
#define HOTPATCH_FIX_PATH_MAX 255U
#define HOTPATCH_FIX_CVES_MAX 256U
/* The largest C file of the kernel is a generated header of 22 MiB. */
#define HOTPATCH_SOURCE_FILE_MAX ((size_t) 64 * 1024 * 1024)
/* Kbuild's .cmd of one object: command line and a thousand headers, 60 KiB. */
#define HOTPATCH_COMMAND_FILE_MAX ((size_t) 4 * 1024 * 1024)
/* Lines of 60 bytes; an allyesconfig has 30 000. */
#define HOTPATCH_OBJECT_LIST_MAX ((size_t) 16 * 1024 * 1024)
/* Objects that one fix may touch by way of headers, see hotpatch-build(1). */
#define HOTPATCH_UNITS_MAX 64U

/* hotpatchd.conf(5): words of a list, and places that contributed to one value. */
#define HOTPATCH_CONFIG_WORDS_MAX 64U
#define HOTPATCH_CONFIG_ORIGINS_MAX 64U

/* A run of a baseline backend: a release upgrade changes 3000 packages, in 4 lines each at most. A line
 * has one sentence or one package. */
#define HOTPATCH_RUN_LINE_MAX ((size_t) 16 * 1024)
#define HOTPATCH_RUN_LINES_MAX 65536U
#define HOTPATCH_RUN_CHANGES_MAX 8192U
#define HOTPATCH_RUN_PACKAGES_MAX 1024U
#define HOTPATCH_RUN_WARNINGS_MAX 64U
#define HOTPATCH_RUN_TEXT_MAX ((size_t) 1024)
/* Names and versions of packages; Debian's longest name has 80 characters. */
#define HOTPATCH_RUN_WORD_MAX ((size_t) 192)
/* The files: a request of that many packages; a result of that many changes. */
#define HOTPATCH_RUN_REQUEST_MAX ((size_t) 512 * 1024)
#define HOTPATCH_RUN_RESULT_MAX ((size_t) 8 * 1024 * 1024)

/* /proc/cpuinfo: 1.5 KiB for each processor of x86, and machines with 2048 of them exist. */
#define HOTPATCH_CPUINFO_MAX ((size_t) 8 * 1024 * 1024)

/* Below this a machine that verifies and loads the largest bundle beside its own work has no room left:
 * the file, the verified copy, the module. */
#define HOTPATCH_MEMORY_MIN (3 * HOTPATCH_BUNDLE_MAX)

/* os-release(5): some hundred bytes. */
#define HOTPATCH_OS_RELEASE_MAX ((size_t) 64 * 1024)

/* /run/reboot-required.pkgs: a line for each package. */
#define HOTPATCH_REBOOT_PACKAGES_MAX ((size_t) 64 * 1024)

/* hotpatch-notifier: patches, findings or reasons that are looked at; and how much of one text is shown, in characters.
 * A title has a line on most desktops, a sentence of ours is at most that long. */
#define HOTPATCH_NOTIFIER_LIST_MAX 1024U
#define HOTPATCH_NOTIFIER_TITLE_MAX 80U
#define HOTPATCH_NOTIFIER_SENTENCE_MAX 240U
/* What is named one by one in a notification; the others are counted. */
#define HOTPATCH_NOTIFIER_ITEMS_MAX 4U
