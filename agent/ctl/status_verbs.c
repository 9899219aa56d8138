/* What tablets say about themselves. */
#include <stdlib.h>
#include <string.h>

#include "agent/ctl/json.h"
#include "agent/ctl/parallel.h"
#include "agent/ctl/print.h"
#include "agent/ctl/shard.h"

static struct error *
get_full_status(struct ctl *ctl)
{
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    CLEANUP(record_freep) Tabletmanagerdata__FullStatusResponse *response = NULL;
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    TRY(ctl_call(ctl, tablet, "FullStatus", NULL, ctl->cancel, ctl->options.remote_timeout_ms,
                 &response));
    print_message(ctl, response->status == NULL ? NULL : &response->status->base);
    return NULL;
}

/* ---- Positions of a shard ---- */

struct asked {
    Replicationdata__Status *status; /* of a replica */
    char *position;                  /* of a primary */
    struct error *error;
};

struct asking {
    struct ctl *ctl;
    const struct shard_view *view;
    struct asked *answers;
};

static void
ask_position(size_t index, void *data)
{
    const struct asking *asking = data;
    struct ctl *ctl = asking->ctl;
    const Topodata__Tablet *tablet = asking->view->tablets.items[index];
    struct asked *answer = &asking->answers[index];
    int64_t timeout_ms = ctl->options.remote_timeout_ms;
    if (tablet->type == TOPODATA__TABLET_TYPE__PRIMARY) {
        answer->error =
            call_primary_position(ctl, tablet, ctl->cancel, timeout_ms, &answer->position);
    } else if (tablet_type_is_replica(tablet->type)) {
        CLEANUP(record_freep) Tabletmanagerdata__ReplicationStatusResponse *response = NULL;
        answer->error =
            ctl_call(ctl, tablet, "ReplicationStatus", NULL, ctl->cancel, timeout_ms, &response);
        if (answer->error == NULL) {
            answer->status = response->status;
            response->status = NULL;
        }
    }
}

static void
free_answers(struct asked *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        record_freep(&answers[i].status);
        free(answers[i].position);
        error_free(answers[i].error);
    }
    free(answers);
}

static const char *
state_text(int32_t state)
{
    static const char *const names[] = {"unknown", "stopped", "connecting", "running"};
    return state >= 0 && (size_t)state < ARRAY_LENGTH(names) ? names[state] : "unknown";
}

static void
add_position_row(struct table *table, const Topodata__Tablet *tablet, const struct asked *answer)
{
    const Replicationdata__Status *status = answer->status;
    CLEANUP(freep)
    char *lag = status == NULL ? xstrdup("")
                : status->replication_lag_unknown
                    ? xstrdup("unknown")
                    : xasprintf("%u s", status->replication_lag_seconds);
    const char *position = answer->error != NULL      ? answer->error->message
                           : answer->position != NULL ? answer->position
                           : status != NULL           ? status->position
                                                      : "not asked";
    table_add(table, alias_text_of(tablet).text, tablet_type_name(tablet->type), lag,
              status == NULL ? "" : state_text(status->io_state),
              status == NULL ? "" : state_text(status->sql_state), position, NULL);
}

static void
print_positions(struct ctl *ctl, const struct shard_view *view, const struct asked *answers)
{
    CLEANUP(table_done) struct table table = {0};
    table_add(&table, "TABLET", "TYPE", "LAG", "IO", "SQL", "POSITION", NULL);
    for (size_t i = 0; i < view->tablets.count; i++)
        add_position_row(&table, view->tablets.items[i], &answers[i]);
    table_print(&table, ctl->out);
}

static void
print_positions_json(struct ctl *ctl, const struct shard_view *view, const struct asked *answers)
{
    CLEANUP(buffer_done) struct buffer json = BUFFER_INIT;
    buffer_append_text(&json, "{\n  \"replication_statuses\": {");
    for (size_t i = 0; i < view->tablets.count; i++) {
        buffer_append_text(&json, i == 0 ? "\n    " : ",\n    ");
        buffer_append_json_string(&json, alias_text_of(view->tablets.items[i]).text);
        buffer_append_text(&json, ": ");
        Replicationdata__Status primary = REPLICATIONDATA__STATUS__INIT;
        primary.position = answers[i].position;
        const Replicationdata__Status *status =
            answers[i].position != NULL ? &primary : answers[i].status;
        json_append_message(&json, status == NULL ? NULL : &status->base, 4);
    }
    buffer_append_text(&json, "\n  }\n}\n");
    fputs(buffer_text(&json), ctl->out);
}

/* A deadline leaves a gap in the list, as with Vitess; any other error fails the verb. */
static struct error *
first_failure(const struct asked *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (answers[i].error != NULL && !error_is(answers[i].error, ERROR_DEADLINE_EXCEEDED))
            return error_copy(answers[i].error);
    }
    return NULL;
}

static struct error *
shard_replication_positions(struct ctl *ctl)
{
    CLEANUP(shard_view_done) struct shard_view view = {0};
    TRY(shard_view_open(ctl, ctl->words.items[0], NULL, &view));
    struct asked *answers = xcalloc(view.tablets.count + 1, sizeof(*answers));
    struct asking asking = {ctl, &view, answers};
    parallel_run(view.tablets.count, ask_position, &asking);
    if (ctl->options.wants_json)
        print_positions_json(ctl, &view, answers);
    else
        print_positions(ctl, &view, answers);
    struct error *error = first_failure(answers, view.tablets.count);
    free_answers(answers, view.tablets.count);
    return error;
}

/* ---- A statement ---- */

/* Values stand one after the other; a length below 0 is NULL. */
static struct error *
add_result_row(struct strv *cells, const Query__Row *row, size_t columns)
{
    size_t at = 0;
    for (size_t i = 0; i < columns; i++) {
        int64_t length = i < row->n_lengths ? row->lengths[i] : -1;
        if (length < 0) {
            strv_add(cells, "NULL");
            continue;
        }
        if ((uint64_t)length > row->values.len - at)
            return error_new(ERROR_DATA_LOSS, "the answer's rows do not fit their lengths");
        strv_add_take(cells, xstrndup((char *)row->values.data + at, (size_t)length));
        at += (size_t)length;
    }
    return NULL;
}

static struct error *
print_result(struct ctl *ctl, const Query__QueryResult *result)
{
    if (result == NULL || ctl->options.wants_json) {
        print_message(ctl, result == NULL ? NULL : &result->base);
        return NULL;
    }
    if (result->n_fields == 0) {
        fprintf(ctl->out, "%llu rows affected\n", (unsigned long long)result->rows_affected);
        return NULL;
    }
    CLEANUP(table_done) struct table table = {.columns = result->n_fields};
    for (size_t i = 0; i < result->n_fields; i++)
        strv_add(&table.cells, result->fields[i]->name);
    for (size_t i = 0; i < result->n_rows; i++)
        TRY(add_result_row(&table.cells, result->rows[i], result->n_fields));
    table_print(&table, ctl->out);
    return NULL;
}

static struct error *
execute_fetch_as_dba(struct ctl *ctl)
{
    Tabletmanagerdata__ExecuteFetchAsDbaRequest request =
        TABLETMANAGERDATA__EXECUTE_FETCH_AS_DBA_REQUEST__INIT;
    CLEANUP(record_freep) Topodata__Tablet *tablet = NULL;
    CLEANUP(record_freep) Tabletmanagerdata__ExecuteFetchAsDbaResponse *response = NULL;
    if (ctl->options.max_rows < 0)
        return ctl_wrong_use(ctl, "--max-rows must not be negative");
    TRY(ctl_read_tablet(ctl, 0, &tablet));
    char *sql = ctl->words.items[1];
    CLEANUP(freep) char *database = tablet_database_name(tablet);
    request.query = (ProtobufCBinaryData){strlen(sql), (uint8_t *)sql};
    request.db_name = database;
    request.max_rows = (uint64_t)ctl->options.max_rows;
    request.disable_binlogs = ctl->options.disables_binlogs;
    request.reload_schema = ctl->options.reloads_schema;
    TRY(ctl_call(ctl, tablet, "ExecuteFetchAsDba", &request.base, ctl->cancel, 0, &response));
    return print_result(ctl, response->result);
}

/* ---- The table ---- */

static const struct option_row fetch_rows[] = {
    CTL_OPTION("max-rows", OPTION_INTEGER, max_rows, "10000", "most rows to fetch"),
    CTL_OPTION("disable-binlogs", OPTION_FLAG, disables_binlogs, NULL, "write no binary log"),
    CTL_OPTION("reload-schema", OPTION_FLAG, reloads_schema, NULL,
               "make the tablet read the schema again"),
};

#define STATUS "Status"
static const struct ctl_verb verbs[] = {
    {"GetFullStatus", NULL, STATUS, "TABLET", "shows all a tablet knows of its server", NULL, 0, 1,
     1, get_full_status, false},
    {"ShardReplicationPositions", NULL, STATUS, "KEYSPACE/SHARD",
     "shows where each tablet of a shard is", NULL, 0, 1, 1, shard_replication_positions, false},
    {"ExecuteFetchAsDBA", NULL, STATUS, "[--max-rows N] TABLET SQL",
     "runs a statement on a tablet's server", CTL_ROWS(fetch_rows), 2, 2, execute_fetch_as_dba,
     false},
};

struct ctl_family
status_verbs(void)
{
    return (struct ctl_family){verbs, ARRAY_LENGTH(verbs)};
}
