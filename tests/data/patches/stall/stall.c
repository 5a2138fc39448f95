// SPDX-License-Identifier: GPL-2.0-only
/* Nobody sits any more in the functions of tests/data/stall. */

#include <linux/types.h>

#include <hotpatch/hotpatch.h>

int hp_new_soft(void);
int hp_new_hard(void);
int hp_new_thread(void);

int hp_new_soft(void)
{
	return 1;
}

int hp_new_hard(void)
{
	return 1;
}

int hp_new_thread(void)
{
	return 1;
}
