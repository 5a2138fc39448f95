/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * JSON values: answers of the daemon read, results printed. A Value is jansson's json_t under a
 * name of ours; only json.c knows.
 */

#include "ctl/ctl.h"

typedef struct json_t Value;

void value_unref(Value *v);
DEFINE_TRIVIAL_CLEANUP(Value *, value_unref);
#define _cleanup_value_ _cleanup_(value_unrefp)

int value_parse(const char *text, Value **ret) _must_check_ _nonnull_(1, 2);

const Value *value_get(const Value *object, const char *key);
const char *value_string(const Value *object, const char *key);
bool value_bool(const Value *object, const char *key);
int64_t value_integer(const Value *object, const char *key);
size_t value_length(const Value *array);
const Value *value_at(const Value *array, size_t i);
const char *value_text(const Value *v);

Value *value_object(void);
Value *value_array(void);
Value *value_text_new(const char *text);
int value_set(Value *object, const char *key, Value *taken) _must_check_;
int value_set_string(Value *object, const char *key, const char *text) _must_check_;
int value_set_bool(Value *object, const char *key, bool b) _must_check_;
int value_set_integer(Value *object, const char *key, uint64_t n) _must_check_;
int value_set_real(Value *object, const char *key, double d) _must_check_;
int value_set_strv(Value *object, const char *key, char *const *v) _must_check_;
int value_set_time(Value *object, const char *key, uint64_t usec) _must_check_;
int value_append(Value *array, Value *taken) _must_check_;

int value_to_text(const Ctl *ctl, const Value *v, char **ret) _must_check_ _nonnull_(1, 3);
int value_print(const Ctl *ctl, const Value *v) _nonnull_(1);
int value_print_pair(const Ctl *ctl, const char *key, const char *text) _must_check_ _nonnull_(1, 2, 3);
int value_print_error(const Ctl *ctl, const char *subject, const char *name, const char *message,
                const char *remedy);
