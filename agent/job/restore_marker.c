#include "agent/job/restore_marker.h"

#include "agent/base/file.h"

#define MARKER_MODE 0660

static char *
path_of(const struct tablet_context *context)
{
    return xasprintf("%s/" RESTORE_MARKER_NAME, context->identity->tablet_directory);
}

bool
restore_marker_exists(const struct tablet_context *context)
{
    CLEANUP(freep) char *path = path_of(context);
    return file_exists(path);
}

struct error *
restore_marker_write(const struct tablet_context *context)
{
    CLEANUP(freep) char *path = path_of(context);
    return file_write_safely(path, "", 0, MARKER_MODE);
}

struct error *
restore_marker_remove(const struct tablet_context *context)
{
    CLEANUP(freep) char *path = path_of(context);
    TRY(file_remove(path));
    return file_sync_directory(context->identity->tablet_directory);
}
