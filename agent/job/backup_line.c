#include "agent/job/backup_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/memory.h"

char *
backup_line_print(const struct backup_summary *backup)
{
    const struct verdict_sum *verdict = &backup->verdict;
    const char *problem = verdict->has_failed ? verdict->problem : backup->problem;
    return xasprintf("%" PRId64 " %" PRId64 " %" PRIu64 " %d %d %d %d %" PRId64 "\t%s\t%s\t%s",
                     backup->time_ns, backup->duration_ms, backup->stored_bytes, (int)backup->state,
                     backup->is_incremental, verdict->has_failed, (int)verdict->mode,
                     verdict->time_ns, backup->name, backup->proof != NULL ? backup->proof : "",
                     problem != NULL ? problem : "");
}

static char *
take_field(const char **at)
{
    const char *start = *at, *end = strchrnul(start, '\t');
    *at = *end == '\0' ? end : end + 1;
    return xstrndup(start, (size_t)(end - start));
}

bool
backup_line_parse(const char *line, struct backup_summary *ret_backup)
{
    struct backup_summary backup = {.unavailable_ms = -1};
    int state, is_incremental, has_failed, mode;
    const char *at = strchr(line, '\t');
    if (at == NULL || sscanf(line, "%" SCNd64 " %" SCNd64 " %" SCNu64 " %d %d %d %d %" SCNd64,
                             &backup.time_ns, &backup.duration_ms, &backup.stored_bytes, &state,
                             &is_incremental, &has_failed, &mode, &backup.verdict.time_ns) != 8)
        return false;
    backup.state = (enum backup_state)state;
    backup.is_incremental = is_incremental != 0;
    backup.verdict.has_failed = has_failed != 0;
    backup.verdict.mode = (enum verdict_mode)mode;
    at++;
    backup.name = take_field(&at);
    backup.proof = take_field(&at);
    backup.problem = take_field(&at);
    backup.verdict.problem = xstrdup(backup.problem);
    *ret_backup = backup;
    return true;
}
