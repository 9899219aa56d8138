/* Building and taking apart the daemon. Nothing here waits for the topology or for mysqld. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/daemon_private.h"
#include "agent/handlers/handlers.h"
#include "agent/job/registry.h"

#define JOB_THREADS 2 /* a backup's copying, a verification */
#define QUERY_THREADS 4
#define WAIT_THREADS 16
#define MOST_IDLE_CONNECTIONS 8
#define BACKUPS_INTERVAL_MS 60000

struct error *
daemon_lock(struct daemon *daemon)
{
    const struct tablet_identity *identity = &daemon->config->identity;
    TRY(error_wrap(file_make_directories(identity->tablet_directory, 0755),
                   "create the tablet's folder (is $VTDATAROOT right?)"));
    CLEANUP(freep) char *path = xasprintf("%s/vtagent.lock", identity->tablet_directory);
    daemon->lock_descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (daemon->lock_descriptor < 0)
        return error_from_errno(errno, "open '%s'", path);
    if (flock(daemon->lock_descriptor, LOCK_EX | LOCK_NB) == 0)
        return NULL;
    if (errno != EWOULDBLOCK)
        return error_from_errno(errno, "lock '%s'", path);
    return error_new(ERROR_FAILED_PRECONDITION,
                     "another agent already runs tablet '%s' (it holds '%s'): stop it first",
                     identity->alias_text, path);
}

static void
on_change(void *data)
{
    struct daemon *daemon = data;
    shard_sync_wake(daemon->shard_sync);
    health_refresh(daemon->health);
}

static void
on_health_wanted(void *data)
{
    health_poke(((struct daemon *)data)->health);
}

static void
on_heartbeats_wanted(void *data)
{
    heartbeat_request(((struct daemon *)data)->heartbeat);
}

#define JOB_TEXT 128
/* "backup-3, copy, 42 %", or "". */
static void
describe_job(struct job_registry *jobs, char text[JOB_TEXT])
{
    struct job_summary *summary = xcalloc(1, sizeof(*summary));
    job_registry_read(jobs, summary);
    const struct job_view *job = summary->count > 0 ? &summary->views[0] : NULL;
    text[0] = '\0';
    if (job != NULL && (job->state == JOB_RUNNING || job->state == JOB_WAITING))
        snprintf(text, JOB_TEXT, "%s, %s, %d %%", job->id,
                 job->phase[0] != '\0' ? job->phase : job_state_name(job->state),
                 job->total_bytes != 0 ? (int)(job->done_bytes * 100 / job->total_bytes) : 0);
    freep(&summary);
}

static void
on_health_report(const struct health_view *view, void *data)
{
    struct daemon *daemon = data;
    struct tablet_snapshot snapshot;
    tablet_get_snapshot(daemon->context.tablet, &snapshot);
    stream_health_tell(handlers_streams(daemon->methods), view, &snapshot);
    char job[JOB_TEXT];
    describe_job(daemon->context.jobs, job);
    health_publisher_tell(daemon->publisher, view, &snapshot, job);
}

static void
on_health_doubt(void *data)
{
    health_publisher_ask(((struct daemon *)data)->publisher);
}

static void
on_record_deleted(void *data)
{
    daemon_request_stop(data, 0, "our tablet record was deleted from the topology");
}

static void
on_call_done(const char *path, int code, int64_t microseconds, void *data)
{
    metrics_count(((struct daemon *)data)->metrics, path, code, microseconds);
}

static struct error *
create_workers(struct daemon *daemon)
{
    struct tablet_context *context = &daemon->context;
    TRY(worker_new("action", 1, &context->action_worker));
    TRY(worker_new("job", JOB_THREADS, &context->job_worker));
    TRY(worker_new("stream", HANDLER_STREAMS_MOST, &context->stream_worker));
    TRY(worker_new("query", QUERY_THREADS, &context->query_worker));
    TRY(worker_new("wait", WAIT_THREADS, &context->wait_worker));
    return worker_new("stop", 1, &daemon->stop_worker);
}

static struct error *
create_clients(struct daemon *daemon)
{
    struct tablet_context *context = &daemon->context;
    const struct config *config = daemon->config;
    struct rpc_tls peer_tls = {.certificate_file = config->peer_cert,
                               .key_file = config->peer_key,
                               .ca_file = config->peer_ca,
                               .crl_file = config->peer_crl,
                               .server_name = config->peer_server_name};
    struct rpc_static_auth peer_auth = {.client_file = config->grpc_client_creds};
    struct topo_etcd_options etcd = {.addresses = config->topo_addresses,
                                     .root = config->topo_root,
                                     .tls = {.certificate_file = config->topo_tls_cert,
                                             .key_file = config->topo_tls_key,
                                             .ca_file = config->topo_tls_ca},
                                     .lease_ttl_seconds = config->topo_lease_ttl_seconds};
    context->tm_client = tm_client_new(daemon->pump, &peer_tls, &peer_auth);
    TRY(topo_open(daemon->pump, &etcd, &context->topo));
    if (str_is_empty(config->mysqlctl_socket))
        return NULL;
    return mysqlctl_client_new(daemon->pump, config->mysqlctl_socket, &context->mysqlctl);
}

static void
create_tablet(struct daemon *daemon)
{
    struct tablet_context *context = &daemon->context;
    struct config *config = daemon->config;
    struct tablet_options options = {
        .loop = context->loop,
        .identity = &config->identity,
        .database_override = config->init_database,
        .charset = config->db_charset,
        .tag_names = &config->tag_names,
        .tag_values = &config->tag_values,
        .mysql_port = config->is_mysql_remote ? config->dba_params.port : 0,
        .start_time_ns = daemon->start_time_ns,
        .publish_retry_ms = config->publish_retry_ms,
        .on_record_deleted = on_record_deleted,
        .on_record_deleted_data = daemon,
        .on_health_wanted = on_health_wanted,
        .on_health_wanted_data = daemon,
        .on_heartbeats_wanted = on_heartbeats_wanted,
        .on_heartbeats_wanted_data = daemon,
    };
    tablet_bind(tablet_new(&options), context);
}

/* The parameters are borrowed from the config, which lives as long. */
static void
fill_context(struct daemon *daemon)
{
    struct tablet_context *context = &daemon->context;
    struct config *config = daemon->config;
    context->identity = &config->identity;
    context->dba_params = config->dba_params;
    context->app_params = config->app_params;
    context->allprivs_params = config->allprivs_params;
    context->repl_params = config->repl_params;
    context->config = config;
    context->backup = &config->backup;
    context->on_change = on_change;
    context->on_change_data = daemon;
    context->stop = cancel_new(INT64_MAX);
    context->jobs = job_registry_new(context->stop);
    context->dba_pool = db_pool_new(&context->dba_params, MOST_IDLE_CONNECTIONS);
}

static void
create_methods(struct daemon *daemon)
{
    daemon->methods = handlers_methods(&daemon->context, &daemon->method_count);
    const char **paths = xcalloc(daemon->method_count + 1, sizeof(*paths));
    for (size_t i = 0; i < daemon->method_count; i++)
        paths[i] = daemon->methods[i].path;
    daemon->metrics = metrics_new(paths, daemon->method_count);
    freep(&paths);
}

static struct error *
create_health(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    bool has_storage = !str_is_empty(config->storage_implementation);
    const char *directory = str_is_empty(config->disk_directory) ? config->identity.tablet_directory
                                                                 : config->disk_directory;
    struct health_options options = {.context = &daemon->context,
                                     .rules = {.interval_ms = config->health_interval_ms,
                                               .unhealthy_ms = config->unhealthy_ms,
                                               .degraded_ms = config->degraded_ms,
                                               .disk_timeout_ms = config->disk_timeout_ms,
                                               .disk_reserve_bytes = config->disk_reserve_bytes,
                                               .expects_heartbeats = config->writes_heartbeats,
                                               .heartbeat_ms = config->heartbeat_interval_ms},
                                     .disk_directory = config->is_mysql_remote ? "" : directory,
                                     .disk_interval_ms = config->disk_interval_ms,
                                     .certificate_files = {config->grpc_cert, config->peer_cert,
                                                           config->topo_tls_cert,
                                                           config->http_cert},
                                     .backups_interval_ms = has_storage ? BACKUPS_INTERVAL_MS : 0,
                                     .on_report = on_health_report,
                                     .on_report_data = daemon,
                                     .on_doubt = on_health_doubt,
                                     .on_restart = daemon_on_server_restart};
    TRY(health_publisher_new(&daemon->context, config->health_ttl_ms, &daemon->publisher));
    TRY(health_new(&options, &daemon->health));
    struct heartbeat_options heartbeat = {.context = &daemon->context,
                                          .interval_ms = config->heartbeat_interval_ms,
                                          .is_always_on = config->writes_heartbeats,
                                          .lease_ms = config->heartbeat_lease_ms};
    return heartbeat_new(&heartbeat, &daemon->heartbeat);
}

struct error *
daemon_create(struct daemon *daemon)
{
    struct tablet_context *context = &daemon->context;
    TRY(loop_new(&context->loop));
    TRY(rpc_pump_start(&daemon->pump));
    fill_context(daemon);
    TRY(create_workers(daemon));
    TRY(create_clients(daemon));
    create_tablet(daemon);
    create_methods(daemon);
    TRY(create_health(daemon));
    daemon->lookout = lookout_new(context);
    return shard_sync_new(context, daemon->config->shard_sync_retry_ms, &daemon->shard_sync);
}

/* ---- Listening ---- */

/* A job of ours may have stored a backup, or found out about one. */
static void
look_at_backups(struct daemon *daemon, const struct job_summary *jobs)
{
    uint64_t ended = 0;
    for (int kind = 0; kind < JOB_KIND_COUNT; kind++) {
        for (int state = 0; state < JOB_STATE_COUNT; state++)
            ended += jobs->ended[kind][state];
    }
    if (ended != daemon->jobs_seen)
        health_poke_backups(daemon->health);
    daemon->jobs_seen = ended;
}

static void
fill_picture(struct pages_picture *picture, void *data)
{
    struct daemon *daemon = data;
    const char *step = atomic_load(&daemon->start_step);
    picture->identity = &daemon->config->identity;
    tablet_get_view(daemon->context.tablet, &picture->view);
    health_get_view(daemon->health, &picture->health);
    picture->is_started = step == NULL;
    picture->awaits_primary = atomic_load(&daemon->awaits_primary);
    picture->start_step = step == NULL ? "" : step;
    picture->start_time_ns = daemon->start_time_ns;
    picture->now_ns = clock_wall_ns();
    picture->metrics = daemon->metrics;
    picture->process = process_stats_read();
    job_registry_read(daemon->context.jobs, &picture->jobs);
    picture->now_ms = clock_monotonic_ms();
    picture->stuck_after_ms = daemon->config->stuck_after_ms;
    action_watch_read(handlers_action_watch(daemon->methods), picture->now_ms, &picture->action);
    picture->has_storage = !str_is_empty(daemon->config->storage_implementation);
    picture->shard = lookout_get(daemon->lookout);
    if (!picture->row->shows_shard)
        return;
    lookout_want(daemon->lookout);
    look_at_backups(daemon, &picture->jobs);
}

static struct error *
listen_grpc(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    const char *host =
        str_is_empty(config->grpc_bind_address) ? "0.0.0.0" : config->grpc_bind_address;
    CLEANUP(freep) char *address = xasprintf("%s:%lld", host, (long long)config->grpc_port);
    const char *addresses[] = {address, NULL};
    bool has_auth = str_equal(config->grpc_auth_mode, "static");
    struct rpc_server_options options = {
        .addresses = addresses,
        .methods = daemon->methods,
        .method_count = daemon->method_count,
        .tls = {.certificate_file = config->grpc_cert,
                .key_file = config->grpc_key,
                .ca_file = config->grpc_ca,
                .crl_file = config->grpc_crl,
                .requires_client_certificate = !str_is_empty(config->grpc_ca)},
        .auth = {.users_file = has_auth ? config->grpc_users_file : NULL},
        .allowed_subjects =
            str_equal(config->grpc_auth_mode, "mtls") ? config->grpc_allowed_subjects : NULL,
        .max_message_bytes = config->grpc_max_message_bytes,
        .error_suffix_alias = config->identity.alias_text,
        .on_done = on_call_done,
        .on_done_data = daemon,
    };
    return rpc_server_start(daemon->pump, &options, &daemon->server);
}

struct error *
daemon_listen(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    TRY(listen_grpc(daemon));
    if (config->port == 0)
        return NULL;
    struct http_options options = {.address = config->bind_address,
                                   .port = (int)config->port,
                                   .tls = {.certificate = config->http_cert,
                                           .key = config->http_key,
                                           .authority = config->http_ca},
                                   .fill = fill_picture,
                                   .data = daemon};
    TRY(http_start(daemon->context.loop, &options, &daemon->http));
    lookout_start(daemon->lookout);
    return NULL;
}

void
daemon_destroy(struct daemon *daemon)
{
    struct tablet_context *context = &daemon->context;
    cancel_request(context->stop);
    health_publisher_free(daemon->publisher);
    health_free(daemon->health);
    heartbeat_free(daemon->heartbeat);
    shard_sync_free(daemon->shard_sync);
    worker_free(context->action_worker);
    worker_free(context->job_worker); /* the action thread hands jobs over to it */
    worker_free(context->stream_worker);
    worker_free(context->wait_worker);
    worker_free(context->query_worker);
    worker_free(daemon->stop_worker);
    lookout_free(daemon->lookout);
    handlers_free(daemon->methods);
    job_registry_free(context->jobs);
    tablet_free(context->tablet);
    mysqlctl_client_free(context->mysqlctl);
    if (context->tm_client != NULL)
        tm_client_free(context->tm_client);
    if (context->topo != NULL)
        topo_close(context->topo);
    if (context->dba_pool != NULL)
        db_pool_free(context->dba_pool);
    if (daemon->pump != NULL)
        rpc_pump_stop(daemon->pump);
    metrics_free(daemon->metrics);
    cancel_unref(context->stop);
    loop_free(context->loop);
    closep(&daemon->lock_descriptor);
}
