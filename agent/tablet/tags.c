/* ChangeTags: the tags live in the tablet and go into its record with every publish. */
#include "agent/tablet/tablet_private.h"

#include "agent/base/memory.h"

struct tags_call {
    struct tablet *tablet;
    const struct strv *names, *values;
    bool replaces;
};

/* Copies all pairs but the one named `without`. */
static void
copy_pairs(const struct strv *names, const struct strv *values, const char *without,
           struct strv *ret_names, struct strv *ret_values)
{
    for (size_t i = 0; i < names->count; i++) {
        if (str_equal(names->items[i], without))
            continue;
        strv_add(ret_names, names->items[i]);
        strv_add(ret_values, values->items[i]);
    }
}

static void
set_tag(struct tablet *tablet, const char *name, const char *value)
{
    struct strv names = {NULL, 0}, values = {NULL, 0};
    copy_pairs(&tablet->tag_names, &tablet->tag_values, name, &names, &values);
    if (!str_is_empty(value)) { /* an empty value deletes the tag */
        strv_add(&names, name);
        strv_add(&values, value);
    }
    strv_done(&tablet->tag_names);
    strv_done(&tablet->tag_values);
    tablet->tag_names = names;
    tablet->tag_values = values;
}

static void
change_tags_on_loop(void *data)
{
    struct tags_call *call = data;
    struct tablet *tablet = call->tablet;
    if (call->replaces) {
        strv_done(&tablet->tag_names);
        strv_done(&tablet->tag_values);
        tablet->tag_names = (struct strv){NULL, 0};
        tablet->tag_values = (struct strv){NULL, 0};
    }
    for (size_t i = 0; i < call->names->count; i++)
        set_tag(tablet, call->names->items[i], call->values->items[i]);
}

struct error *
tablet_change_tags(struct tablet_context *context, struct cancel *cancel, const struct strv *names,
                   const struct strv *values, bool replaces, Topodata__Tablet **ret_tablet)
{
    if (names->count != values->count || names->count > 1000)
        return error_new(ERROR_INVALID_ARGUMENT, "tags: %zu names and %zu values (at most 1000)",
                         names->count, values->count);
    struct tags_call call = {context->tablet, names, values, replaces};
    loop_call(context->loop, "tablet_change_tags", change_tags_on_loop, &call);
    TRY(error_wrap(tablet_publish(context, cancel), "tags changed, but not published yet"));
    return tablet_make_record(context->tablet, ret_tablet);
}
