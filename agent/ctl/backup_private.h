/* Between the files of the backups' verbs. */
#ifndef VTAGENT_CTL_BACKUP_PRIVATE_H
#define VTAGENT_CTL_BACKUP_PRIVATE_H

#include "agent/ctl/session.h"
#include "backup/list.h"

/* storage_child.c: from here on a child does the verb; returns in the child, and where there is to
 * be none. */
struct error *storage_child_run(struct ctl *ctl) ERROR_MUST_CHECK;
/* Says what the storage does not answer, and ends the command. */
void storage_child_end_stuck(const char *text, void *data);
struct error *backup_open_storage(struct ctl *ctl, bool wants_write,
                                  struct storage **ret_storage) ERROR_MUST_CHECK;

/* ---- backup_list.c ---- */
struct error *backup_get_backups(struct ctl *ctl) ERROR_MUST_CHECK;
/* A table with a row for each, or what vtctldclient prints with --json and more. Ages are those at
 * now_ns. */
void backup_print_table(const struct backup_list *list, int64_t now_ns, FILE *stream);
void backup_print_json(const struct backup_list *list, const char *keyspace, const char *shard,
                       FILE *stream);

/* ---- backup_expire.c ---- */
struct error *backup_expire_backups(struct ctl *ctl) ERROR_MUST_CHECK;

#endif
