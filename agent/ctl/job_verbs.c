/* What tablets are busy with for long, and how to end it. */
#include <stdlib.h>
#include <string.h>

#include "agent/ctl/json.h"
#include "agent/ctl/parallel.h"
#include "agent/ctl/print.h"
#include "agent/ctl/progress.h"
#include "vtagent_agent.pb-c.h"

/* ---- Listing ---- */
struct answer {
    Vtagent__JobsResponse *jobs;
    struct error *error;
};
struct asking {
    struct ctl *ctl;
    struct tablet_list tablets;
    struct answer *answers;
};

static void
asking_done(struct asking *asking)
{
    for (size_t i = 0; i < asking->tablets.count && asking->answers != NULL; i++) {
        record_freep(&asking->answers[i].jobs);
        error_free(asking->answers[i].error);
    }
    free(asking->answers);
    tablet_list_done(&asking->tablets);
}

/* One by its alias, those of a shard, or all. */
static struct error *
find_tablets(struct ctl *ctl, struct tablet_list *list)
{
    if (ctl->words.count == 0)
        return ctl_list_tablets(ctl, NULL, NULL, NULL, list);
    if (strchr(ctl->words.items[0], '/') != NULL) {
        CLEANUP(freep) char *keyspace = NULL;
        CLEANUP(freep) char *shard = NULL;
        TRY(ctl_parse_shard(ctl, ctl->words.items[0], &keyspace, &shard));
        return ctl_list_tablets(ctl, NULL, keyspace, shard, list);
    }
    Topodata__Tablet *tablet = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    list->items = xmalloc(sizeof(*list->items));
    list->items[0] = tablet;
    list->count = 1;
    return NULL;
}

static void
ask(size_t index, void *data)
{
    const struct asking *asking = data;
    struct ctl *ctl = asking->ctl;
    asking->answers[index].error =
        ctl_call(ctl, asking->tablets.items[index], "/vtagent.Agent/Jobs", NULL, ctl->cancel,
                 ctl->options.remote_timeout_ms, &asking->answers[index].jobs);
}

static char *
progress_text(const Vtagent__Job *job)
{
    if (job->bytes_total == 0)
        return xstrdup("");
    return xasprintf("%.1f%% of %llu MB",
                     (double)job->bytes_done * 100.0 / (double)job->bytes_total,
                     (unsigned long long)(job->bytes_total >> 20));
}

static char *
rate_text(const Vtagent__Job *job)
{
    if (job->rate_bytes_per_second == 0)
        return xstrdup("");
    return xasprintf("%.1f MB/s", (double)job->rate_bytes_per_second / 1048576.0);
}

static void
add_job_row(struct table *table, const char *alias, const Vtagent__Job *job)
{
    CLEANUP(freep) char *done = progress_text(job);
    CLEANUP(freep) char *rate = rate_text(job);
    CLEANUP(freep)
    char *left =
        job->remaining_seconds < 0 ? xstrdup("") : progress_duration(job->remaining_seconds * 1000);
    CLEANUP(freep) char *start = time_text(job->start_time);
    CLEANUP(freep) char *end = time_text(job->end_time);
    table_add(table, alias, job->id, job->state, job->phase, done, rate, left, start, end,
              job->backup_name, job->parameters, job->error, NULL);
}

static void
add_stuck_row(struct table *table, const char *alias, const Vtagent__StuckWorker *worker)
{
    CLEANUP(freep) char *name = xasprintf("worker %d", worker->pid);
    CLEANUP(freep) char *since = time_text(worker->since);
    table_add(table, alias, name, "stuck", "", "", "", "", since, "", "", "", worker->text, NULL);
}

static void
add_rows(struct table *table, const char *alias, const Vtagent__JobsResponse *jobs)
{
    for (size_t i = 0; i < jobs->n_stuck_workers; i++)
        add_stuck_row(table, alias, jobs->stuck_workers[i]);
    for (size_t i = 0; i < jobs->n_jobs; i++)
        add_job_row(table, alias, jobs->jobs[i]);
}

static void
print_jobs(const struct asking *asking)
{
    CLEANUP(table_done) struct table table = {0};
    table_add(&table, "TABLET", "JOB", "STATE", "PHASE", "DONE", "SPEED", "LEFT", "START", "END",
              "BACKUP", "PARAMETERS", "ERROR", NULL);
    for (size_t i = 0; i < asking->tablets.count; i++) {
        if (asking->answers[i].jobs != NULL)
            add_rows(&table, alias_text_of(asking->tablets.items[i]).text, asking->answers[i].jobs);
    }
    table_print(&table, asking->ctl->out);
}

/* Tablets that did not answer are null. */
static void
print_jobs_json(const struct asking *asking)
{
    CLEANUP(buffer_done) struct buffer json = BUFFER_INIT;
    buffer_append_text(&json, "{");
    for (size_t i = 0; i < asking->tablets.count; i++) {
        const Vtagent__JobsResponse *jobs = asking->answers[i].jobs;
        buffer_append_text(&json, i == 0 ? "\n  " : ",\n  ");
        buffer_append_json_string(&json, alias_text_of(asking->tablets.items[i]).text);
        buffer_append_text(&json, ": ");
        json_append_message(&json, jobs == NULL ? NULL : &jobs->base, 2);
    }
    buffer_append_text(&json, "\n}\n");
    fputs(buffer_text(&json), asking->ctl->out);
}

/* Tablets that do not answer fail the verb, after those that do were shown. */
static struct error *
take_failure(struct asking *asking)
{
    struct error *first = NULL;
    for (size_t i = 0; i < asking->tablets.count; i++) {
        struct error *error = asking->answers[i].error;
        asking->answers[i].error = NULL;
        if (error != NULL && asking->tablets.count > 1)
            ctl_warn(asking->ctl, "%s", error->message);
        first = error_first(first, error);
    }
    return first;
}

static struct error *
jobs(struct ctl *ctl)
{
    CLEANUP(asking_done) struct asking asking = {.ctl = ctl};
    TRY(find_tablets(ctl, &asking.tablets));
    asking.answers = xcalloc(asking.tablets.count + 1, sizeof(*asking.answers));
    parallel_run(asking.tablets.count, ask, &asking);
    if (ctl->options.wants_json)
        print_jobs_json(&asking);
    else
        print_jobs(&asking);
    return take_failure(&asking);
}

/* ---- Ending ---- */
static struct error *
cancel_job(struct ctl *ctl)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    CLEANUP(record_freep) Vtagent__CancelJobResponse *response = NULL;
    Vtagent__CancelJobRequest request = VTAGENT__CANCEL_JOB_REQUEST__INIT;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    request.id = ctl->words.items[1];
    TRY(ctl_call(ctl, tablet, "/vtagent.Agent/CancelJob", &request.base, ctl->cancel, 0,
                 &response));
    if (ctl->options.wants_json) {
        print_message(ctl, &response->base);
        return NULL;
    }
    for (size_t i = 0; i < response->n_jobs; i++)
        fprintf(ctl->out, "%s: %s\n", response->jobs[i]->id, response->jobs[i]->state);
    if (response->n_jobs == 0)
        ctl_note(ctl, "no job runs");
    return NULL;
}

/* ---- The table ---- */
#define BACKUPS "Backups"
static const struct ctl_verb verbs[] = {
    {"CancelJob", NULL, BACKUPS, "TABLET JOB|all", "ends a job; answers when it has ended", NULL, 0,
     2, 2, cancel_job, false},
    {"Jobs", NULL, BACKUPS, "[TABLET|KEYSPACE/SHARD]",
     "shows backups, restores and verifications that run or ran", NULL, 0, 0, 1, jobs, false},
};

struct ctl_family
job_verbs(void)
{
    return (struct ctl_family){verbs, ARRAY_LENGTH(verbs)};
}
