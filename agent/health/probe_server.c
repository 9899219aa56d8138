/* The server: does it answer, how does it replicate, what has it executed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/health/probe.h"
#include "agent/health/semi_sync_watch.h"
#include "agent/mysql/dialect.h"
#include "replication/control.h"

#define LEAST_TIMEOUT_MS 5000
#define MYSQL_ERRNO_CONNECTION 2002
#define MYSQL_ERRNO_CONN_HOST 2003
#define MYSQL_ERRNO_SERVER_LOST 2013
#define MYSQL_ERRNO_NO_SUCH_DATABASE 1049
#define MYSQL_ERRNO_NO_SUCH_TABLE 1146

/* What earlier looks saw; the probe's thread, but for source_position and type. */
struct server_state {
    bool knows_server;
    char *position;            /* executed */
    struct position *received; /* relay log included */
    int64_t executed_ms, received_ms, starved_since_ms;
    int64_t heartbeat_ns, heartbeat_moved_ms;
    struct semi_sync_watch semi_sync;
    char *source_position; /* of the primary, as its health document shows it */
    bool has_new_source_position;
    struct position *source;
};

static int64_t
interval_of(const struct health_options *options)
{
    return options->rules.interval_ms;
}

static void *
state_new(const struct health_options *options)
{
    (void)options;
    return xcalloc(1, sizeof(struct server_state));
}

static void
state_free(void *data)
{
    struct server_state *state = data;
    if (state == NULL)
        return;
    freep(&state->position);
    freep(&state->source_position);
    position_free(state->received);
    position_free(state->source);
    freep(&state);
}

static void
prepare(void *data, struct health_facts *facts, int64_t now_ms)
{
    (void)now_ms;
    struct server_state *state = data;
    if (str_equal(state->source_position, facts->source.position))
        return;
    str_replace(&state->source_position, facts->source.position);
    state->has_new_source_position = true;
}

static void
copy_text(char *target, size_t size, const char *text)
{
    snprintf(target, size, "%s", text != NULL ? text : "");
}

/* The port and dialect, once; the record shows them. */
static struct error *
learn_server(struct server_state *state, struct tablet_context *context, struct db *db,
             struct cancel *cancel)
{
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(context->tablet, &snapshot);
    int port = snapshot.mysql_port;
    if (port == 0) {
        CLEANUP(freep) char *text = NULL;
        TRY(db_query_text(db, cancel, "SELECT @@global.port", &text));
        port = (int)strtol(text != NULL ? text : "0", NULL, 10);
    }
    tablet_set_server(context, port, db_dialect(db)->flavor == DIALECT_MARIADB);
    tablet_publish_later(context);
    state->knows_server = true;
    return NULL;
}

/* ---- Progress ---- */

static void
take_executed(struct server_state *state, const struct position *position, int64_t now_ms,
              struct health_facts *answer)
{
    CLEANUP(freep) char *text = position_text(position);
    if (!str_equal(state->position, text)) {
        str_replace(&state->position, text);
        state->executed_ms = now_ms;
    }
    answer->replication.executed_ms = state->executed_ms;
    answer->position = xstrdup(text);
}

static void
learn_source_position(struct server_state *state)
{
    if (!state->has_new_source_position)
        return;
    state->has_new_source_position = false;
    position_freep(&state->source);
    if (!str_is_empty(state->source_position))
        error_free(position_parse(state->source_position, &state->source));
}

static void
take_received(struct server_state *state, const struct replication_status *status, int64_t now_ms,
              struct health_replication *answer)
{
    const struct position *received =
        status->relay_log_position != NULL ? status->relay_log_position : status->position;
    if (state->received_ms == 0 || !position_equal(state->received, received)) {
        position_free(state->received);
        state->received = position_copy(received);
        state->received_ms = now_ms;
    }
    learn_source_position(state);
    bool is_complete = state->source == NULL || position_contains(received, state->source) ||
                       position_contains(status->position, state->source);
    if (is_complete || state->received_ms == now_ms)
        state->starved_since_ms = 0;
    else if (state->starved_since_ms == 0)
        state->starved_since_ms = now_ms;
    answer->received_ms = state->received_ms;
    answer->starved_since_ms = state->starved_since_ms;
}

/* ---- A replica ---- */

static void
take_status(const struct replication_status *status, int64_t now_ms,
            struct health_replication *answer)
{
    *answer = (struct health_replication){.measured_ms = now_ms,
                                          .is_replica = true,
                                          .io_state = status->io_state,
                                          .sql_state = status->sql_state,
                                          .is_lag_unknown = status->is_lag_unknown,
                                          .lag_seconds = status->lag_seconds};
    snprintf(answer->source, sizeof(answer->source), "%s:%d", status->source_host,
             (int)status->source_port);
    const char *problem =
        !str_is_empty(status->last_sql_error) ? status->last_sql_error : status->last_io_error;
    copy_text(answer->error, sizeof(answer->error), problem);
}

/* A missing table or row is "no heartbeats". */
static struct error *
ask_heartbeat(struct server_state *state, const struct tablet_identity *identity, struct db *db,
              struct cancel *cancel, struct health_heartbeat *answer)
{
    CLEANUP(freep) char *database = db_quote_name(identity->sidecar);
    CLEANUP(freep) char *key = xasprintf("%s:%s", identity->keyspace, identity->shard);
    CLEANUP(freep) char *quoted = db_quote(key, strlen(key));
    CLEANUP(freep)
    char *sql = xasprintf("SELECT ts FROM %s.heartbeat WHERE keyspaceShard = %s", database, quoted);
    CLEANUP(freep) char *text = NULL;
    struct error *error = db_query_text(db, cancel, sql, &text);
    if (error != NULL && (error->mysql_errno == MYSQL_ERRNO_NO_SUCH_TABLE ||
                          error->mysql_errno == MYSQL_ERRNO_NO_SUCH_DATABASE)) {
        error_free(error);
        error = NULL;
    }
    TRY(error);
    int64_t now_ms = clock_monotonic_ms();
    int64_t time_ns = text != NULL ? strtoll(text, NULL, 10) : 0;
    if (time_ns != state->heartbeat_ns && state->heartbeat_ns != 0)
        state->heartbeat_moved_ms = now_ms;
    state->heartbeat_ns = time_ns;
    int64_t lag_ms = (clock_wall_ns() - time_ns) / 1000000;
    *answer = (struct health_heartbeat){.measured_ms = now_ms,
                                        .time_ns = time_ns,
                                        .moved_ms = state->heartbeat_moved_ms,
                                        .lag_ms = lag_ms > 0 ? lag_ms : 0};
    return NULL;
}

/* ---- Either ---- */

static struct error *
ask_as_primary(struct server_state *state, struct db *db, struct cancel *cancel,
               struct health_facts *answer)
{
    int64_t now_ms = clock_monotonic_ms();
    CLEANUP(position_freep) struct position *position = NULL;
    TRY(executed_position_read(db, cancel, &position));
    answer->replication = (struct health_replication){.measured_ms = now_ms};
    take_executed(state, position, now_ms, answer);
    state->received_ms = state->starved_since_ms = 0;
    answer->server.is_semi_sync_blocked = semi_sync_ask_blocked(&state->semi_sync, db, cancel);
    return NULL;
}

static struct error *
ask_role(struct server_state *state, const struct health_options *options, struct db *db,
         struct cancel *cancel, struct health_facts *answer)
{
    TRY(server_is_read_only(db, cancel, &answer->server.is_read_only));
    CLEANUP(replication_status_done) struct replication_status status = {0};
    struct error *error = replication_status_read(db, cancel, &status);
    if (error_is_not_a_replica(error)) {
        error_free(error);
        return ask_as_primary(state, db, cancel, answer);
    }
    TRY(error);
    int64_t now_ms = clock_monotonic_ms();
    take_status(&status, now_ms, &answer->replication);
    take_executed(state, status.position, now_ms, answer);
    take_received(state, &status, now_ms, &answer->replication);
    return ask_heartbeat(state, options->context->identity, db, cancel, &answer->heartbeat);
}

static struct error *
ask_with_db(struct server_state *state, const struct health_options *options, struct db *db,
            struct cancel *cancel, struct health_facts *answer)
{
    copy_text(answer->server.version, sizeof(answer->server.version), db_server_version(db));
    if (!state->knows_server)
        TRY(learn_server(state, options->context, db, cancel));
    return ask_role(state, options, db, cancel, answer);
}

static struct error *
ask_once(struct server_state *state, const struct health_options *options,
         struct health_facts *answer)
{
    struct tablet_context *context = options->context;
    int64_t timeout_ms = 2 * options->rules.interval_ms;
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(
        context->stop, timeout_ms > LEAST_TIMEOUT_MS ? timeout_ms : LEAST_TIMEOUT_MS);
    struct db *db = NULL;
    TRY(db_pool_take(context->dba_pool, cancel, &db));
    struct error *error = ask_with_db(state, options, db, cancel, answer);
    db_pool_give(context->dba_pool, db);
    return error;
}

/* A server that ends closes its connections before its socket: one may still get into the queue. */
static bool
says_gone(const struct error *error)
{
    return error->mysql_errno == MYSQL_ERRNO_CONNECTION ||
           error->mysql_errno == MYSQL_ERRNO_CONN_HOST ||
           (error->mysql_errno == MYSQL_ERRNO_SERVER_LOST &&
            strstr(error->message, "handshake") != NULL);
}

static void
ask(void *data, const struct health_options *options, struct health_facts *answer)
{
    CLEANUP(error_freep) struct error *error = ask_once(data, options, answer);
    struct health_server *server = &answer->server;
    server->measured_ms = clock_monotonic_ms();
    server->answers = error == NULL;
    if (error == NULL) {
        server->answered_ms = server->measured_ms;
        return;
    }
    server->is_gone = says_gone(error);
    copy_text(server->error, sizeof(server->error), error->message);
}

/* What a server that does not answer was like stays, with its age. */
static void
store(struct health_facts *facts, struct health_facts *answer)
{
    struct health_server before = facts->server;
    facts->server = answer->server;
    if (!answer->server.answers) {
        facts->server.answered_ms = before.answered_ms;
        memcpy(facts->server.version, before.version, sizeof(before.version));
        return;
    }
    facts->replication = answer->replication;
    if (answer->heartbeat.measured_ms != 0 || !answer->replication.is_replica)
        facts->heartbeat = answer->heartbeat;
    freep(&facts->position);
    facts->position = answer->position;
    answer->position = NULL;
}

const struct probe_kind probe_server = {
    .name = "health",
    .interval_ms = interval_of,
    .state_new = state_new,
    .state_free = state_free,
    .prepare = prepare,
    .ask = ask,
    .store = store,
};
