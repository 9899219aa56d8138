/* InitShardPrimary: the servers are fresh; one becomes primary, the others copies of it. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/ctl/parallel.h"
#include "agent/ctl/reparent.h"

#define ACTION "InitShardPrimary"

struct init {
    struct ctl *ctl;
    struct shard_view view;
    size_t elect;
    struct cancel *cancel;
    struct error **errors; /* one per tablet */
    char *position;
    int64_t now_ns;
};

static const Topodata__Tablet *
elect_of(const struct init *init)
{
    return init->view.tablets.items[init->elect];
}

/* ---- What speaks against it ---- */

static struct error *
object(struct init *init, bool is_forced, const char *what)
{
    if (!is_forced)
        return error_new(ERROR_FAILED_PRECONDITION, "%s: give --force if that is meant", what);
    ctl_warn(init->ctl, "%s, proceeding anyway as --force was given", what);
    return NULL;
}

static struct error *
check_records(struct init *init, bool is_forced)
{
    const Topodata__Tablet *elect = elect_of(init);
    struct alias_text name = alias_text_of(elect);
    if (!alias_messages_equal(init->view.record->primary_alias, elect->alias)) {
        CLEANUP(freep) char *text = xasprintf("'%s' is not the shard's primary", name.text);
        TRY(object(init, is_forced, text));
    }
    if (elect->type != TOPODATA__TABLET_TYPE__PRIMARY) {
        CLEANUP(freep) char *text = xasprintf("'%s' is not a primary in the shard", name.text);
        TRY(object(init, is_forced, text));
    }
    for (size_t i = 0; i < init->view.tablets.count; i++) {
        const Topodata__Tablet *other = init->view.tablets.items[i];
        if (i == init->elect || other->type != TOPODATA__TABLET_TYPE__PRIMARY)
            continue;
        CLEANUP(freep)
        char *text = xasprintf("'%s' is a primary in the shard too", alias_text_of(other).text);
        TRY(object(init, is_forced, text));
    }
    return NULL;
}

/* ---- Rounds ---- */

static struct error *
take_errors(struct init *init)
{
    CLEANUP(strv_done) struct strv texts = {0};
    enum error_code code = ERROR_OK;
    for (size_t i = 0; i < init->view.tablets.count; i++) {
        struct error *error = init->errors[i];
        if (error == NULL)
            continue;
        code = error->code;
        strv_addf(&texts, "%s: %s", alias_text_of(init->view.tablets.items[i]).text,
                  error->message);
        error_free(error);
        init->errors[i] = NULL;
    }
    if (code == ERROR_OK)
        return NULL;
    CLEANUP(freep) char *text = strv_join(&texts, "; ");
    return error_new(code, "%s", text);
}

static void
reset_one(size_t index, void *data)
{
    const struct init *init = data;
    init->errors[index] = ctl_call(init->ctl, init->view.tablets.items[index], "ResetReplication",
                                   NULL, init->cancel, 0, NULL);
}

static void
init_replica(size_t index, void *data)
{
    const struct init *init = data;
    if (index == init->elect)
        return;
    const Topodata__Tablet *tablet = init->view.tablets.items[index];
    Tabletmanagerdata__InitReplicaRequest request = TABLETMANAGERDATA__INIT_REPLICA_REQUEST__INIT;
    request.parent = elect_of(init)->alias;
    request.replication_position = init->position;
    request.time_created_ns = init->now_ns;
    request.semisync = shard_replica_semi_sync(&init->view, tablet, elect_of(init));
    init->errors[index] =
        ctl_call(init->ctl, tablet, "InitReplica", &request.base, init->cancel, 0, NULL);
}

static bool
set_primary(Topodata__Shard *shard, void *data)
{
    const struct tablet_alias *alias = data;
    record_set_alias(&shard->primary_alias, alias);
    return true;
}

/* Only the alias: the tablet itself adds when its term began. */
static struct error *
name_primary(const struct init *init)
{
    struct tablet_alias alias = tablet_alias_of(elect_of(init)->alias);
    struct tablet_alias present = tablet_alias_of(init->view.record->primary_alias);
    if (tablet_alias_equal(&alias, &present))
        return NULL;
    return topo_update_shard(init->ctl->topo, init->ctl->cancel, init->view.keyspace,
                             init->view.shard, set_primary, &alias);
}

static struct error *
start_replicas(struct init *init, int64_t timeout_ms)
{
    CLEANUP(cancel_unrefp)
    struct cancel *bounded = cancel_new_child(init->ctl->cancel, timeout_ms);
    init->cancel = bounded;
    init->now_ns = clock_wall_ns();
    struct parallel *replicas = parallel_start(init->view.tablets.count, init_replica, init);
    struct error *error = call_populate_journal(init->ctl, elect_of(init), init->now_ns, ACTION,
                                                init->position, bounded, 0);
    if (error != NULL)
        cancel_request(bounded);
    else
        error = name_primary(init);
    parallel_join(replicas);
    struct error *replica_error = take_errors(init);
    if (error == NULL && replica_error != NULL)
        return error_wrap(replica_error, "'%s' is primary, but not all tablets follow it",
                          alias_text_of(elect_of(init)).text);
    return error_first(error, replica_error);
}

static struct error *
create_database(struct init *init)
{
    CLEANUP(freep) char *database = tablet_database_name(elect_of(init));
    CLEANUP(freep) char *sql = xasprintf("CREATE DATABASE IF NOT EXISTS `%s`", database);
    Tabletmanagerdata__ExecuteFetchAsDbaRequest request =
        TABLETMANAGERDATA__EXECUTE_FETCH_AS_DBA_REQUEST__INIT;
    request.query = (ProtobufCBinaryData){strlen(sql), (uint8_t *)sql};
    request.max_rows = 1;
    request.reload_schema = true;
    return ctl_call(init->ctl, elect_of(init), "ExecuteFetchAsDba", &request.base,
                    init->ctl->cancel, init->ctl->options.remote_timeout_ms, NULL);
}

static struct error *
reset_all(struct init *init, int64_t timeout_ms)
{
    CLEANUP(cancel_unrefp)
    struct cancel *bounded = cancel_new_child(init->ctl->cancel, timeout_ms);
    init->cancel = bounded;
    parallel_run(init->view.tablets.count, reset_one, init);
    return error_wrap(take_errors(init), "reset replication");
}

static struct error *
carry_out(struct init *init, int64_t timeout_ms)
{
    struct ctl *ctl = init->ctl;
    TRY(reset_all(init, timeout_ms));
    TRY(shard_view_check(ctl, &init->view));
    TRY(call_promote(ctl, elect_of(init), true, shard_primary_semi_sync(&init->view), ctl->cancel,
                     0, &init->position));
    TRY(shard_view_check(ctl, &init->view));
    TRY(start_replicas(init, timeout_ms));
    TRY(create_database(init));
    ctl_warn_take(ctl, ctl_call(ctl, elect_of(init), "RefreshState", NULL, ctl->cancel,
                                ctl->options.remote_timeout_ms, NULL));
    return NULL;
}

struct error *
init_shard_primary(struct ctl *ctl, const char *shard_name, const struct tablet_alias *alias,
                   bool is_forced, int64_t wait_replicas_timeout_ms)
{
    char text[TABLET_ALIAS_TEXT_MAX];
    tablet_alias_format(alias, text);
    CLEANUP(freep) char *action = xasprintf(ACTION "(%s)", text);
    struct init init = {.ctl = ctl};
    struct error *error = shard_view_open(ctl, shard_name, action, &init.view);
    init.errors = xcalloc(init.view.tablets.count + 1, sizeof(*init.errors));
    init.elect = shard_view_find(&init.view, alias);
    if (error == NULL && init.elect == SHARD_VIEW_NONE)
        error = error_new(ERROR_FAILED_PRECONDITION, "tablet '%s' is not in shard '%s'", text,
                          shard_name);
    if (error == NULL)
        error = check_records(&init, is_forced);
    if (error == NULL)
        error = carry_out(&init, wait_replicas_timeout_ms);
    free(init.errors);
    free(init.position);
    shard_view_done(&init.view);
    return error;
}
