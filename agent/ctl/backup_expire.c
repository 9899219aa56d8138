/* ExpireBackups. What nobody writes any more is only known to the tablet that wrote it: it is asked
 * where a topology is given. */
#include <string.h>

#include "agent/base/clock.h"
#include "agent/ctl/backup_private.h"
#include "agent/ctl/print.h"
#include "backup/expire.h"
#include "backup/manifest.h"
#include "vtagent_agent.pb-c.h"

struct expiry {
    struct ctl *ctl;
    char *keyspace, *shard, *directory;
    struct storage *storage;
    struct expire_rules rules;
    struct backup_list list;
    enum expire_owner *owners;
    struct expire_plan plan;
    struct error *error; /* the first of the removals' */
};

static void
expiry_done(struct expiry *expiry)
{
    freep(&expiry->keyspace);
    freep(&expiry->shard);
    freep(&expiry->directory);
    storage_freep(&expiry->storage);
    expire_plan_done(&expiry->plan);
    backup_list_done(&expiry->list);
    freep(&expiry->owners);
    error_free(expiry->error);
}

static struct error *
read_rules(struct expiry *expiry)
{
    const struct ctl_options *options = &expiry->ctl->options;
    if (options->keep_count < 0)
        return ctl_wrong_use(expiry->ctl, "--keep-count must not be negative");
    expiry->rules = (struct expire_rules){.keep_count = options->keep_count,
                                          .keep_age_ms = options->keep_age_ms,
                                          .orphan_age_ms = options->orphan_age_ms,
                                          .now_ns = clock_wall_ns()};
    return NULL;
}

/* ---- Who writes an incomplete one ---- */

/* A backup that has no name yet may become this one. */
static bool
writes(const Vtagent__JobsResponse *jobs, const char *name)
{
    for (size_t i = 0; i < jobs->n_jobs; i++) {
        const Vtagent__Job *job = jobs->jobs[i];
        bool goes_on = strcmp(job->state, "waiting") == 0 || strcmp(job->state, "running") == 0;
        bool is_this = job->backup_name[0] == '\0' || strcmp(job->backup_name, name) == 0;
        if (goes_on && is_this && strcmp(job->kind, "backup") == 0)
            return true;
    }
    return false;
}

/* Vitess's tablets have no list of jobs, but another type while they back up. */
static enum expire_owner
ask_tablet(struct ctl *ctl, const Topodata__Tablet *tablet, const char *name)
{
    CLEANUP(record_freep) Vtagent__JobsResponse *jobs = NULL;
    bool is_backing_up = tablet->type == TOPODATA__TABLET_TYPE__BACKUP;
    struct error *error = ctl_call(ctl, tablet, "/vtagent.Agent/Jobs", NULL, ctl->cancel,
                                   ctl->options.remote_timeout_ms, &jobs);
    if (error_is(error, ERROR_UNIMPLEMENTED)) {
        error_free(error);
        return is_backing_up ? EXPIRE_OWNER_BUSY : EXPIRE_OWNER_UNASKED;
    }
    if (error != NULL) {
        ctl_warn_take(ctl, error);
        return EXPIRE_OWNER_SILENT;
    }
    return writes(jobs, name) ? EXPIRE_OWNER_BUSY : EXPIRE_OWNER_IDLE;
}

static enum expire_owner
ask_owner(const struct expiry *expiry, const struct backup_summary *backup)
{
    struct ctl *ctl = expiry->ctl;
    struct tablet_alias alias;
    if (ctl->topo == NULL)
        return EXPIRE_OWNER_UNASKED;
    struct error *error = tablet_alias_parse(backup->alias, &alias);
    if (error != NULL) { /* no tablet's name: nobody to ask */
        error_free(error);
        return EXPIRE_OWNER_UNASKED;
    }
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    error = topo_get_tablet(ctl->topo, ctl->cancel, &alias, &tablet, NULL);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        return EXPIRE_OWNER_GONE;
    }
    if (error != NULL) {
        ctl_warn_take(ctl, error_wrap(error, "backup '%s'", backup->name));
        return EXPIRE_OWNER_SILENT;
    }
    return ask_tablet(ctl, tablet, backup->name);
}

static struct error *
ask_owners(struct expiry *expiry)
{
    TRY(ctl_open_topology_if_given(expiry->ctl));
    expiry->owners = xcalloc(expiry->list.count + 1, sizeof(*expiry->owners));
    for (size_t i = 0; i < expiry->list.count; i++) {
        if (expire_is_old_orphan(&expiry->list.items[i], &expiry->rules))
            expiry->owners[i] = ask_owner(expiry, &expiry->list.items[i]);
    }
    return NULL;
}

/* ---- Removing ---- */

/* An incomplete one may have been completed since it was looked at. */
static struct error *
check_is_still_incomplete(const struct expiry *expiry, const char *name)
{
    uint64_t size;
    struct storage *storage = expiry->storage;
    struct error *error = storage->interface->size(storage, expiry->ctl->cancel, expiry->directory,
                                                   name, MANIFEST_NAME, &size);
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        return NULL;
    }
    TRY(error);
    return error_new(ERROR_ABORTED, "it has been completed just now");
}

static struct error *
remove_one(const struct expiry *expiry, size_t index)
{
    const char *name = expiry->list.items[index].name;
    struct storage *storage = expiry->storage;
    if (expiry->plan.steps[index].is_orphan)
        TRY(check_is_still_incomplete(expiry, name));
    struct error *error =
        storage->interface->remove(storage, expiry->ctl->cancel, expiry->directory, name);
    if (!error_is(error, ERROR_NOT_FOUND))
        return error;
    error_free(error); /* somebody else was faster */
    return NULL;
}

static void
remove_backups(struct expiry *expiry)
{
    for (size_t i = 0; i < expiry->plan.count; i++) {
        struct expire_step *step = &expiry->plan.steps[i];
        if (!step->is_removed)
            continue;
        const char *name = expiry->list.items[i].name;
        struct error *error = remove_one(expiry, i);
        if (error == NULL)
            continue;
        CLEANUP(freep) char *reason = xasprintf("not removed: %s", error->message);
        str_replace(&step->reason, reason);
        step->is_removed = false;
        expiry->error = error_first(expiry->error, error_wrap(error, "remove backup '%s' of '%s'",
                                                              name, expiry->directory));
    }
}

/* ---- Saying ---- */

static void
print_plan_json(const struct expiry *expiry)
{
    CLEANUP(buffer_done) struct buffer json = BUFFER_INIT;
    buffer_append_char(&json, '[');
    for (size_t i = 0; i < expiry->plan.count; i++) {
        const struct expire_step *step = &expiry->plan.steps[i];
        buffer_append_text(&json, i == 0 ? "\n  {\"name\": " : ",\n  {\"name\": ");
        buffer_append_json_string(&json, expiry->list.items[i].name);
        buffer_appendf(&json,
                       ", \"removed\": %s, \"reason\": ", step->is_removed ? "true" : "false");
        buffer_append_json_string(&json, step->reason);
        buffer_append_char(&json, '}');
    }
    buffer_append_text(&json, expiry->plan.count > 0 ? "\n]\n" : "]\n");
    fputs(buffer_text(&json), expiry->ctl->out);
}

static void
print_plan(const struct expiry *expiry)
{
    if (expiry->ctl->options.wants_json) {
        print_plan_json(expiry);
        return;
    }
    CLEANUP(table_done) struct table table = {0};
    const char *removed = expiry->ctl->options.is_dry_run ? "would remove" : "removed";
    for (size_t i = 0; i < expiry->plan.count; i++) {
        const struct expire_step *step = &expiry->plan.steps[i];
        table_add(&table, expiry->list.items[i].name, step->is_removed ? removed : "kept",
                  step->reason, NULL);
    }
    table_print(&table, expiry->ctl->out);
}

struct error *
backup_expire_backups(struct ctl *ctl)
{
    CLEANUP(expiry_done) struct expiry expiry = {.ctl = ctl};
    TRY(read_rules(&expiry));
    TRY(ctl_parse_shard(ctl, ctl->words.items[0], &expiry.keyspace, &expiry.shard));
    TRY(backup_open_storage(ctl, !ctl->options.is_dry_run, &expiry.storage));
    expiry.directory = xasprintf("%s/%s", expiry.keyspace, expiry.shard);
    TRY(backup_list_read(expiry.storage, expiry.keyspace, expiry.shard, 0, ctl->cancel,
                         &expiry.list));
    TRY(ask_owners(&expiry));
    expire_plan(&expiry.list, expiry.owners, &expiry.rules, &expiry.plan);
    if (!ctl->options.is_dry_run)
        remove_backups(&expiry);
    print_plan(&expiry);
    struct error *error = expiry.error;
    expiry.error = NULL;
    return error;
}
