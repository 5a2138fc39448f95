/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A document that grows, and is whole or not at all.
 *
 * Each piece can fail: memory is out, or a text is no UTF-8. To ask after each of them would bury the shape of the
 * document under its errors; so a piece that failed (NULL) makes what it was put into NULL, that makes its parent
 * NULL, and who prints the document asks once. What was to be put in is taken over in any case, nothing leaks.
 *
 * The price is that the cause is lost. Readers want to know it, and do not use this.
 */

#include "util/json.h"

/**
 * json_put() - a member of an object
 * @object: NULL once a piece has failed
 * @taken: its value, taken over; NULL makes @object NULL
 */
void json_put(json_t **object, const char *key, json_t *taken) {
        if (json_object_set_new(*object, key, taken) < 0) {
                json_decref(*object);
                *object = NULL;
        }
}

/** json_push() - the next one of an array; as json_put() */
void json_push(json_t **array, json_t *taken) {
        if (json_array_append_new(*array, taken) < 0) {
                json_decref(*array);
                *array = NULL;
        }
}

/** json_strings() - an array of texts, NULL counts as empty. Return: to be unreferenced; NULL when one is no UTF-8. */
json_t *json_strings(char *const *v) {
        json_t *array = json_array();

        for (; v && *v; v++)
                json_push(&array, json_string(*v));
        return array;
}
