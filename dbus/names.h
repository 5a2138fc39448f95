/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names of the contract; what they mean stands in org.hotpatch.Hotpatch1.xml. */

#define HOTPATCH_BUS_NAME "org.hotpatch.Hotpatch1"
#define HOTPATCH_ROOT_PATH "/org/hotpatch/Hotpatch1"
#define HOTPATCH_PATCH_PATH HOTPATCH_ROOT_PATH "/patch"
#define HOTPATCH_JOB_PATH HOTPATCH_ROOT_PATH "/job"

#define HOTPATCH_MANAGER_INTERFACE "org.hotpatch.Hotpatch1.Manager"
#define HOTPATCH_PATCH_INTERFACE "org.hotpatch.Hotpatch1.Patch"
#define HOTPATCH_JOB_INTERFACE "org.hotpatch.Hotpatch1.Job"

/* polkit actions, by risk: polkit/org.hotpatch.Hotpatch1.policy */
#define HOTPATCH_ACTION_VERIFY "org.hotpatch.hotpatch1.verify"
#define HOTPATCH_ACTION_APPLY "org.hotpatch.hotpatch1.apply"
#define HOTPATCH_ACTION_APPLY_DOWNGRADE "org.hotpatch.hotpatch1.apply-downgrade"
#define HOTPATCH_ACTION_APPLY_REPLACE_FOREIGN "org.hotpatch.hotpatch1.apply-replace-foreign"
#define HOTPATCH_ACTION_FORCE "org.hotpatch.hotpatch1.force"
#define HOTPATCH_ACTION_REMOVE "org.hotpatch.hotpatch1.remove"
#define HOTPATCH_ACTION_SCHEDULE_BASELINE "org.hotpatch.hotpatch1.schedule-baseline"
#define HOTPATCH_ACTION_DEFER_BASELINE "org.hotpatch.hotpatch1.defer-baseline"
#define HOTPATCH_ACTION_MANAGE "org.hotpatch.hotpatch1.manage"
