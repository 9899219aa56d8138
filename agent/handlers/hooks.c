/* ExecuteHook: a failing hook is an answer, not an error. */
#include <string.h>

#include "agent/actions/hook.h"
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"

HANDLER(handle_execute_hook)
{
    const Tabletmanagerdata__ExecuteHookRequest *in = request;
    Tabletmanagerdata__ExecuteHookResponse *out = response;
    if (in->name[0] == '\0' || strchr(in->name, '/') != NULL)
        return error_new(ERROR_INVALID_ARGUMENT, "hook name must be a basename, got \"%.256s\"",
                         in->name);
    CLEANUP(strv_done) struct strv parameters = {0}, environment = {0};
    for (size_t i = 0; i < in->n_parameters; i++)
        strv_add(&parameters, in->parameters[i]);
    for (size_t i = 0; i < in->n_extra_env; i++)
        strv_addf(&environment, "%s=%s", in->extra_env[i]->key, in->extra_env[i]->value);
    strv_addf(&environment, "TABLET_ALIAS=%s", call->context->identity->alias_text);
    CLEANUP(hook_result_done) struct hook_result result = {0};
    hook_run(in->name, &parameters, &environment, call->cancel, &result);
    out->exit_status = result.exit_status;
    out->stdout = message_text(result.output);
    out->stderr = message_text(result.errors);
    return NULL;
}
