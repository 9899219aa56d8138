/* A stored backup as one line from a worker to the agent: what health and the pages show of it. */
#ifndef VTAGENT_JOB_BACKUP_LINE_H
#define VTAGENT_JOB_BACKUP_LINE_H

#include "backup/list.h"

/* Caller frees. */
char *backup_line_print(const struct backup_summary *backup);
/* False, and nothing to free: it makes no sense. What the line does not tell stays zero; `problem`
 * is the verdict's too. */
bool backup_line_parse(const char *line, struct backup_summary *ret_backup);

#endif
