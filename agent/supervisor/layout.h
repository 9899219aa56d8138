/* Where a tablet's files are: Vitess's folder structure below VTDATAROOT. */
#ifndef VTAGENT_SUPERVISOR_LAYOUT_H
#define VTAGENT_SUPERVISOR_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/error.h"

struct layout {
    char *root;      /* VTDATAROOT */
    char *directory; /* <root>/vt_<uid, ten digits> */
    char *data, *innodb_data, *innodb_logs, *bin_logs, *relay_logs, *tmp;
    char *my_cnf, *socket, *pid_file, *error_log, *slow_log, *general_log;
    char *control_socket;       /* the supervisor's own service */
    char *lock_file;            /* held by the one supervisor of this folder */
    char *initialise_marker;    /* exists while the data directory is being made */
    char *initialise_directory; /* private to us: socket and pid file of the server that sets up */
    char *restore_marker;       /* Vitess's restore_in_progress: data are incomplete */
    uint32_t uid;
};

/* tablet_dir: NULL, a folder below root, or an absolute path. socket and control_socket: NULL for
 * the usual places. */
void layout_init(struct layout *layout, const char *root, uint32_t uid, const char *tablet_dir,
                 const char *socket, const char *control_socket);
void layout_done(struct layout *layout);

/* Creates what is missing. A folder of the same name directly below VTDATAROOT (data, innodb,
 * bin-logs, relay-logs: other disks) makes the tablet's a link to <that>/vt_<uid>. Refuses folders
 * that belong to somebody else or cannot be written, and says what to do. */
struct error *layout_create(const struct layout *layout) ERROR_MUST_CHECK;

/* Empties the folders that a server writes into; links stay links. */
struct error *layout_wipe(const struct layout *layout) ERROR_MUST_CHECK;

/* What is in the data folder. */
enum layout_data { LAYOUT_DATA_EMPTY, LAYOUT_DATA_SERVER, LAYOUT_DATA_OTHER };
struct error *layout_inspect(const struct layout *layout,
                             enum layout_data *ret_data) ERROR_MUST_CHECK;

#endif
