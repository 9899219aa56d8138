/* vtagent.Supervisor: the status, and images of the running server. */
#include <stdlib.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/supervisor/image_store.h"
#include "agent/supervisor/mysqld.h"
#include "agent/supervisor/proof.h"
#include "agent/supervisor/service_methods.h"
#include "vtagent_supervisor.pb-c.h"

#define ANSWER_WAIT_MS 5000

static bool
answers(struct keeper *keeper, const struct keeper_status *status)
{
    if (!status->is_booted || status->pid == 0)
        return false;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new(clock_monotonic_ms() + ANSWER_WAIT_MS);
    const struct supervisor_options *options = keeper_options(keeper);
    return mysqld_answers(status->socket, options->dba_user, options->dba_password, cancel);
}

void
service_status(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Vtagent__SupervisorStatusRequest *request =
        (const Vtagent__SupervisorStatusRequest *)message;
    CLEANUP(keeper_status_done) struct keeper_status now;
    CLEANUP(freep) char *problem = keeper_freeze_problem(keeper, request->probe_again);
    keeper_get_status(keeper, &now);
    const struct server_binary *server = keeper_server(keeper);
    Vtagent__SupervisorStatusResponse response = VTAGENT__SUPERVISOR_STATUS_RESPONSE__INIT;
    response.is_running = answers(keeper, &now);
    response.mysqld_pid = now.pid;
    response.restarts = now.restarts;
    response.last_exit = now.last_exit;
    response.flavor = (char *)(server->flavor == DIALECT_MARIADB ? "mariadb" : "mysql");
    response.version = server->version;
    response.can_freeze = problem == NULL;
    response.freeze_reason = problem != NULL ? problem : (char *)"";
    rpc_call_finish(call, &response.base, NULL);
}

void
service_freeze(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Vtagent__FreezeRequest *request = (const Vtagent__FreezeRequest *)message;
    Vtagent__FreezeResponse response = VTAGENT__FREEZE_RESPONSE__INIT;
    CLEANUP(freep) char *path = NULL;
    struct freeze_result result = {.pause_us = 0};
    struct error *error = keeper_freeze(keeper, request->image_name, request->most_pause_ms,
                                        rpc_call_cancel(call), &path, &result);
    response.image_path = path != NULL ? path : (char *)"";
    response.pause_us = result.pause_us;
    response.files = (int64_t)result.file_count;
    response.bytes = (int64_t)result.bytes;
    rpc_call_finish(call, &response.base, error);
}

static struct error *
make_image(struct keeper *keeper, const char *name, char **ret_path)
{
    CLEANUP(image_places_done) struct image_places places = {.root_count = 0};
    CLEANUP(freep) char *text = keeper_config_text(keeper);
    TRY(image_places_read(keeper_layout(keeper), text, &places));
    return image_store_make(keeper_layout(keeper), &places, name, ret_path);
}

void
service_new_image(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Vtagent__NewImageRequest *request = (const Vtagent__NewImageRequest *)message;
    Vtagent__NewImageResponse response = VTAGENT__NEW_IMAGE_RESPONSE__INIT;
    CLEANUP(freep) char *path = NULL;
    struct error *error = make_image(keeper, request->image_name, &path);
    response.image_path = path != NULL ? path : (char *)"";
    rpc_call_finish(call, &response.base, error);
}

void
service_drop_image(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Vtagent__DropImageRequest *request = (const Vtagent__DropImageRequest *)message;
    Vtagent__DropImageResponse response = VTAGENT__DROP_IMAGE_RESPONSE__INIT;
    rpc_call_finish(call, &response.base,
                    image_store_drop(keeper_layout(keeper), request->image_name));
}

static struct error *
prove(struct keeper *keeper, const Vtagent__ProveImageRequest *request, struct cancel *cancel,
      struct proof_result *ret_result)
{
    const struct supervisor_options *options = keeper_options(keeper);
    CLEANUP(freep) char *text = keeper_config_text(keeper);
    const struct proof_request wanted = {.layout = keeper_layout(keeper),
                                         .server = keeper_server(keeper),
                                         .user = options->dba_user,
                                         .password = options->dba_password,
                                         .my_cnf_text = text,
                                         .image_name = request->image_name,
                                         .position = request->position,
                                         .checks_tables = request->checks_tables};
    return proof_run(&wanted, cancel, ret_result);
}

void
service_prove_image(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    Vtagent__ProveImageResponse response = VTAGENT__PROVE_IMAGE_RESPONSE__INIT;
    CLEANUP(proof_result_done) struct proof_result result = {.milliseconds = 0};
    struct error *error =
        prove(keeper, (const Vtagent__ProveImageRequest *)message, rpc_call_cancel(call), &result);
    bool is_no_good = error_is(error, ERROR_DATA_LOSS);
    response.problem = is_no_good ? error->message : (char *)"";
    response.milliseconds = result.milliseconds;
    response.tables = result.table_count;
    response.position = result.position != NULL ? result.position : (char *)"";
    if (error == NULL)
        LOG_INFO("image", "the image is proven: recovered, %lld tables opened, ended in %lld ms",
                 (long long)result.table_count, (long long)result.milliseconds);
    rpc_call_finish(call, &response.base, is_no_good ? NULL : error);
    if (is_no_good)
        log_error_take(LOG_LEVEL_ERROR, "image", error, "proof");
}
