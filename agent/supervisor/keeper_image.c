/* Images of the running server. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/supervisor/image_store.h"
#include "agent/supervisor/keeper_private.h"

#define PAUSE_DEFAULT_MS 2000
#define PAUSE_MOST_MS 10000

char *
keeper_freeze_problem(struct keeper *keeper, bool probes_again)
{
    if (!keeper->was_probed || probes_again) {
        CLEANUP(image_places_done) struct image_places places = {.root_count = 0};
        CLEANUP(freep) char *text = keeper_config_text(keeper);
        struct error *error = image_places_read(keeper->layout, text, &places);
        if (error == NULL)
            error = image_store_probe(keeper->layout, &places);
        freep(&keeper->freeze_problem);
        keeper->freeze_problem = error != NULL ? xstrdup(error->message) : NULL;
        error_free(error);
        keeper->was_probed = true;
    }
    return keeper->freeze_problem != NULL ? xstrdup(keeper->freeze_problem) : NULL;
}

static struct error *
check_running(const struct keeper *keeper)
{
    if (keeper->mysqld.pid == 0 || mysqld_has_ended(&keeper->mysqld))
        return error_new(ERROR_FAILED_PRECONDITION,
                         "mysqld does not run: there is nothing to pause");
    if (keeper->mysqld.has_arguments)
        return error_new(ERROR_FAILED_PRECONDITION,
                         "mysqld (pid %d) was started with arguments of its own: it is not paused",
                         (int)keeper->mysqld.pid);
    return NULL;
}

/* A whole image appears under its name at once: what a killed supervisor leaves has another. */
static struct error *
take(struct keeper *keeper, const struct image_places *places, const char *path,
     int64_t most_pause_ms, struct freeze_result *ret_result)
{
    CLEANUP(freep) char *staging = xasprintf("%s.unfinished", path);
    TRY(file_remove_tree(staging));
    TRY(freeze_take(keeper->mysqld.pid, places->roots, places->root_count, staging, most_pause_ms,
                    ret_result));
    if (rename(staging, path) == 0)
        return NULL;
    struct error *error = error_from_errno(errno, "rename '%s'", staging);
    return error_first(error, file_remove_tree(staging));
}

struct error *
keeper_freeze(struct keeper *keeper, const char *image_name, int64_t most_pause_ms,
              struct cancel *cancel, char **ret_path, struct freeze_result *ret_result)
{
    CLEANUP(image_places_done) struct image_places places = {.root_count = 0};
    CLEANUP(freep) char *text = keeper_config_text(keeper);
    CLEANUP(freep) char *path = NULL;
    if (most_pause_ms <= 0 || most_pause_ms > PAUSE_MOST_MS)
        most_pause_ms = PAUSE_DEFAULT_MS;
    TRY(cancel_check(cancel)); /* nobody waits for it any more */
    TRY(check_running(keeper));
    TRY(image_store_path(keeper->layout, image_name, &path));
    TRY(image_places_read(keeper->layout, text, &places));
    TRY(image_store_drop(keeper->layout, image_name));
    TRY(image_store_probe(keeper->layout, &places));
    TRY(take(keeper, &places, path, most_pause_ms, ret_result));
    LOG_INFO("image", "mysqld (pid %d) was paused for %.1f ms: %zu files, %.1f MB in '%s'",
             (int)keeper->mysqld.pid, (double)ret_result->pause_us / 1000.0, ret_result->file_count,
             (double)ret_result->bytes / 1048576.0, path);
    *ret_path = path;
    path = NULL;
    return NULL;
}
