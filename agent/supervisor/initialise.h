/* Makes a new data directory. Blocking. */
#ifndef VTAGENT_SUPERVISOR_INITIALISE_H
#define VTAGENT_SUPERVISOR_INITIALISE_H

#include "agent/base/cancel.h"
#include "agent/base/error.h"
#include "agent/supervisor/layout.h"
#include "agent/supervisor/server_binary.h"

/* my.cnf is there. From scratch: the marker file is written first and removed last, what lies in
 * the folders is removed, processes of an earlier try are killed. The server that runs the script
 * has no TCP and its socket in a folder that only this user can enter, so that nobody meets it half
 * done. `script_file` NULL or "": the built-in accounts. */
struct error *initialise_data(const struct layout *layout, const struct server_binary *server,
                              const char *script_file, struct cancel *cancel) ERROR_MUST_CHECK;

#endif
