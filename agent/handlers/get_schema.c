/* GetSchema and ReloadSchema. */
#include "agent/handlers/schema.h"
#include "agent/handlers/service.h"

HANDLER(handle_get_schema)
{
    Tabletmanagerdata__GetSchemaResponse *out = response;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    return schema_read(dba.db, call->cancel, call->context->identity->database, request,
                       &out->schema_definition);
}

/* There is no schema cache to reload; callers rely on the wait. */
HANDLER(handle_reload_schema)
{
    (void)response;
    const Tabletmanagerdata__ReloadSchemaRequest *in = request;
    if (str_is_empty(in->wait_position))
        return NULL;
    CLEANUP(position_freep) struct position *position = NULL;
    TRY(position_parse(in->wait_position, &position));
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    return replication_wait_for_position(dba.db, call->cancel, position);
}
