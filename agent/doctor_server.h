/* The doctor's rows about mysqld: its accounts, and whether its binary logs reach back to the last
 * backup. */
#ifndef VTAGENT_DOCTOR_SERVER_H
#define VTAGENT_DOCTOR_SERVER_H

#include "agent/config.h"
#include "backup/check.h"

/* newest_backup_ns: when the newest complete one was taken; 0: there is none. */
void doctor_examine_server(const struct config *config, int64_t newest_backup_ns,
                           check_report report, void *data);

#endif
