#include "backup/gcs/gcs_discard.h"

#include <stdlib.h>

#define AT_ONCE 16u
#define TIMEOUT_MS 60000

struct bag {
    struct gcs_client *client;
    size_t count;
    struct gcs_object objects[AT_ONCE];
};

static void
empty(void *data)
{
    struct bag *bag = data;
    CLEANUP(cancel_unrefp) struct cancel *cancel = cancel_new_child(NULL, TIMEOUT_MS);
    for (size_t i = 0; i < bag->count; i++) {
        const struct gcs_object *object = &bag->objects[i];
        error_free(gcs_api_delete(bag->client, object->name, object->generation, cancel));
        gcs_object_done(&bag->objects[i]);
    }
    free(bag);
}

void
gcs_discard(struct gcs_client *client, struct gcs_lanes *lanes, struct gcs_object *take_objects,
            size_t count)
{
    for (size_t i = 0; i < count; i += AT_ONCE) {
        struct bag *bag = xcalloc(1, sizeof(*bag));
        bag->client = client;
        for (size_t j = i; j < count && bag->count < AT_ONCE; j++)
            bag->objects[bag->count++] = take_objects[j];
        struct error *error = gcs_lanes_submit(lanes, empty, bag);
        if (error == NULL)
            continue;
        error_free(error);
        empty(bag);
    }
    free(take_objects);
}
