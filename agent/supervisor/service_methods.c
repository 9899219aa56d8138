#include "agent/supervisor/service_methods.h"

#include <stdlib.h>

#include "agent/base/memory.h"
#include "agent/supervisor/host_metrics.h"
#include "mysqlctl.pb-c.h"
#include "vtagent_supervisor.pb-c.h"

/* What the caller allows, at most `most_ms`. */
static int64_t
time_left_ms(struct rpc_call *call, int64_t most_ms)
{
    int64_t left = cancel_remaining_ms(rpc_call_cancel(call));
    return left < most_ms ? left : most_ms;
}

static void
start(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Mysqlctl__StartRequest *request = (const Mysqlctl__StartRequest *)message;
    Mysqlctl__StartResponse response = MYSQLCTL__START_RESPONSE__INIT;
    struct error *error = keeper_start(keeper, request->mysqld_args, request->n_mysqld_args,
                                       time_left_ms(call, keeper_options(keeper)->wait_time_ms));
    rpc_call_finish(call, &response.base, error);
}

static void
shut_down(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    const Mysqlctl__ShutdownRequest *request = (const Mysqlctl__ShutdownRequest *)message;
    Mysqlctl__ShutdownResponse response = MYSQLCTL__SHUTDOWN_RESPONSE__INIT;
    int64_t timeout_ms = keeper_options(keeper)->shutdown_wait_time_ms;
    const Vttime__Duration *given = request->mysql_shutdown_timeout;
    if (given != NULL && given->seconds > 0 && given->seconds < INT32_MAX)
        timeout_ms = given->seconds * 1000 + given->nanos / 1000000;
    struct error *error =
        keeper_shutdown(keeper, request->wait_for_mysqld, time_left_ms(call, timeout_ms));
    rpc_call_finish(call, &response.base, error);
}

static void
run_mysql_upgrade(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    (void)message;
    Mysqlctl__RunMysqlUpgradeResponse response = MYSQLCTL__RUN_MYSQL_UPGRADE_RESPONSE__INIT;
    struct error *error = keeper_upgrade(keeper, rpc_call_cancel(call));
    rpc_call_finish(call, &response.base, error);
}

static void
reinit_config(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    (void)message;
    Mysqlctl__ReinitConfigResponse response = MYSQLCTL__REINIT_CONFIG_RESPONSE__INIT;
    struct error *error = keeper_reinit_config(keeper);
    rpc_call_finish(call, &response.base, error);
}

static void
refresh_config(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    (void)message;
    Mysqlctl__RefreshConfigResponse response = MYSQLCTL__REFRESH_CONFIG_RESPONSE__INIT;
    struct error *error = keeper_refresh_config(keeper);
    rpc_call_finish(call, &response.base, error);
}

/* Point-in-time recovery from binary logs is done by the job worker of the agent, over SQL. */
static void
refuse_binlogs(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    (void)keeper;
    (void)message;
    rpc_call_finish(call, NULL,
                    error_new(ERROR_UNIMPLEMENTED, "'%s' is not served by this supervisor",
                              rpc_call_method(call)));
}

static void
version_string(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    (void)message;
    Mysqlctl__VersionStringResponse response = MYSQLCTL__VERSION_STRING_RESPONSE__INIT;
    response.version = keeper_server(keeper)->version_line;
    rpc_call_finish(call, &response.base, NULL);
}

struct metric {
    Mysqlctl__HostMetricsResponse__Metric value;
    Mysqlctl__HostMetricsResponse__MetricsEntry entry;
    Vtrpc__RPCError error;
    struct error *cause;
};

static void
set_metric(struct metric *metric, const char *name, double value, struct error *take_error)
{
    mysqlctl__host_metrics_response__metric__init(&metric->value);
    mysqlctl__host_metrics_response__metrics_entry__init(&metric->entry);
    vtrpc__rpcerror__init(&metric->error);
    metric->cause = take_error;
    metric->value.name = (char *)name;
    metric->value.value = value;
    metric->entry.key = (char *)name;
    metric->entry.value = &metric->value;
    if (take_error != NULL) {
        metric->error.code = VTRPC__CODE__FAILED_PRECONDITION;
        metric->error.message = take_error->message;
        metric->value.error = &metric->error;
    }
}

static void
host_metrics(struct keeper *keeper, struct rpc_call *call, const ProtobufCMessage *message)
{
    (void)message;
    struct metric used, load;
    double value = 0;
    struct error *error = host_metrics_used_ratio(keeper_layout(keeper)->data, &value);
    set_metric(&used, "datadir-used-ratio", value, error);
    value = 0;
    error = host_metrics_load(&value);
    set_metric(&load, "loadavg", value, error);
    Mysqlctl__HostMetricsResponse__MetricsEntry *entries[] = {&used.entry, &load.entry};
    Mysqlctl__HostMetricsResponse response = MYSQLCTL__HOST_METRICS_RESPONSE__INIT;
    response.n_metrics = ARRAY_LENGTH(entries);
    response.metrics = entries;
    rpc_call_finish(call, &response.base, NULL);
    error_free(used.cause);
    error_free(load.cause);
}

#define METHOD(name_, prefix_, function_, worker_)                                                 \
    {                                                                                              \
        .path = "/mysqlctl.MysqlCtl/" name_,                                                       \
        .request = &mysqlctl__##prefix_##_request__descriptor,                                     \
        .response = &mysqlctl__##prefix_##_response__descriptor, .function = function_,            \
        .worker = worker_                                                                          \
    }

const struct service_method *
service_methods(size_t *ret_count)
{
    static const struct service_method methods[] = {
        METHOD("Start", start, start, SERVICE_ACTION),
        METHOD("Shutdown", shutdown, shut_down, SERVICE_ACTION),
        METHOD("RunMysqlUpgrade", run_mysql_upgrade, run_mysql_upgrade, SERVICE_ACTION),
        METHOD("ApplyBinlogFile", apply_binlog_file, refuse_binlogs, SERVICE_QUICK),
        METHOD("ReadBinlogFilesTimestamps", read_binlog_files_timestamps, refuse_binlogs,
               SERVICE_QUICK),
        METHOD("ReinitConfig", reinit_config, reinit_config, SERVICE_ACTION),
        METHOD("RefreshConfig", refresh_config, refresh_config, SERVICE_ACTION),
        METHOD("VersionString", version_string, version_string, SERVICE_QUICK),
        METHOD("HostMetrics", host_metrics, host_metrics, SERVICE_QUICK),
        {.path = "/vtagent.Supervisor/Status",
         .request = &vtagent__supervisor_status_request__descriptor,
         .response = &vtagent__supervisor_status_response__descriptor,
         .function = service_status},
        {.path = "/vtagent.Supervisor/Freeze",
         .request = &vtagent__freeze_request__descriptor,
         .response = &vtagent__freeze_response__descriptor,
         .function = service_freeze,
         .worker = SERVICE_ACTION,
         .is_refused_when_busy = true},
        {.path = "/vtagent.Supervisor/NewImage",
         .request = &vtagent__new_image_request__descriptor,
         .response = &vtagent__new_image_response__descriptor,
         .function = service_new_image,
         .worker = SERVICE_IMAGE},
        {.path = "/vtagent.Supervisor/DropImage",
         .request = &vtagent__drop_image_request__descriptor,
         .response = &vtagent__drop_image_response__descriptor,
         .function = service_drop_image,
         .worker = SERVICE_IMAGE},
        {.path = "/vtagent.Supervisor/ProveImage",
         .request = &vtagent__prove_image_request__descriptor,
         .response = &vtagent__prove_image_response__descriptor,
         .function = service_prove_image,
         .worker = SERVICE_IMAGE},
    };
    *ret_count = ARRAY_LENGTH(methods);
    return methods;
}
