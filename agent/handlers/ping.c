/* Small calls about the tablet as such. */
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"

HANDLER(handle_ping)
{
    (void)call;
    const Tabletmanagerdata__PingRequest *in = request;
    Tabletmanagerdata__PingResponse *out = response;
    out->payload = message_text(in->payload);
    return NULL;
}

HANDLER(handle_sleep)
{
    (void)response;
    const Tabletmanagerdata__SleepRequest *in = request;
    return cancel_sleep_ms(call->cancel, in->duration > 0 ? in->duration / 1000000 : 0);
}

HANDLER(handle_run_health_check)
{
    (void)request;
    (void)response;
    tablet_poke_health(call->context);
    return NULL;
}
