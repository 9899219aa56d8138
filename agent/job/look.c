/* Questions to the storage that belong to no job. A mount that hangs holds their worker, not us. */
#include <stdlib.h>
#include <string.h>

#include "agent/job/backup_line.h"
#include "agent/job/run.h"

struct error *
job_open_storage(struct tablet_context *context, bool wants_write, struct cancel *cancel)
{
    CLEANUP(job_run_done) struct job_run run;
    CLEANUP(job_options_done)
    struct worker_options options = job_worker_options(context, wants_write ? "open" : "open-read");
    job_run_init(&run, context, cancel, "look", NULL);
    return job_ask_worker(&run, &options, cancel);
}

static void
take_list(const struct job_run *run, struct backup_list *ret_list)
{
    struct backup_list list = {.items = xcalloc(run->result_keys.count + 1, sizeof(*list.items))};
    for (size_t i = 0; i < run->result_keys.count; i++) {
        if (strcmp(run->result_keys.items[i], "backup") == 0 &&
            backup_line_parse(run->result_values.items[i], &list.items[list.count]))
            list.count++;
    }
    *ret_list = list;
}

struct error *
job_look_at_backups(struct tablet_context *context, struct cancel *cancel, char **newest,
                    struct backup_list *ret_list, bool *ret_has_list)
{
    CLEANUP(job_run_done) struct job_run run;
    CLEANUP(job_options_done) struct worker_options options = job_worker_options(context, "look");
    job_run_init(&run, context, cancel, "look", NULL);
    if (*newest != NULL)
        options.name = xstrdup(*newest);
    struct error *error = job_ask_worker(&run, &options, cancel);
    bool is_empty = error_is(error, ERROR_NOT_FOUND);
    if (error != NULL && !is_empty)
        return error;
    error_free(error);
    *ret_has_list = is_empty || job_result(&run, "name")[0] != '\0';
    if (!*ret_has_list)
        return NULL;
    take_list(&run, ret_list);
    freep(newest);
    if (!is_empty)
        *newest = xstrdup(job_result(&run, "name"));
    return NULL;
}

struct error *
job_examine(struct tablet_context *context, struct cancel *cancel, check_report report, void *data,
            int64_t *ret_newest_ns)
{
    CLEANUP(job_run_done) struct job_run run;
    CLEANUP(job_options_done) struct worker_options options = job_worker_options(context, "doctor");
    job_run_init(&run, context, cancel, "doctor", NULL);
    run.on_check = report;
    run.check_data = data;
    struct error *error = job_ask_worker(&run, &options, cancel);
    *ret_newest_ns = strtoll(job_result(&run, "complete_ns"), NULL, 10);
    return error;
}
