/* Where images are: <tablet's folder>/vtagent_image/<name>, one for the job that wants it. What no
 * job owns is removed at the supervisor's start. Blocking; any thread, one at a time. */
#ifndef VTAGENT_SUPERVISOR_IMAGE_STORE_H
#define VTAGENT_SUPERVISOR_IMAGE_STORE_H

#include "agent/base/memory.h"
#include "agent/supervisor/image.h"
#include "agent/supervisor/layout.h"

#define IMAGE_FOLDER_NAME "vtagent_image"
/* The agent's journal of a running job; its "image_name" is the image that stays. */
#define IMAGE_JOURNAL_NAME "vtagent_job.json"

/* The server's folders as my.cnf has them, and their places in an image. */
struct image_places {
    char *data, *innodb_data, *innodb_logs, *undo;
    struct image_root roots[3]; /* each folder once; redo last */
    size_t root_count;
};
/* `my_cnf_text` may be NULL: the layout's folders. FAILED_PRECONDITION when the server keeps files
 * where an image cannot take them from: one folder inside another, undo logs of their own. */
struct error *image_places_read(const struct layout *layout, const char *my_cnf_text,
                                struct image_places *ret_places) ERROR_MUST_CHECK;
void image_places_done(struct image_places *places);

/* The folder of an image; INVALID_ARGUMENT unless the name is one safe path component. Caller
 * frees. */
struct error *image_store_path(const struct layout *layout, const char *name,
                               char **ret_path) ERROR_MUST_CHECK;
/* Whether images of these folders can be made: image_probe on each. */
struct error *image_store_probe(const struct layout *layout,
                                const struct image_places *places) ERROR_MUST_CHECK;
/* An empty image with the folders of the server's, in place of an earlier one. Caller frees the
 * path. */
struct error *image_store_make(const struct layout *layout, const struct image_places *places,
                               const char *name, char **ret_path) ERROR_MUST_CHECK;
/* Ends a server that was left running on it, and removes it; a missing one is success. */
struct error *image_store_drop(const struct layout *layout, const char *name) ERROR_MUST_CHECK;
/* Ends servers on images, and removes all images but the one that the journal names. */
struct error *image_store_clean(const struct layout *layout) ERROR_MUST_CHECK;
/* The "image_name" of a journal's text; NULL when it has none. Caller frees. Pure. */
char *image_store_wanted(const char *journal_text);

#endif
