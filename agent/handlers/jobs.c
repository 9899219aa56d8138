/* Jobs: following them, listing them, ending them. */
#include <stdlib.h>

#include "agent/base/log.h"
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"
#include "vtagent_agent.pb-c.h"

#define COMPONENT "jobs"
#define CANCEL_MOST_MS 300000

/* ---- Following ---- */
static void
on_line(int level, const char *text, void *data)
{
    handler_send_event(data, level, text);
}

static void
say_attached(struct handler_call *call, struct job *job)
{
    struct job_view view;
    job_read(job, &view);
    CLEANUP(freep) char *what = job_describe(&view);
    CLEANUP(freep) char *text = xasprintf("attached to the running %s", what);
    LOG_INFO(COMPONENT, "%s: %s", rpc_call_peer(call->rpc), text);
    handler_send_event(call, LINE_INFO, text);
}

struct error *
handler_run_job(struct handler_call *call, const struct job_plan *plan)
{
    CLEANUP(job_unrefp) struct job *job = NULL;
    bool is_attached = false, has_ended = false;
    TRY(job_start(call->context->jobs, plan, &job, &is_attached));
    if (is_attached)
        say_attached(call, job);
    struct error *error = job_follow(job, is_attached ? JOB_LINES_FROM_NOW : 0, call->cancel,
                                     on_line, call, &has_ended);
    if (has_ended)
        return error;
    struct job_view view;
    job_read(job, &view);
    LOG_INFO(COMPONENT, "a caller does not follow '%s' any more (%s): the job goes on", view.id,
             error->message);
    return error_wrap(error, "job '%s' goes on without this caller", view.id);
}

/* ---- Listing and ending ---- */
static Vtagent__Job *
job_message(const struct job_view *view)
{
    Vtagent__Job *job = message_new(&vtagent__job__descriptor);
    job->id = message_text(view->id);
    job->kind = message_text(job_kind_name(view->kind));
    job->parameters = message_text(view->parameters);
    job->state = message_text(job_state_name(view->state));
    job->phase = message_text(view->phase);
    job->backup_name = message_text(view->backup_name);
    job->bytes_done = view->done_bytes;
    job->bytes_total = view->total_bytes;
    job->rate_bytes_per_second = view->rate_bytes_per_second;
    job->remaining_seconds = view->remaining_seconds;
    job->start_time = message_time(view->start_time_ns);
    if (view->end_time_ns != 0)
        job->end_time = message_time(view->end_time_ns);
    job->error_code = (int32_t)view->error_code;
    job->error = message_text(view->error);
    job->last_line = message_text(view->last_line);
    return job;
}

static Vtagent__StuckWorker *
stuck_message(const struct job_stray *stray)
{
    Vtagent__StuckWorker *worker = message_new(&vtagent__stuck_worker__descriptor);
    worker->pid = stray->pid;
    worker->since = message_time(stray->since_ns);
    worker->text = message_text(stray->text);
    return worker;
}

HANDLER(handle_jobs)
{
    (void)request;
    Vtagent__JobsResponse *out = response;
    struct job_summary summary;
    job_registry_read(call->context->jobs, &summary);
    for (size_t i = 0; i < summary.count; i++)
        message_append(&out->n_jobs, &out->jobs, job_message(&summary.views[i]));
    for (size_t i = 0; i < summary.stray_count; i++)
        message_append(&out->n_stuck_workers, &out->stuck_workers,
                       stuck_message(&summary.strays[i]));
    return NULL;
}

HANDLER(handle_cancel_job)
{
    const Vtagent__CancelJobRequest *in = request;
    Vtagent__CancelJobResponse *out = response;
    if (str_is_empty(in->id))
        return error_new(ERROR_INVALID_ARGUMENT, "expected a job's id, or 'all'");
    LOG_INFO(COMPONENT, "%s asks to cancel '%s'", rpc_call_peer(call->rpc), in->id);
    struct job_view views[JOB_KIND_COUNT];
    size_t count = 0;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(call->cancel, CANCEL_MOST_MS);
    TRY(job_registry_cancel(call->context->jobs, in->id, cancel, views, &count));
    for (size_t i = 0; i < count; i++)
        message_append(&out->n_jobs, &out->jobs, job_message(&views[i]));
    return NULL;
}
