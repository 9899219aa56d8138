/* Backups: taken and restored by tablets, removed here. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/ctl/backup_private.h"
#include "agent/ctl/parallel.h"
#include "agent/ctl/progress.h"
#include "agent/ctl/shard.h"
#include "vtagent_agent.pb-c.h"

/* ---- Taking ---- */

static void
show_event(const Logutil__Event *event, void *data)
{
    progress_show(data, event->level, event->value);
}

/* Whoever stops looking does not stop the tablet. */
static void
note_going_on(struct ctl *ctl, const Topodata__Tablet *tablet, const struct error *error)
{
    if (error == NULL || !cancel_is_requested(ctl->cancel))
        return;
    struct alias_text alias = alias_text_of(tablet);
    ctl_warn(ctl,
             "the tablet goes on by itself: 'vtagent ctl Jobs %s' shows it, 'vtagent ctl CancelJob "
             "%s all' ends it",
             alias.text, alias.text);
}

static struct error *
take_backup(struct ctl *ctl, const Topodata__Tablet *tablet)
{
    const struct ctl_options *options = &ctl->options;
    if (options->concurrency < 0 || options->concurrency > 1024)
        return ctl_wrong_use(ctl, "--concurrency must be from 1 to 1024");
    Tabletmanagerdata__BackupRequest request = TABLETMANAGERDATA__BACKUP_REQUEST__INIT;
    request.concurrency = (int32_t)options->concurrency;
    request.allow_primary = options->allows_primary;
    request.upgrade_safe = options->is_upgrade_safe;
    if (options->incremental_from != NULL)
        request.incremental_from_pos = options->incremental_from;
    struct progress *progress = progress_new(ctl);
    struct error *error = tm_call_events(ctl->client, tablet, "Backup", &request.base,
                                         &tabletmanagerdata__backup_response__descriptor,
                                         ctl->cancel, show_event, progress);
    progress_free(progress);
    note_going_on(ctl, tablet, error);
    return error;
}

static struct error *
backup(struct ctl *ctl)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    return take_backup(ctl, tablet);
}

struct candidate {
    bool is_usable;
    uint32_t lag_seconds;
    struct error *error;
};

struct search {
    struct ctl *ctl;
    const struct shard_view *view;
    struct candidate *candidates;
};

static void
ask_lag(size_t index, void *data)
{
    const struct search *search = data;
    const Topodata__Tablet *tablet = search->view->tablets.items[index];
    struct candidate *candidate = &search->candidates[index];
    if (tablet->type != TOPODATA__TABLET_TYPE__REPLICA &&
        tablet->type != TOPODATA__TABLET_TYPE__RDONLY &&
        tablet->type != TOPODATA__TABLET_TYPE__SPARE)
        return;
    CLEANUP(record_freep) Tabletmanagerdata__ReplicationStatusResponse *response = NULL;
    candidate->error = ctl_call(search->ctl, tablet, "ReplicationStatus", NULL, search->ctl->cancel,
                                search->ctl->options.remote_timeout_ms, &response);
    if (candidate->error != NULL || response->status == NULL)
        return;
    candidate->is_usable = !response->status->replication_lag_unknown;
    candidate->lag_seconds = response->status->replication_lag_seconds;
}

/* Rdonly and spare tablets serve no clients that wait: they go first when the lag is the same. */
static bool
is_better(const struct search *search, size_t a, size_t b)
{
    const struct candidate *left = &search->candidates[a], *right = &search->candidates[b];
    if (left->lag_seconds != right->lag_seconds)
        return left->lag_seconds < right->lag_seconds;
    bool left_serves = search->view->tablets.items[a]->type == TOPODATA__TABLET_TYPE__REPLICA;
    bool right_serves = search->view->tablets.items[b]->type == TOPODATA__TABLET_TYPE__REPLICA;
    return !left_serves && right_serves;
}

static struct error *
choose_tablet(struct ctl *ctl, const struct shard_view *view, size_t *ret_index)
{
    CLEANUP(freep)
    struct candidate *candidates = xcalloc(view->tablets.count + 1, sizeof(*candidates));
    struct search search = {ctl, view, candidates};
    parallel_run(view->tablets.count, ask_lag, &search);
    size_t best = SHARD_VIEW_NONE, primary = SHARD_VIEW_NONE;
    for (size_t i = 0; i < view->tablets.count; i++) {
        ctl_warn_take(ctl, candidates[i].error);
        if (view->tablets.items[i]->type == TOPODATA__TABLET_TYPE__PRIMARY)
            primary = i;
        if (candidates[i].is_usable && (best == SHARD_VIEW_NONE || is_better(&search, i, best)))
            best = i;
    }
    if (best == SHARD_VIEW_NONE && ctl->options.allows_primary)
        best = primary;
    if (best == SHARD_VIEW_NONE)
        return error_new(ERROR_FAILED_PRECONDITION, "no tablet of '%s/%s' is fit for a backup",
                         view->keyspace, view->shard);
    *ret_index = best;
    return NULL;
}

static struct error *
backup_shard(struct ctl *ctl)
{
    CLEANUP(shard_view_done) struct shard_view view = {0};
    TRY(shard_view_open(ctl, ctl->words.items[0], NULL, &view));
    size_t chosen = 0;
    TRY(choose_tablet(ctl, &view, &chosen));
    ctl_note(ctl, "backing up %s", alias_text_of(view.tablets.items[chosen]).text);
    return take_backup(ctl, view.tablets.items[chosen]);
}

/* ---- Verifying ---- */

static struct error *
read_verifier(struct ctl *ctl, Topodata__Tablet **ret_tablet)
{
    struct tablet_alias alias;
    if (ctl->options.verify_tablet != NULL) {
        TRY(ctl_parse_alias(ctl, ctl->options.verify_tablet, &alias));
        return topo_get_tablet(ctl->topo, ctl->cancel, &alias, ret_tablet, NULL);
    }
    CLEANUP(shard_view_done) struct shard_view view = {0};
    TRY(shard_view_open(ctl, ctl->words.items[0], NULL, &view));
    size_t chosen = 0;
    TRY(error_wrap(choose_tablet(ctl, &view, &chosen), "name a tablet with --tablet"));
    alias = tablet_alias_of(view.tablets.items[chosen]->alias);
    return topo_get_tablet(ctl->topo, ctl->cancel, &alias, ret_tablet, NULL);
}

static struct error *
verify_backup(struct ctl *ctl)
{
    CLEANUP(freep) char *keyspace = NULL;
    CLEANUP(freep) char *shard = NULL;
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    Vtagent__VerifyBackupRequest request = VTAGENT__VERIFY_BACKUP_REQUEST__INIT;
    TRY(ctl_parse_shard(ctl, ctl->words.items[0], &keyspace, &shard));
    TRY(read_verifier(ctl, &tablet));
    ctl_note(ctl, "%s verifies it", alias_text_of(tablet).text);
    request.keyspace = keyspace;
    request.shard = shard;
    request.name = ctl->words.items[1];
    request.restores = ctl->options.wants_restore;
    request.mode = ctl->options.verify_mode;
    struct progress *progress = progress_new(ctl);
    struct error *error = tm_call_events(
        ctl->client, tablet, "/vtagent.Agent/VerifyBackup", &request.base,
        &vtagent__verify_backup_response__descriptor, ctl->cancel, show_event, progress);
    progress_free(progress);
    return error;
}

/* ---- Restoring ---- */

/* "2026-11-23.055542", as in a backup's name. */
static struct error *
parse_backup_time(struct ctl *ctl, const char *text, int64_t *ret_ns)
{
    bool has_form = strlen(text) == 17 && strspn(text, "0123456789-.") == 17 && text[10] == '.';
    if (has_form) {
        CLEANUP(freep)
        char *standard = xasprintf("%.10sT%.2s:%.2s:%.2sZ", text, text + 11, text + 13, text + 15);
        struct error *error = clock_parse_rfc3339(standard, ret_ns);
        if (error == NULL)
            return NULL;
        error_free(error);
    }
    return ctl_wrong_use(ctl, "'%s' is not a backup's time: expected YYYY-MM-DD.hhmmss", text);
}

/* The tablet follows the primary again; a shard without one needs nothing. */
static struct error *
follow_primary(struct ctl *ctl, const struct tablet_alias *alias)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    CLEANUP(record_freep) Topodata__Tablet *primary = NULL;
    TRY(topo_get_tablet(ctl->topo, ctl->cancel, alias, &tablet, NULL));
    struct error *error = ctl_read_primary(ctl, tablet, &primary);
    if (error_is(error, ERROR_FAILED_PRECONDITION)) {
        error_free(error);
        return NULL;
    }
    TRY(error);
    if (alias_messages_equal(primary->alias, tablet->alias))
        return NULL;
    bool acks;
    TRY(ctl_read_replica_acks(ctl, tablet, tablet->type, &acks));
    struct set_source source = {
        .parent = primary->alias, .wait_position = "", .wants_semi_sync = acks};
    return call_set_source(ctl, tablet, &source, ctl->cancel, ctl->options.remote_timeout_ms);
}

static struct error *
restore_from_backup(struct ctl *ctl)
{
    Tabletmanagerdata__RestoreFromBackupRequest request =
        TABLETMANAGERDATA__RESTORE_FROM_BACKUP_REQUEST__INIT;
    CLEANUP(record_freep) Vttime__Time *time = NULL;
    if (ctl->options.backup_time != NULL) {
        int64_t ns;
        TRY(parse_backup_time(ctl, ctl->options.backup_time, &ns));
        record_set_time(&time, ns);
    }
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    request.backup_time = time;
    request.dry_run = ctl->options.is_dry_run;
    struct progress *progress = progress_new(ctl);
    struct error *error =
        tm_call_events(ctl->client, tablet, "RestoreFromBackup", &request.base,
                       &tabletmanagerdata__restore_from_backup_response__descriptor, ctl->cancel,
                       show_event, progress);
    progress_free(progress);
    note_going_on(ctl, tablet, error);
    TRY(error);
    struct tablet_alias alias = tablet_alias_of(tablet->alias);
    return ctl->options.is_dry_run ? NULL : follow_primary(ctl, &alias);
}

/* ---- Removing ---- */

struct error *
backup_open_storage(struct ctl *ctl, bool wants_write, struct storage **ret_storage)
{
    const struct ctl_options *options = &ctl->options;
    if (strcmp(options->storage_implementation, "file") == 0 &&
        str_is_empty(options->storage_file_root))
        return ctl_wrong_use(ctl, "expected --file-backup-storage-root");
    if (strcmp(options->storage_implementation, "gcs") == 0 &&
        str_is_empty(options->storage_gcs_bucket))
        return ctl_wrong_use(ctl, "expected --gcs-backup-storage-bucket");
    struct storage_options storage = {.implementation = options->storage_implementation,
                                      .file_root = options->storage_file_root,
                                      .gcs_bucket = options->storage_gcs_bucket,
                                      .gcs_root = options->storage_gcs_root,
                                      .watch = {.timeout_ms = options->storage_timeout_ms,
                                                .cancel = ctl->cancel,
                                                .on_stuck = storage_child_end_stuck,
                                                .data = ctl}};
    if (strcmp(options->storage_implementation, "file") == 0)
        TRY(storage_child_run(ctl));
    return storage_open(&storage, wants_write, ret_storage);
}

static struct error *
remove_backup(struct ctl *ctl)
{
    CLEANUP(freep) char *keyspace = NULL;
    CLEANUP(freep) char *shard = NULL;
    const char *name = ctl->words.items[1];
    TRY(ctl_parse_shard(ctl, ctl->words.items[0], &keyspace, &shard));
    if (str_is_empty(name) || strchr(name, '/') != NULL || name[0] == '.')
        return ctl_wrong_use(ctl, "'%s' is not a backup's name", name);
    CLEANUP(storage_freep) struct storage *storage = NULL;
    TRY(backup_open_storage(ctl, true, &storage));
    CLEANUP(freep) char *directory = xasprintf("%s/%s", keyspace, shard);
    struct error *error = storage->interface->remove(storage, ctl->cancel, directory, name);
    return error_wrap(error, "remove backup '%s' of '%s'", name, directory);
}

/* ---- The table ---- */

static const struct option_row take_rows[] = {
    CTL_OPTION("concurrency", OPTION_INTEGER, concurrency, "4", "files copied at a time"),
    CTL_OPTION("allow-primary", OPTION_FLAG, allows_primary, NULL, "a primary too: it stops"),
    CTL_OPTION("allow-master", OPTION_FLAG, allows_primary, NULL, "the same"),
    CTL_OPTION("upgrade-safe", OPTION_FLAG, is_upgrade_safe, NULL,
               "restorable by a newer server: slow shutdown"),
    CTL_OPTION("incremental-from-pos", OPTION_TEXT, incremental_from, NULL,
               "only what came after a position, or 'auto'"),
};
static const struct option_row restore_rows[] = {
    CTL_OPTION("backup-timestamp", OPTION_TEXT, backup_time, NULL,
               "newest backup not after YYYY-MM-DD.hhmmss"),
    CTL_OPTION("dry-run", OPTION_FLAG, is_dry_run, NULL, "only check"),
};
static const struct option_row list_rows[] = {
    CTL_OPTION("limit", OPTION_INTEGER, limit, NULL, "only so many, the newest"),
    CTL_OPTION("detailed", OPTION_FLAG, is_detailed, NULL,
               "a table: state, age, size, how each was taken, proven and verified"),
};
static const struct option_row verify_rows[] = {
    CTL_OPTION("tablet", OPTION_TEXT, verify_tablet, NULL,
               "which tablet's agent does it, default one that serves no writes"),
    CTL_OPTION("mode", OPTION_TEXT, verify_mode, "full",
               "full: every byte is read and compared; size: objects and their sizes"),
    CTL_OPTION("restore", OPTION_FLAG, wants_restore, NULL,
               "restore it beside the data, start a server on it, check every table"),
};
static const struct option_row expire_rows[] = {
    CTL_OPTION("keep-count", OPTION_INTEGER, keep_count, NULL,
               "keep so many of the newest that have not failed a check"),
    CTL_OPTION("keep-age", OPTION_DURATION, keep_age_ms, NULL,
               "keep those that are not older, like 720h"),
    CTL_OPTION("orphan-age", OPTION_DURATION, orphan_age_ms, "24h",
               "remove incomplete ones that are older and that nobody writes; 0: none"),
    CTL_OPTION("dry-run", OPTION_FLAG, is_dry_run, NULL, "only say what would be removed"),
};

#define BACKUPS "Backups"
static const struct ctl_verb verbs[] = {
    {"Backup", NULL, BACKUPS, "[--concurrency N] [--allow-primary] TABLET", "backs a tablet up",
     CTL_ROWS(take_rows), 1, 1, backup, false},
    {"BackupShard", NULL, BACKUPS, "[--allow-primary] KEYSPACE/SHARD",
     "backs up the shard's tablet with the least lag", CTL_ROWS(take_rows), 1, 1, backup_shard,
     false},
    {"ExpireBackups", NULL, BACKUPS,
     "[--keep-count N] [--keep-age DURATION] [--dry-run] KEYSPACE/SHARD",
     "deletes old backups, and what dead ones left", CTL_ROWS(expire_rows), 1, 1,
     backup_expire_backups, true},
    {"GetBackups", "ListBackups", BACKUPS, "[--limit N] [--detailed] KEYSPACE/SHARD",
     "lists backups", CTL_ROWS(list_rows), 1, 1, backup_get_backups, true},
    {"RemoveBackup", NULL, BACKUPS, "KEYSPACE/SHARD NAME", "deletes a backup", NULL, 0, 2, 2,
     remove_backup, true},
    {"RestoreFromBackup", NULL, BACKUPS, "[--backup-timestamp TIME] TABLET",
     "replaces a tablet's data by the newest backup", CTL_ROWS(restore_rows), 1, 1,
     restore_from_backup, false},
    {"VerifyBackup", NULL, BACKUPS, "[--mode size] [--restore] KEYSPACE/SHARD NAME|latest",
     "reads a backup back, or proves it", CTL_ROWS(verify_rows), 2, 2, verify_backup, false},
};

struct ctl_family
backup_verbs(void)
{
    return (struct ctl_family){verbs, ARRAY_LENGTH(verbs)};
}
