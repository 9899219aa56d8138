/* vtagent.Supervisor: what Vitess's mysqlctld does not have. */
#include "agent/base/memory.h"
#include "agent/tmclient/mysqlctl_private.h"
#include "vtagent_supervisor.pb-c.h"

struct error *
supervisor_status(struct mysqlctl_client *client, struct cancel *cancel, bool probes_again,
                  struct supervisor_state *ret_state)
{
    Vtagent__SupervisorStatusRequest request = VTAGENT__SUPERVISOR_STATUS_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    request.probe_again = probes_again;
    TRY(mysqlctl_call(client, "/vtagent.Supervisor/Status", &request.base,
                      &vtagent__supervisor_status_response__descriptor, cancel, &message));
    const Vtagent__SupervisorStatusResponse *response = (void *)message;
    *ret_state = (struct supervisor_state){.is_running = response->is_running,
                                           .can_freeze = response->can_freeze,
                                           .mysqld_pid = response->mysqld_pid,
                                           .restarts = response->restarts,
                                           .freeze_reason = xstrdup(response->freeze_reason)};
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}

void
supervisor_state_done(struct supervisor_state *state)
{
    freep(&state->freeze_reason);
}

struct error *
supervisor_freeze(struct mysqlctl_client *client, struct cancel *cancel, const char *image_name,
                  int64_t most_pause_ms, struct supervisor_image *ret_image)
{
    Vtagent__FreezeRequest request = VTAGENT__FREEZE_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    request.image_name = (char *)image_name;
    request.most_pause_ms = most_pause_ms;
    TRY(mysqlctl_call(client, "/vtagent.Supervisor/Freeze", &request.base,
                      &vtagent__freeze_response__descriptor, cancel, &message));
    const Vtagent__FreezeResponse *response = (void *)message;
    *ret_image = (struct supervisor_image){.path = xstrdup(response->image_path),
                                           .pause_us = response->pause_us,
                                           .file_count = response->files,
                                           .bytes = response->bytes};
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}

void
supervisor_image_done(struct supervisor_image *image)
{
    freep(&image->path);
}

struct error *
supervisor_new_image(struct mysqlctl_client *client, struct cancel *cancel, const char *image_name,
                     char **ret_path)
{
    Vtagent__NewImageRequest request = VTAGENT__NEW_IMAGE_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    request.image_name = (char *)image_name;
    TRY(mysqlctl_call(client, "/vtagent.Supervisor/NewImage", &request.base,
                      &vtagent__new_image_response__descriptor, cancel, &message));
    *ret_path = xstrdup(((const Vtagent__NewImageResponse *)(void *)message)->image_path);
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}

struct error *
supervisor_drop_image(struct mysqlctl_client *client, struct cancel *cancel, const char *image_name)
{
    Vtagent__DropImageRequest request = VTAGENT__DROP_IMAGE_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    request.image_name = (char *)image_name;
    TRY(mysqlctl_call(client, "/vtagent.Supervisor/DropImage", &request.base,
                      &vtagent__drop_image_response__descriptor, cancel, &message));
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}

struct error *
supervisor_prove_image(struct mysqlctl_client *client, struct cancel *cancel,
                       const char *image_name, bool checks_tables, const char *position,
                       struct supervisor_proof *ret_proof)
{
    Vtagent__ProveImageRequest request = VTAGENT__PROVE_IMAGE_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    request.image_name = (char *)image_name;
    request.checks_tables = checks_tables;
    request.position = (char *)position;
    TRY(mysqlctl_call(client, "/vtagent.Supervisor/ProveImage", &request.base,
                      &vtagent__prove_image_response__descriptor, cancel, &message));
    const Vtagent__ProveImageResponse *response = (void *)message;
    struct error *error = NULL;
    if (response->problem[0] != '\0')
        error = error_new(ERROR_DATA_LOSS, "%s", response->problem);
    else
        *ret_proof = (struct supervisor_proof){.milliseconds = response->milliseconds,
                                               .table_count = response->tables,
                                               .position = xstrdup(response->position)};
    protobuf_c_message_free_unpacked(message, NULL);
    return error;
}

void
supervisor_proof_done(struct supervisor_proof *proof)
{
    freep(&proof->position);
}
