#include "agent/ctl/repoint.h"

#include <stdlib.h>

#include "agent/ctl/parallel.h"

void
repoint_add(struct repoint *repoint, const Topodata__Tablet *tablet, bool is_forced)
{
    repoint->targets =
        xreallocarray(repoint->targets, repoint->count + 1, sizeof(*repoint->targets));
    repoint->targets[repoint->count++] =
        (struct repoint_target){.tablet = tablet, .is_forced = is_forced};
}

static void
repoint_one(size_t index, void *data)
{
    const struct repoint *repoint = data;
    struct repoint_target *target = &repoint->targets[index];
    struct set_source source = {
        .parent = repoint->primary->alias,
        .time_created_ns = repoint->time_created_ns,
        .wait_position = "",
        .is_forced = target->is_forced,
        .wants_semi_sync = shard_replica_semi_sync(repoint->view, target->tablet, repoint->primary),
    };
    target->error = call_set_source(repoint->ctl, target->tablet, &source, repoint->cancel, 0);
}

void
repoint_start(struct repoint *repoint)
{
    repoint->running = parallel_start(repoint->count, repoint_one, repoint);
}

size_t
repoint_join(struct repoint *repoint)
{
    parallel_join(repoint->running);
    repoint->running = NULL;
    size_t failed = 0;
    for (size_t i = 0; i < repoint->count; i++)
        failed += repoint->targets[i].error != NULL;
    return failed;
}

struct error *
repoint_error(const struct repoint *repoint)
{
    CLEANUP(strv_done) struct strv texts = {0};
    enum error_code code = ERROR_OK;
    for (size_t i = 0; i < repoint->count; i++) {
        const struct repoint_target *target = &repoint->targets[i];
        if (target->error == NULL)
            continue;
        code = target->error->code;
        strv_addf(&texts, "%s: %s", alias_text_of(target->tablet).text, target->error->message);
    }
    if (code == ERROR_OK)
        return NULL;
    CLEANUP(freep) char *text = strv_join(&texts, "; ");
    return error_new(code, "%s", text);
}

void
repoint_done(struct repoint *repoint)
{
    parallel_join(repoint->running);
    for (size_t i = 0; i < repoint->count; i++)
        error_free(repoint->targets[i].error);
    free(repoint->targets);
    *repoint = (struct repoint){0};
}
