/* The file that says that the server's data is incomplete. Vitess's programs look for this very
 * name and place. */
#ifndef VTAGENT_JOB_RESTORE_MARKER_H
#define VTAGENT_JOB_RESTORE_MARKER_H

#include "agent/tablet/tablet.h"

#define RESTORE_MARKER_NAME "restore_in_progress"

bool restore_marker_exists(const struct tablet_context *context);
struct error *restore_marker_write(const struct tablet_context *context) ERROR_MUST_CHECK;
struct error *restore_marker_remove(const struct tablet_context *context) ERROR_MUST_CHECK;

#endif
