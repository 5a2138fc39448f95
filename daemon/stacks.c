/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reads /run/hotpatch/blockers.json, which hotpatch-blockers(8) has written: kernel stacks by thread id.
 *
 * The writer is root and ours. It is more privileged than we are and looks at tasks of strangers, so it is
 * read like a stranger's text: size, depth, numbers and lengths are limited, frames are made printable, and
 * only tasks that are known as blockers get a stack.
 */

#include "daemon/stacks.h"
#include "util/json.h"
#include "util/limits.h"
#include "util/strv.h"

static int take_stack(Blocker *b, const json_t *stack) {
        size_t n = json_array_size(stack);

        b->stack = strv_free(b->stack);
        for (size_t i = 0; i < n && i < HOTPATCH_FRAMES_MAX; i++) {
                const json_t *frame = json_array_get(stack, i);
                int r;

                if (!json_is_string(frame))
                        return -EBADMSG;
                r = blocker_add_frame(b, json_string_value(frame), json_string_length(frame));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int take_task(Blockers *b, const json_t *task) {
        const json_t *tid = json_object_get(task, "tid"), *stack = json_object_get(task, "stack");
        Blocker *found;

        if (!json_is_integer(tid) || !json_is_array(stack) || json_integer_value(tid) < 0 ||
            json_integer_value(tid) > UINT32_MAX)
                return -EBADMSG;
        found = blockers_find(b, (uint32_t) json_integer_value(tid));
        return found ? take_stack(found, stack) : 0;
}

/**
 * stacks_merge() - put the stacks of an answer to the blockers they belong to
 * @answer, @size: the file
 * @b: blockers; others than these are passed over
 * @ret_debug: "on", or why the kernel tells no reasons; printable, to be freed
 *
 * Return: 0, -EBADMSG for what is no such answer (some stacks may be set then), or -ENOMEM.
 */
int stacks_merge(const void *answer, size_t size, Blockers *b, char **ret_debug) {
        _cleanup_json_ json_t *root = json_loadb(answer, size, JSON_REJECT_DUPLICATES, NULL);
        const json_t *tasks = json_object_get(root, "tasks");
        const char *debug = json_string_value(json_object_get(root, "debug"));
        char *copy;

        if (!debug || !json_is_array(tasks))
                return -EBADMSG;
        for (size_t i = 0; i < json_array_size(tasks) && i < HOTPATCH_BLOCKERS_MAX; i++) {
                int r = take_task(b, json_array_get(tasks, i));
                if (r < 0)
                        return r;
        }
        copy = strndup(debug, 80);
        if (!copy)
                return -ENOMEM;
        for (char *p = copy; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        *ret_debug = copy;
        return 0;
}
