/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

typedef struct sd_journal sd_journal;

int journal_match_ours(sd_journal *journal);
