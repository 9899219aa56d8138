/* VerifyBackup: checks of the request; the work is a job's, without the action lock. */
#include <stdlib.h>
#include <string.h>

#include "agent/handlers/service.h"
#include "agent/job/job.h"
#include "vtagent_agent.pb-c.h"

struct verify_call {
    struct tablet_context *context;
    struct verify_request wanted;
};

static void
verify_call_free(void *data)
{
    struct verify_call *verify = data;
    free(verify->wanted.keyspace);
    free(verify->wanted.shard);
    free(verify->wanted.name);
    free(verify->wanted.mode);
    free(verify);
}

static struct error *
run(struct job *job, void *data)
{
    const struct verify_call *verify = data;
    return job_verify(verify->context, job, &verify->wanted);
}

static struct error *
mode_of(const Vtagent__VerifyBackupRequest *in, const char **ret_mode)
{
    bool is_size = strcmp(in->mode, "size") == 0;
    if (!is_size && in->mode[0] != '\0' && strcmp(in->mode, "full") != 0)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "'%.40s' is no way to verify a backup: expected size or full", in->mode);
    if (in->restores && is_size)
        return error_new(ERROR_INVALID_ARGUMENT, "a restored backup was read in full: ask for "
                                                 "sizes alone, or for a restore");
    *ret_mode = in->restores ? "restore" : is_size ? "size" : "full";
    return NULL;
}

HANDLER(handle_verify_backup)
{
    (void)response;
    const Vtagent__VerifyBackupRequest *in = request;
    const struct tablet_identity *identity = call->context->identity;
    bool is_latest = strcmp(in->name, "latest") == 0;
    const char *mode = NULL;
    if (str_is_empty(in->keyspace) != str_is_empty(in->shard))
        return error_new(ERROR_INVALID_ARGUMENT, "expected keyspace and shard, or neither");
    TRY(mode_of(in, &mode));
    struct verify_call *verify = xcalloc(1, sizeof(*verify));
    verify->context = call->context;
    verify->wanted = (struct verify_request){
        .keyspace = xstrdup(in->keyspace[0] != '\0' ? in->keyspace : identity->keyspace),
        .shard = xstrdup(in->shard[0] != '\0' ? in->shard : identity->shard),
        .name = xstrdup(is_latest ? "" : in->name),
        .mode = xstrdup(mode),
    };
    CLEANUP(freep) char *parameters = job_verify_parameters(&verify->wanted);
    const struct job_plan plan = {
        .kind = JOB_VERIFY,
        .parameters = parameters,
        .first = {call->context->job_worker, run},
        .data = verify,
        .free_data = verify_call_free,
    };
    return handler_run_job(call, &plan);
}
