#include "agent/handlers/host_metrics.h"

#include <stdlib.h>
#include <unistd.h>

#include "agent/actions/dba.h"
#include "agent/base/file.h"
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"

struct error *
host_load_average(double *ret_value)
{
    double load = 0;
    if (getloadavg(&load, 1) != 1)
        return error_new(ERROR_UNAVAILABLE, "the load average cannot be read");
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    *ret_value = load / (double)(processors > 0 ? processors : 1);
    return NULL;
}

static struct error *
data_directory(struct tablet_context *context, struct cancel *cancel, char **ret_path)
{
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(dba_take(context, cancel, &dba));
    TRY(db_query_text(dba.db, cancel, "SELECT @@global.datadir", ret_path));
    return *ret_path != NULL ? NULL : error_new(ERROR_NOT_FOUND, "the server names no datadir");
}

struct error *
host_datadir_used_ratio(struct tablet_context *context, struct cancel *cancel, double *ret_value)
{
    CLEANUP(freep) char *path = NULL;
    TRY(data_directory(context, cancel, &path));
    uint64_t free_bytes = 0, total_bytes = 0;
    TRY(file_system_space(path, &free_bytes, &total_bytes));
    if (total_bytes == 0)
        return error_new(ERROR_UNAVAILABLE, "the file system of '%s' has no size", path);
    *ret_value = 1.0 - (double)free_bytes / (double)total_bytes;
    return NULL;
}

static void
add_metric(Mysqlctl__HostMetricsResponse *metrics, const char *name, double value,
           struct error *take_error)
{
    Mysqlctl__HostMetricsResponse__Metric *metric =
        message_new(&mysqlctl__host_metrics_response__metric__descriptor);
    metric->name = message_text(name);
    metric->value = value;
    if (take_error != NULL) {
        metric->error = message_new(&vtrpc__rpcerror__descriptor);
        metric->error->message = message_text(take_error->message);
        metric->error->code = (Vtrpc__Code)take_error->code;
        error_free(take_error);
    }
    Mysqlctl__HostMetricsResponse__MetricsEntry *entry =
        message_new(&mysqlctl__host_metrics_response__metrics_entry__descriptor);
    entry->key = message_text(name);
    entry->value = metric;
    message_append(&metrics->n_metrics, &metrics->metrics, entry);
}

HANDLER(handle_mysql_host_metrics)
{
    (void)request;
    Tabletmanagerdata__MysqlHostMetricsResponse *out = response;
    out->hostmetrics = message_new(&mysqlctl__host_metrics_response__descriptor);
    double ratio = 0, load = 0;
    struct error *error = host_datadir_used_ratio(call->context, call->cancel, &ratio);
    add_metric(out->hostmetrics, "datadir-used-ratio", ratio, error);
    error = host_load_average(&load);
    add_metric(out->hostmetrics, "loadavg", load, error);
    return NULL;
}
