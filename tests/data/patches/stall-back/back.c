// SPDX-License-Identifier: GPL-2.0-only
/* Tasks sit in the replacement, until the parameter `release` is set. */

#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/types.h>

#include <hotpatch/hotpatch.h>

static bool release;
module_param(release, bool, 0600);

int hp_back_hard(void);

int hp_back_hard(void)
{
	while (!READ_ONCE(release))
		msleep(100);
	return 1;
}
