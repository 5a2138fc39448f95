/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the rules share: each looks at one thing, in one file. */

#include <elf.h>

#include "builder/rules/rules.h"

/* Each returns 0, also when it left findings, or a negative errno. */
int rule_functions(const RuleInput *in, Findings *findings) _must_check_ _nonnull_(1, 2);
int rule_init(const RuleInput *in, Findings *findings) _must_check_ _nonnull_(1, 2);
int rule_data(const RuleInput *in, Findings *findings) _must_check_ _nonnull_(1, 2);
int rule_exports(const RuleInput *in, Findings *findings) _must_check_ _nonnull_(1, 2);
int rule_keys(const RuleInput *in, Findings *findings) _must_check_ _nonnull_(1, 2);
int rule_interface(const RuleInput *in, Findings *findings) _must_check_ _nonnull_(1, 2);
int rule_moved(const RuleInput *in, Findings *findings) _must_check_ _nonnull_(1, 2);
int rule_tables(const RuleInput *in, Findings *findings) _must_check_ _nonnull_(1, 2);
int rule_noreturn(const RuleInput *in, Findings *findings) _must_check_ _nonnull_(1, 2);
int rule_addresses(const RuleInput *in, Findings *findings) _must_check_ _nonnull_(1, 2);

/* init.c */
void init_forget(Changes *c) _nonnull_(1);

/* callers.c */
int callers_take_over(Changes *c, const Image *image) _must_check_ _nonnull_(1, 2);
int callers_can_take_over(const Changes *c, const Image *image, uint32_t function) _must_check_ _nonnull_(1, 2);
bool image_has_site(const Image *image, const char *name, bool *ret_found) _nonnull_(1, 2, 3);

const char *stack_reason(const char *function) _nonnull_(1);
const char *exported_name(const Object *o, uint32_t symbol) _nonnull_(1);
bool interface_data(const Object *o, uint32_t symbol) _nonnull_(1);
bool kthread_main_loop(const Object *o, uint32_t function) _nonnull_(1);

bool change_is_taken(const Changes *c, uint32_t symbol) _nonnull_(1);
const ObjectSection *symbol_section(const Object *o, uint32_t symbol) _nonnull_(1);
