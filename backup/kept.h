/* Which chunks of a backup the files on disk hold already: found once, by reading them all, and
 * remembered in a local file from the check before a restore to the restore itself. */
#ifndef VTAGENT_BACKUP_KEPT_H
#define VTAGENT_BACKUP_KEPT_H

#include "backup/backup.h"
#include "backup/manifest.h"

struct kept;
/* None are. The manifest must outlive it. */
struct kept *kept_new(const struct manifest *manifest);
void kept_free(struct kept *kept);
/* The chunk at this offset of an entry's plain bytes. Any thread, each chunk by one. */
void kept_set(struct kept *kept, size_t entry, uint64_t offset);
bool kept_has(const struct kept *kept, size_t entry, uint64_t offset);
/* With what tells whether the files are still the same ones. */
struct error *kept_save(const struct kept *kept, const struct backup_directories *directories,
                        const char *path) ERROR_MUST_CHECK;
/* NULL: there is no such file, it is of another backup, or the files are not those any more. */
struct kept *kept_load(const struct manifest *manifest,
                       const struct backup_directories *directories, const char *path);

#endif
