/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A calendar event of a configuration file: what is taken elapses later than it was asked for, or never. */

#include "calendar/year.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size);
        uint64_t usec = UINT64_C(1772000000) * USEC_PER_SEC;
        CalendarExpression e;
        DayRule rule;

        if (!text)
                abort();
        if (day_rule_parse(text, &rule) >= 0) {
                _cleanup_free_ char *again = NULL;
                DayRule back;

                if (day_rule_format(&rule, &again) < 0 || day_rule_parse(again, &back) < 0 ||
                    memcmp(&rule, &back, sizeof(rule)) != 0)
                        abort();
        }
        if (calendar_expression_parse(text, &e) < 0)
                return 0;
        for (unsigned i = 0; i < 4; i++) {
                uint64_t next;

                if (calendar_expression_next(&e, usec, &next) < 0)
                        break;
                if (next <= usec)
                        abort();
                usec = next;
        }
        return 0;
}
