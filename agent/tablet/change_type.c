/* Changing the type, in Vitess's order: a primary's record is written before the server becomes
 * writable, so that two primaries can always be told apart by their terms. */
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/mysql/dialect.h"
#include "agent/tablet/tablet_private.h"

#define COMPONENT "tablet"
#define ERRNO_READ_ONLY 1290

/* A term that beats the shard's last one even when our clock is behind the old primary's. */
static int64_t
choose_term(struct tablet_context *context, struct cancel *cancel)
{
    int64_t term = clock_wall_ns();
    Topodata__Shard *shard = NULL;
    CLEANUP(error_freep)
    struct error *error = topo_get_shard(context->topo, cancel, context->identity->keyspace,
                                         context->identity->shard, &shard, NULL);
    if (error != NULL)
        return term; /* the record's write will tell whether the topology answers */
    int64_t last = tablet_time_ns(shard->primary_term_start_time);
    topodata__shard__free_unpacked(shard, NULL);
    if (last >= term) {
        LOG_WARN(COMPONENT, "the shard's last term began %lld ms in our future: the clocks differ",
                 (long long)((last - term) / 1000000));
        term = last + 1;
    }
    return term;
}

static struct error *
has_database(struct db *db, struct cancel *cancel, const char *name, bool *ret_has)
{
    CLEANUP(freep) char *quoted = db_quote(name, strlen(name));
    CLEANUP(freep)
    char *sql =
        xasprintf("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", quoted);
    CLEANUP(freep) char *found = NULL;
    TRY(db_query_text(db, cancel, sql, &found));
    *ret_has = found != NULL;
    return NULL;
}

/* CREATE ... IF NOT EXISTS writes to the binary log even when there is nothing to create, and would
 * wait for semi-sync acknowledgements; so look first. */
static struct error *
create_databases(struct tablet_context *context, struct db *db, struct cancel *cancel)
{
    const struct tablet_identity *identity = context->identity;
    bool has_it = false;
    TRY(has_database(db, cancel, identity->database, &has_it));
    if (!has_it) {
        CLEANUP(freep) char *name = db_quote_name(identity->database);
        TRY(db_executef(db, cancel, "CREATE DATABASE IF NOT EXISTS %s", name));
    }
    return sidecar_create_tables(db, cancel, identity->sidecar);
}

/* A table that cannot be made is logged, not fatal, as with Vitess. */
static void
prepare_databases(struct tablet_context *context, struct db *db, struct cancel *cancel)
{
    struct error *error = create_databases(context, db, cancel);
    if (error != NULL && error->mysql_errno == ERRNO_READ_ONLY) {
        error_free(error); /* ChangeType(PRIMARY) leaves the server read-only on purpose */
        return;
    }
    log_error_take(LOG_LEVEL_WARN, COMPONENT, error,
                   "create the databases of a primary: the next change of role tries again");
}

static struct error *
become_primary(struct tablet_context *context, struct db *db, struct cancel *cancel,
               enum tablet_write write)
{
    int64_t term = choose_term(context, cancel);
    TRY(tablet_publish_term(context, cancel, term));
    if (write == TABLET_SET_READ_WRITE) {
        struct error *error = server_set_read_write(db, cancel);
        if (error != NULL) {
            tablet_publish_later(context); /* the record must not claim what did not happen */
            return error_wrap(error, "make the server writable");
        }
    }
    TRY(tablet_walk(context, EVENT_PROMOTE, TOPODATA__TABLET_TYPE__PRIMARY, term));
    prepare_databases(context, db, cancel);
    return NULL;
}

static bool
is_acknowledging(Topodata__TabletType type)
{
    return type == TOPODATA__TABLET_TYPE__PRIMARY || type == TOPODATA__TABLET_TYPE__REPLICA;
}

static struct error *
change_role(struct tablet_context *context, struct db *db, struct cancel *cancel,
            Topodata__TabletType type, enum tablet_write write)
{
    if (type == TOPODATA__TABLET_TYPE__PRIMARY)
        return become_primary(context, db, cancel, write);
    return tablet_walk(context, states_event_of_type(type), type, 0);
}

static struct error *
change_with_server(struct tablet_context *context, struct db *db, struct cancel *cancel,
                   Topodata__TabletType type, enum tablet_write write, enum semi_sync_action action)
{
    TRY(change_role(context, db, cancel, type, write));
    log_error_take(LOG_LEVEL_WARN, COMPONENT, tablet_publish(context, cancel),
                   "the type changed, its publication is tried again");
    tablet_poke_health(context);
    if (action == SEMI_SYNC_NONE)
        return NULL;
    return semi_sync_fix_and_replication(db, cancel, action, type == TOPODATA__TABLET_TYPE__PRIMARY,
                                         is_acknowledging(type));
}

struct error *
tablet_change_type(struct tablet_context *context, struct cancel *cancel, Topodata__TabletType type,
                   enum tablet_write write, enum semi_sync_action action)
{
    TRY(tablet_check_event(context, states_event_of_type(type)));
    /* A type without a server's part needs no server: RESTORE and BACKUP are taken while it is
     * down. */
    if (type != TOPODATA__TABLET_TYPE__PRIMARY && action == SEMI_SYNC_NONE)
        return change_with_server(context, NULL, cancel, type, write, action);
    struct db *db = NULL;
    TRY(db_pool_take(context->dba_pool, cancel, &db));
    struct error *error = change_with_server(context, db, cancel, type, write, action);
    db_pool_give(context->dba_pool, db);
    return error;
}

struct error *
tablet_adopt_primary(struct tablet_context *context, struct cancel *cancel, int64_t term_start_ns)
{
    TRY(tablet_walk(context, EVENT_RESUME_PRIMARY, TOPODATA__TABLET_TYPE__PRIMARY, term_start_ns));
    struct db *db = NULL;
    TRY(db_pool_take(context->dba_pool, cancel, &db));
    prepare_databases(context, db, cancel);
    db_pool_give(context->dba_pool, db);
    log_error_take(LOG_LEVEL_WARN, COMPONENT, tablet_publish(context, cancel),
                   "primary again, the publication is tried again");
    tablet_poke_health(context);
    return NULL;
}
