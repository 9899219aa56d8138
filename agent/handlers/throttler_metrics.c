/* The metrics an app can be checked against. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/handlers/host_metrics.h"
#include "agent/handlers/message.h"
#include "agent/handlers/throttler.h"

#define PEER_TIMEOUT_MS 1000

/* While replication is stopped the lag grows with time, as it does by Vitess's heartbeats. */
static struct error *
read_lag(struct handler_call *call, const Topodata__ThrottlerConfig *config, double *ret_value)
{
    (void)config;
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(call->context->tablet, &snapshot);
    if (snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY) {
        *ret_value = 0;
        return NULL;
    }
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    CLEANUP(replication_status_done) struct replication_status status = {0};
    TRY(replication_status_read(dba.db, call->cancel, &status));
    if (!status.is_lag_unknown)
        tablet_set_lag(call->context, status.lag_seconds);
    else if (snapshot.data_as_of_ms == 0)
        return error_new(ERROR_UNAVAILABLE, "replication lag is unknown: replication is stopped");
    *ret_value = !status.is_lag_unknown
                     ? status.lag_seconds
                     : (double)(clock_monotonic_ms() - snapshot.data_as_of_ms) / 1000;
    return NULL;
}

/* A number in the last column of the only row. */
static struct error *
read_number(struct handler_call *call, const char *sql, double *ret_value)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    CLEANUP(db_result_freep) struct db_result *result = NULL;
    TRY(db_query(dba.db, call->cancel, 2, sql, &result));
    if (result->row_count != 1 || result->field_count == 0)
        return error_new(ERROR_FAILED_PRECONDITION, "expected one row from: %s", sql);
    const char *text = db_result_cell(result, 0, result->field_count - 1)->data;
    char *end = NULL;
    double value = text == NULL ? 0 : strtod(text, &end);
    if (text == NULL || end == text || *end != '\0')
        return error_new(ERROR_FAILED_PRECONDITION, "expected a number from: %s", sql);
    *ret_value = value;
    return NULL;
}

static struct error *
read_threads_running(struct handler_call *call, const Topodata__ThrottlerConfig *config,
                     double *ret_value)
{
    (void)config;
    return read_number(call, "SHOW GLOBAL STATUS LIKE 'Threads_running'", ret_value);
}

static struct error *
read_history_list_length(struct handler_call *call, const Topodata__ThrottlerConfig *config,
                         double *ret_value)
{
    (void)config;
    return read_number(call,
                       "SELECT count AS history_length FROM information_schema.innodb_metrics "
                       "WHERE name = 'trx_rseg_history_len'",
                       ret_value);
}

static struct error *
read_custom(struct handler_call *call, const Topodata__ThrottlerConfig *config, double *ret_value)
{
    if (str_is_empty(config->custom_query)) {
        *ret_value = 0;
        return NULL;
    }
    return read_number(call, config->custom_query, ret_value);
}

static struct error *
read_load_average(struct handler_call *call, const Topodata__ThrottlerConfig *config,
                  double *ret_value)
{
    (void)call;
    (void)config;
    return host_load_average(ret_value);
}

static struct error *
read_used_ratio(struct handler_call *call, const Topodata__ThrottlerConfig *config,
                double *ret_value)
{
    (void)config;
    return host_datadir_used_ratio(call->context, call->cancel, ret_value);
}

static const struct throttler_metric metrics[] = {
    {"lag", true, 5, read_lag},
    {"threads_running", false, 100, read_threads_running},
    {"custom", false, 0, read_custom},
    {"loadavg", false, 1, read_load_average},
    {"history_list_length", false, 1000000000, read_history_list_length},
    {"mysqld-loadavg", false, 1, read_load_average},
    {"mysqld-datadir-used-ratio", false, 0.98, read_used_ratio},
};

const struct throttler_metric *
throttler_metrics(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(metrics);
    return metrics;
}

const struct throttler_metric *
throttler_metric_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(metrics); i++)
        if (str_equal(metrics[i].name, name))
            return &metrics[i];
    return NULL;
}

static struct error *
metric_of_response(const Tabletmanagerdata__CheckThrottlerResponse *response, const char *name,
                   double *ret_value)
{
    for (size_t i = 0; i < response->n_metrics; i++) {
        const Tabletmanagerdata__CheckThrottlerResponse__Metric *metric =
            response->metrics[i]->value;
        if (metric == NULL || !str_equal(response->metrics[i]->key, name))
            continue;
        if (!str_is_empty(metric->error) &&
            metric->response_code !=
                TABLETMANAGERDATA__CHECK_THROTTLER_RESPONSE_CODE__THRESHOLD_EXCEEDED)
            return error_new(ERROR_UNAVAILABLE, "%s", metric->error);
        *ret_value = metric->value;
        return NULL;
    }
    return error_new(ERROR_NOT_FOUND, "metric '%s' not collected yet", name);
}

static struct error *
ask_peer(struct handler_call *call, const Topodata__Tablet *peer, const char *name,
         double *ret_value)
{
    CLEANUP(cancel_unrefp)
    struct cancel *cancel = cancel_new_child(call->cancel, PEER_TIMEOUT_MS);
    Tabletmanagerdata__CheckThrottlerRequest request =
        TABLETMANAGERDATA__CHECK_THROTTLER_REQUEST__INIT;
    request.app_name = (char *)"vitess";
    request.scope = (char *)"self";
    request.skip_request_heartbeats = true;
    ProtobufCMessage *response = NULL;
    TRY(tm_call(call->context->tm_client, peer, "CheckThrottler", &request.base,
                &tabletmanagerdata__check_throttler_response__descriptor, cancel, &response));
    struct error *error = metric_of_response(
        (const Tabletmanagerdata__CheckThrottlerResponse *)response, name, ret_value);
    protobuf_c_message_free_unpacked(response, NULL);
    return error;
}

static bool
counts_for_shard(struct handler_call *call, const Topodata__Tablet *peer)
{
    struct tablet_alias alias = tablet_alias_of(peer->alias);
    return peer->type == TOPODATA__TABLET_TYPE__REPLICA && !str_is_empty(peer->hostname) &&
           !tablet_alias_equal(&alias, &call->context->identity->alias);
}

static struct error *
read_peers(struct handler_call *call, const char *name, double *largest)
{
    const struct tablet_identity *identity = call->context->identity;
    struct tablet_list list = {0};
    TRY(topo_list_shard_tablets(call->context->topo, call->cancel, identity->keyspace,
                                identity->shard, &list));
    struct error *error = NULL;
    for (size_t i = 0; i < list.count && error == NULL; i++) {
        double value = 0;
        if (counts_for_shard(call, list.items[i]))
            error = ask_peer(call, list.items[i], name, &value);
        if (value > *largest)
            *largest = value;
    }
    tablet_list_done(&list);
    return error;
}

struct error *
throttler_metric_read(struct handler_call *call, const Topodata__ThrottlerConfig *config,
                      const struct throttler_metric *metric, bool is_of_shard, double *ret_value)
{
    double value = 0;
    TRY(metric->read(call, config, &value));
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(call->context->tablet, &snapshot);
    /* Only the primary asks the others: they would ask each other in circles. */
    if (is_of_shard && snapshot.type == TOPODATA__TABLET_TYPE__PRIMARY)
        TRY(read_peers(call, metric->name, &value));
    *ret_value = value;
    return NULL;
}
