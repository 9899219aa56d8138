/* Type, tags, read-only, and what the topology says. */
#include "agent/actions/actions.h"
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"

HANDLER(handle_set_read_only)
{
    (void)request;
    (void)response;
    return action_set_read_only(call->context, call->cancel, true);
}

HANDLER(handle_set_read_write)
{
    (void)request;
    (void)response;
    return action_set_read_only(call->context, call->cancel, false);
}

HANDLER(handle_change_type)
{
    (void)response;
    const Tabletmanagerdata__ChangeTypeRequest *in = request;
    return action_change_type(call->context, call->cancel, in->tablet_type, in->semisync);
}

HANDLER(handle_refresh_state)
{
    (void)request;
    (void)response;
    return tablet_refresh(call->context, call->cancel);
}

HANDLER(handle_change_tags)
{
    const Tabletmanagerdata__ChangeTagsRequest *in = request;
    Tabletmanagerdata__ChangeTagsResponse *out = response;
    CLEANUP(strv_done) struct strv names = {0}, values = {0};
    for (size_t i = 0; i < in->n_tags; i++) {
        strv_add(&names, in->tags[i]->key);
        strv_add(&values, in->tags[i]->value);
    }
    Topodata__Tablet *tablet = NULL;
    TRY(tablet_change_tags(call->context, call->cancel, &names, &values, in->replace, &tablet));
    for (size_t i = 0; i < tablet->n_tags; i++)
        message_map_add(&tabletmanagerdata__change_tags_response__tags_entry__descriptor,
                        &out->n_tags, &out->tags, tablet->tags[i]->key, tablet->tags[i]->value);
    topodata__tablet__free_unpacked(tablet, NULL);
    return NULL;
}
