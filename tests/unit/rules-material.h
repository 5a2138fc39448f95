/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Pairs of objects for tests of the rules, and what the rules found. */

#include <check.h>

#include "builder/rules/rules.h"

extern Findings rules_findings;
extern Object *rules_after;
extern Changes *rules_changes;

TCase *rules_case(const char *name);

void check_running(const char *module, const char *running, const char *old, const char *new);
void check_rules(const char *old, const char *new);

const Finding *find(Rule rule, bool refused, const char *subject);
void expect_refused(Rule rule, const char *subject, const char *words);
void expect_remark(Rule rule, const char *subject, const char *words);
void expect_nothing(void);
bool is_changed(const char *function);
