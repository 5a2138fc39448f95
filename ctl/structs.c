/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A property that is an array of structures comes as a variant of it. What is in a structure is known to
 * who shows it; how to get there is always the same.
 */

#include "ctl/structs.h"
#include "util/str.h"

/**
 * structs_read() - take over a variant of an array of structures
 * @element: signature of one, as "(ss)"
 * @read_one: called until there is no more
 * @list: handed to it
 *
 * Return: 0 or a negative errno; what was read before an error stays in @list.
 */
int structs_read(sd_bus_message *m, const char *element, StructRead read_one, void *list) {
        _cleanup_free_ char *array = NULL;
        int r;

        if (str_printf(&array, "a%s", element) < 0)
                return -ENOMEM;
        r = sd_bus_message_enter_container(m, 'v', array);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', element);
        while (r >= 0 && (r = read_one(m, list)) > 0)
                ;
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0;
}

/**
 * structs_grow() - room for one more
 * @items: the array so far; NULL: none
 * @n: how many there are; counts the new one, which is zero
 * @size: of one
 *
 * Return: the array, or NULL without memory; then @items stays as it is.
 */
void *structs_grow(void *items, size_t *n, size_t size) {
        char *grown = reallocarray(items, *n + 1, size);

        if (grown)
                memset(grown + (*n)++ * size, 0, size);
        return grown;
}
