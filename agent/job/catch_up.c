#include "agent/job/catch_up.h"

#include <inttypes.h>
#include <stdlib.h>

#include "agent/actions/steps.h"
#include "agent/base/clock.h"

#define ASK_TIMEOUT_MS 15000
#define PAUSE_MS 200
#define STANDSTILL_MS 60000
#define SAY_EVERY_MS 10000

static void
shard_freep(Topodata__Shard **shard)
{
    if (*shard != NULL)
        topodata__shard__free_unpacked(*shard, NULL);
}

static void
tablet_record_freep(Topodata__Tablet **tablet)
{
    if (*tablet != NULL)
        topodata__tablet__free_unpacked(*tablet, NULL);
}

static void
message_freep(ProtobufCMessage **message)
{
    if (*message != NULL)
        protobuf_c_message_free_unpacked(*message, NULL);
}

/* *ret_position stays NULL when there is no other primary. */
static struct error *
ask_primary(struct tablet_context *context, struct cancel *cancel, struct position **ret_position)
{
    const struct tablet_identity *identity = context->identity;
    CLEANUP(shard_freep) Topodata__Shard *shard = NULL;
    CLEANUP(tablet_record_freep) Topodata__Tablet *tablet = NULL;
    CLEANUP(message_freep) ProtobufCMessage *response = NULL;
    TRY(topo_get_shard(context->topo, cancel, identity->keyspace, identity->shard, &shard, NULL));
    struct tablet_alias primary = tablet_alias_of(shard->primary_alias);
    if (tablet_alias_is_zero(&primary) || tablet_alias_equal(&primary, &identity->alias))
        return NULL;
    TRY(topo_get_tablet(context->topo, cancel, &primary, &tablet, NULL));
    Tabletmanagerdata__PrimaryPositionRequest request =
        TABLETMANAGERDATA__PRIMARY_POSITION_REQUEST__INIT;
    TRY(tm_call(context->tm_client, tablet, "PrimaryPosition", &request.base,
                &tabletmanagerdata__primary_position_response__descriptor, cancel, &response));
    return position_parse(((const Tabletmanagerdata__PrimaryPositionResponse *)response)->position,
                          ret_position);
}

/* The server's own words about why replication stands still; "" when it runs. Caller frees. */
static char *
broken_reason(struct db *db, struct cancel *cancel)
{
    CLEANUP(replication_status_done) struct replication_status status = {0};
    struct error *error = replication_status_read(db, cancel, &status);
    if (error != NULL) {
        char *text = xstrdup(error->message);
        error_free(error);
        return text;
    }
    if (replication_status_is_healthy(&status))
        return xstrdup("");
    if (!str_is_empty(status.last_sql_error))
        return xstrdup(status.last_sql_error);
    return xstrdup(str_is_empty(status.last_io_error) ? "its threads do not run"
                                                      : status.last_io_error);
}

static struct error *
refuse_standstill(struct db *db, struct cancel *cancel)
{
    CLEANUP(freep) char *reason = broken_reason(db, cancel);
    TRY(cancel_check(cancel));
    if (reason[0] == '\0')
        return NULL;
    return error_new(ERROR_FAILED_PRECONDITION, "replication makes no progress: %s", reason);
}

static struct error *
wait_for(struct job_run *run, struct db *db, const struct position *wanted)
{
    CLEANUP(position_freep) struct position *last = NULL;
    int64_t moved_ms = clock_monotonic_ms(), said_ms = moved_ms;
    for (;;) {
        CLEANUP(position_freep) struct position *now = NULL;
        TRY(executed_position_read(db, run->cancel, &now));
        if (position_contains(now, wanted))
            return NULL;
        int64_t time_ms = clock_monotonic_ms();
        if (last == NULL || !position_equal(now, last)) {
            position_free(last);
            last = position_copy(now);
            moved_ms = time_ms;
        } else if (time_ms - moved_ms > STANDSTILL_MS) {
            TRY(refuse_standstill(db, run->cancel));
        }
        if (time_ms - said_ms > SAY_EVERY_MS) {
            CLEANUP(position_freep) struct position *missing = position_subtract(wanted, now);
            job_say(run, LINE_INFO, "catching up, %" PRIu64 " transactions to go",
                    position_transaction_count(missing));
            said_ms = time_ms;
        }
        TRY(cancel_sleep_ms(run->cancel, PAUSE_MS));
    }
}

struct error *
catch_up_wait(struct job_run *run)
{
    CLEANUP(position_freep) struct position *wanted = NULL;
    CLEANUP(cancel_unrefp)
    struct cancel *ask = cancel_new_child(run->cancel, ASK_TIMEOUT_MS);
    struct error *error = ask_primary(run->context, ask, &wanted);
    if (error != NULL && cancel_is_requested(run->cancel))
        return error;
    if (error != NULL) {
        job_say_error(run, error, "the primary does not tell its position, not waiting for it");
        return NULL;
    }
    if (wanted == NULL)
        return NULL;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(run->context, run->cancel, &dba));
    return error_wrap(wait_for(run, dba.db, wanted), "catch up with the primary");
}
