/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The records of hotpatchd in the journal. Each MESSAGE_ID below has an entry of the same order in
 * units/hotpatch.catalog (tests/unit/check-catalog compares them). An id is never used for something
 * else; a new kind of event gets a new one (systemd-id128 new).
 *
 * Fields, beside those of systemd.journal-fields(7); absent when they mean nothing for the event:
 *   HOTPATCH_TRANSACTION    job number and boot, the same in all records of one job
 *   HOTPATCH_PATCH          bundle id
 *   HOTPATCH_MODULE         name of the patch module
 *   HOTPATCH_DIGEST         SHA-256 of the manifest, hexadecimal
 *   HOTPATCH_CVE            what the patch repairs; one field for each
 *   HOTPATCH_FINDING        kind of a finding, see org.hotpatch.Hotpatch1(5), "FINDINGS"
 *   HOTPATCH_OBJECT         module, function or file that it is about
 *   HOTPATCH_UNIT           systemd unit that blocks or was paused; one field for each
 *   HOTPATCH_STACK          a task that blocks, and what it does in the kernel; one field for each
 *   HOTPATCH_CALLER_UID     who asked
 *   HOTPATCH_ERROR_NAME     D-Bus error name, org.hotpatch.Error.*
 *   HOTPATCH_ERROR_MESSAGE  the sentence that goes with it
 *
 * Anybody may write such fields; util/journal-match.c says which records to believe.
 */

/* A verified bundle was put into the spool */
#define HOTPATCH_MESSAGE_STAGED "8a23bef3e11f43db9c8bae6af0a40786"
/* A job was decided and is about to change the kernel */
#define HOTPATCH_MESSAGE_JOB_STARTED "218b90ea61b446abbe8694e4c42fc4c3"
/* A patch module is in the kernel, and the transition to it has begun */
#define HOTPATCH_MESSAGE_LOADED "5792e752f19d4362843841f3c8c6d6ae"
/* A patch is in force on every task and written down */
#define HOTPATCH_MESSAGE_APPLIED "ff2519a772ec483eaa691056a43bb381"
/* A patch is out of the kernel and no longer wanted */
#define HOTPATCH_MESSAGE_REMOVED "50eaf2a851db4bed99be413f9d325f80"
/* A job ended well, or had nothing to do */
#define HOTPATCH_MESSAGE_JOB_DONE "7ce29cf2da5e4e22b278220c4466dac2"
/* A job was refused, failed or was cancelled; HOTPATCH_ERROR_* say why */
#define HOTPATCH_MESSAGE_JOB_FAILED "0f559a9fa70045228f6ddb660b9e559d"
/* Somebody asked for a job to be cancelled */
#define HOTPATCH_MESSAGE_JOB_CANCEL "d7db6c5456254272b2bca6dad7d21803"
/* What a job did to the kernel is being taken back */
#define HOTPATCH_MESSAGE_REVERSING "907a53aeab084bd1807f44915b8635d1"
/* A transition does not end; who blocks it */
#define HOTPATCH_MESSAGE_STALLED "f4e96e2a47914b379da9f8164b9f9737"
/* A call into the kernel does not come back; everything waits for it */
#define HOTPATCH_MESSAGE_HANGS "020b848f58fa4cb49b8166cb0971a093"
/* A unit was frozen for a moment so that its tasks change over, or could not be */
#define HOTPATCH_MESSAGE_FROZEN "0b1eafe9cd384bc8a788d01fe311525d"
/* A transition is about to be forced */
#define HOTPATCH_MESSAGE_FORCED "54828fd165d64f3fa8ed8015f6a9a3e9"
/* A module of a patch that nobody wants was still loaded, without effect */
#define HOTPATCH_MESSAGE_LEFTOVER "22eeeb8675f447b88304dd01c5640325"
/* Something could not be taken back and stays until the restart */
#define HOTPATCH_MESSAGE_UNDO_FAILED "9d5935a37e004203a7dc6489d1bee7c3"
/* Hotpatchd or the machine ended in the middle of a job */
#define HOTPATCH_MESSAGE_INTERRUPTED "9f15b924287f4ca39491f9e177113d00"
/* The machine went down while a patch was being changed or tried, which speaks against it */
#define HOTPATCH_MESSAGE_STRUCK "2946600ee9794aa0978b05a5d7f94675"
/* So much speaks against a bundle that it is not applied any more */
#define HOTPATCH_MESSAGE_QUARANTINED "8ba8240246384fdc9567253c17828b6d"
/* Somebody released a bundle from its quarantine */
#define HOTPATCH_MESSAGE_RELEASED "a38bbddba17e41888ed8152bd4451003"
/* A patch was put back into the kernel at the start of the machine */
#define HOTPATCH_MESSAGE_RESTORED "417ac213474e4f02a32608b6de023ccb"
/* A wanted patch was left out at the start of the machine, as it should be */
#define HOTPATCH_MESSAGE_NOT_RESTORED "af4c6e99a6844269a7389bbcc4e16a7f"
/* A wanted patch could not be put back at the start of the machine */
#define HOTPATCH_MESSAGE_RESTORE_FAILED "2f7ec2498c614a09929987abccf27267"
/* A tripwire of a patch was hit: somebody tried what the patch repairs */
#define HOTPATCH_MESSAGE_TRIPPED "9edd19c4db8b402bbcba3a9bd09edb60"
/* The kernel has a patch of ours that this hotpatchd did not load */
#define HOTPATCH_MESSAGE_ADOPTED "32e0b5a5593949569e836044ab61db59"
/* The kernel has a livepatch that somebody else loaded */
#define HOTPATCH_MESSAGE_FOREIGN "71cac759b60b441992069f81135209a0"
/* A file of the state directory cannot be read as what it should be */
#define HOTPATCH_MESSAGE_DAMAGED "0f789966ce3447b3b83022000937c91f"
/* Kernel, records and store do not agree, or something else is to be looked at */
#define HOTPATCH_MESSAGE_FINDING "f5ba682801de41a2b10476487fdff4bf"
/* Something that was found before is over */
#define HOTPATCH_MESSAGE_FINDING_GONE "6078e7349b04471d8e77c5a18fdbf727"
/* A patch took effect on a module that was loaded later */
#define HOTPATCH_MESSAGE_TARGET_PATCHED "472e27e8e28849b5ae361967cd4c758c"
/* A patch left a module that was unloaded, or whose start failed */
#define HOTPATCH_MESSAGE_TARGET_UNPATCHED "7312e2e0454e4b319630112b46333ea7"
/* The kernel refused to load a module because a patch does not fit it */
#define HOTPATCH_MESSAGE_TARGET_REFUSED "4dbd1597374a4b50a999e6d5d541b243"
/* The package manager installed what belongs to a baseline */
#define HOTPATCH_MESSAGE_BASELINE_INSTALLED "96b4c0705d924af590068e6c81fc24ea"
/* The package manager could not plan, fetch or install a baseline */
#define HOTPATCH_MESSAGE_BASELINE_RUN_FAILED "e6646b18cf1a4934abad0cb0de905ca5"
/* Something in the configuration was not understood */
#define HOTPATCH_MESSAGE_CONFIGURATION "62e97a19879248f48de8edc3119b74ee"
/* The configuration was read again, and a setting is another now */
#define HOTPATCH_MESSAGE_POLICY_CHANGED "3a9d31fd8c25431ba7cf6e5f0a3a2a41"
/* The baseline of this machine went on to another phase */
#define HOTPATCH_MESSAGE_BASELINE "4c5a574009a149c2be0eca7c87b3f256"
/* A baseline failed, or was missed */
#define HOTPATCH_MESSAGE_BASELINE_FAILED "2968a680ff21455cbd5ac2a5905d7fc6"
/* The kernel of a baseline contains a patch, which is not wanted any more */
#define HOTPATCH_MESSAGE_PATCH_RETIRED "370602743dac4678a30270f9d7b36ced"
/* A patch for another kernel is kept at a baseline, as nobody said that it is contained */
#define HOTPATCH_MESSAGE_PATCH_KEPT "c192754e87254726acd842e11e6ababb"
/* The restart of the machine: scheduled, put off, taken back, held up */
#define HOTPATCH_MESSAGE_RESTART "78b873dfe39e4c34aab99f80567653d6"
/* Patches came into force and are watched from now on */
#define HOTPATCH_MESSAGE_TRIAL_BEGUN "6870bc3da8f2450a98febcb4a37a7ee0"
/* The time is over and nothing speaks against the patches */
#define HOTPATCH_MESSAGE_TRIAL_PASSED "0bb9ec42e1b6464f80493f2b513df180"
/* A bad sign was seen; the patches are taken out */
#define HOTPATCH_MESSAGE_TRIAL_FAILED "a4560ce214934ba4b204c2321a14d6ee"
/* Patches were removed or superseded before their trial was over */
#define HOTPATCH_MESSAGE_TRIAL_ENDED "418e887d1f3c46bc99c3797911012f15"
/* A kind of sign cannot be seen */
#define HOTPATCH_MESSAGE_TRIAL_BLIND "ee1f62c8214e4b3cba8e2451be47c365"
/* The kernel wrote more than could be read */
#define HOTPATCH_MESSAGE_LOG_LOST "776774e81f194096a97fe3b08a7e138d"
