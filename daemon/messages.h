/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * MESSAGE_IDs of the journal records, sd_journal_send(3). Each has an entry in the message catalog.
 * An id is never used for something else; a new kind of event gets a new one (systemd-id128 new).
 */

/* A verified bundle was put into the spool */
#define HOTPATCH_MESSAGE_STAGED "8a23bef3e11f43db9c8bae6af0a40786"
/* A job was decided and is about to change the kernel */
#define HOTPATCH_MESSAGE_JOB_STARTED "218b90ea61b446abbe8694e4c42fc4c3"
/* A patch is in force on every task and written down */
#define HOTPATCH_MESSAGE_APPLIED "ff2519a772ec483eaa691056a43bb381"
/* A patch is out of the kernel and no longer wanted */
#define HOTPATCH_MESSAGE_REMOVED "50eaf2a851db4bed99be413f9d325f80"
/* A job ended well */
#define HOTPATCH_MESSAGE_JOB_DONE "7ce29cf2da5e4e22b278220c4466dac2"
/* A job was refused, failed or was cancelled; HOTPATCH_ERROR_* say why */
#define HOTPATCH_MESSAGE_JOB_FAILED "0f559a9fa70045228f6ddb660b9e559d"
/* Somebody asked for a job to be cancelled */
#define HOTPATCH_MESSAGE_JOB_CANCEL "d7db6c5456254272b2bca6dad7d21803"
/* What a job did to the kernel is being taken back */
#define HOTPATCH_MESSAGE_REVERSING "907a53aeab084bd1807f44915b8635d1"
/* Something could not be taken back and stays until the restart */
#define HOTPATCH_MESSAGE_UNDO_FAILED "9d5935a37e004203a7dc6489d1bee7c3"
/* Hotpatchd or the machine ended in the middle of a job */
#define HOTPATCH_MESSAGE_INTERRUPTED "9f15b924287f4ca39491f9e177113d00"
/* A tripwire of a patch was hit: somebody tried what the patch repairs */
#define HOTPATCH_MESSAGE_TRIPPED "9edd19c4db8b402bbcba3a9bd09edb60"
