#include "agent/job/worker_output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/file.h"
#include "agent/base/memory.h"

/* ---- The worker's side ---- */
static void
send_line(const struct worker_output *output, char *take_line)
{
    CLEANUP(freep) char *line = take_line;
    size_t length = strlen(line);
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    }
    line[length] = '\n'; /* in place of the NUL: one write, so that lines stay whole */
    struct error *error = file_write_all(output->descriptor, line, length + 1, "agent");
    if (error != NULL)
        cancel_request(output->cancel); /* nobody is there to finish the job for */
    error_free(error);
}

void
worker_output_progress(const struct worker_output *output, uint64_t done, uint64_t total,
                       const char *text)
{
    send_line(output, xasprintf("progress %" PRIu64 " %" PRIu64 " %s", done, total, text));
}

void
worker_output_log(const struct worker_output *output, int level, const char *text)
{
    send_line(output, xasprintf("log %d %s", level, text));
}

void
worker_output_result(const struct worker_output *output, const char *key, const char *value)
{
    send_line(output, xasprintf("result %s %s", key, value));
}

void
worker_output_check(const struct worker_output *output, const char *name,
                    const struct check_result *result)
{
    send_line(output, xasprintf("check %d %s %s\t%s", (int)result->verdict, name,
                                result->seen != NULL ? result->seen : "",
                                result->advice != NULL ? result->advice : ""));
}

void
worker_output_error(const struct worker_output *output, const struct error *error)
{
    send_line(output, xasprintf("error %d %s", (int)error->code, error->message));
}

void
worker_output_stuck(const struct worker_output *output, const char *text)
{
    send_line(output, xasprintf("stuck %s", text));
}

/* ---- The agent's side ---- */
/* Reads a number and the blank behind it. */
static bool
take_number(const char **line, uint64_t most, uint64_t *ret_number)
{
    char *end;
    if (**line < '0' || **line > '9')
        return false;
    unsigned long long number = strtoull(*line, &end, 10);
    if (number > most || *end != ' ')
        return false;
    *ret_number = number;
    *line = end + 1;
    return true;
}

static void
read_progress(const char *line, const struct worker_events *events)
{
    uint64_t done, total;
    if (take_number(&line, UINT64_MAX, &done) && take_number(&line, UINT64_MAX, &total) &&
        events->on_progress != NULL)
        events->on_progress(done, total, line, events->data);
}

static void
read_log(const char *line, const struct worker_events *events)
{
    uint64_t level;
    if (take_number(&line, 3, &level) && events->on_log != NULL)
        events->on_log((int)level, line, events->data);
}

static void
read_result(const char *line, const struct worker_events *events)
{
    const char *blank = strchr(line, ' ');
    if (blank == NULL || events->on_result == NULL)
        return;
    CLEANUP(freep) char *key = xstrndup(line, (size_t)(blank - line));
    events->on_result(key, blank + 1, events->data);
}

static void
read_check(const char *line, const struct worker_events *events)
{
    uint64_t verdict;
    if (events->on_check == NULL || !take_number(&line, CHECK_VERDICT_COUNT - 1, &verdict))
        return;
    const char *blank = strchr(line, ' '), *tab = strchr(line, '\t');
    if (blank == NULL || tab == NULL || tab < blank)
        return;
    CLEANUP(freep) char *name = xstrndup(line, (size_t)(blank - line));
    CLEANUP(check_result_done)
    struct check_result result = {.verdict = (enum check_verdict)verdict,
                                  .seen = xstrndup(blank + 1, (size_t)(tab - blank - 1)),
                                  .advice = xstrdup(tab + 1)};
    events->on_check(name, &result, events->data);
}

static void
read_error(const char *line, struct error **error)
{
    uint64_t code;
    if (!take_number(&line, ERROR_CLUSTER_EVENT, &code) || code == ERROR_OK)
        return;
    error_free(*error);
    *error = error_new((enum error_code)code, "%s", line);
}

bool
worker_output_read(const char *line, const struct worker_events *events, struct error **error)
{
    if (str_starts_with(line, "progress "))
        read_progress(line + strlen("progress "), events);
    else if (str_starts_with(line, "log "))
        read_log(line + strlen("log "), events);
    else if (str_starts_with(line, "result "))
        read_result(line + strlen("result "), events);
    else if (str_starts_with(line, "check "))
        read_check(line + strlen("check "), events);
    else if (str_starts_with(line, "error "))
        read_error(line + strlen("error "), error);
    if (!str_starts_with(line, "stuck "))
        return false;
    error_free(*error);
    *error = error_new(ERROR_UNAVAILABLE, "%s", line + strlen("stuck "));
    return true;
}
