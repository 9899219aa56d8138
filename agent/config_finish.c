/* From flags to the tablet's identity: checks first, each with one sentence, then what follows. */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/config.h"

#define DEFAULT_DATAROOT "/vt"
#define DEFAULT_CONNECT_TIMEOUT_MS 5000
#define MYCNF_LIMIT_BYTES (1u << 20)

static struct error *
require(const char *value, const char *flag, const char *meaning)
{
    if (str_is_empty(value))
        return error_new(ERROR_INVALID_ARGUMENT, "--%s is required: %s", flag, meaning);
    return NULL;
}

static struct error *
check_one_of(const char *flag, const char *value, const char *const *known)
{
    if (str_is_empty(value))
        return NULL;
    for (size_t i = 0; known[i] != NULL; i++) {
        if (str_equal(known[i], value))
            return NULL;
    }
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    for (size_t i = 0; known[i] != NULL; i++)
        strv_add(&names, known[i]);
    CLEANUP(freep) char *text = strv_join(&names, ", ");
    return error_new(ERROR_INVALID_ARGUMENT, "--%s '%s' is not known: use %s", flag, value, text);
}

static struct error *
check_port(const char *flag, int64_t port, bool may_be_zero)
{
    if (port > 65535 || port < 0 || (port == 0 && !may_be_zero))
        return error_new(ERROR_INVALID_ARGUMENT, "--%s must be a port from %d to 65535, not %lld",
                         flag, may_be_zero ? 0 : 1, (long long)port);
    return NULL;
}

static struct error *
check_range(const char *flag, int64_t value, int64_t least, int64_t most)
{
    if (value < least || value > most)
        return error_new(ERROR_INVALID_ARGUMENT, "--%s must be from %lld to %lld, not %lld", flag,
                         (long long)least, (long long)most, (long long)value);
    return NULL;
}

static struct error *
check_required(const struct config *config)
{
    TRY(require(config->tablet_path, "tablet-path", "the tablet's alias, like zone1-100"));
    TRY(require(config->init_keyspace, "init-keyspace", "the keyspace of the tablet"));
    TRY(require(config->init_shard, "init-shard", "the shard of the tablet, like 0 or -80"));
    TRY(require(config->topo_addresses, "topo-global-server-address", "host:port of etcd"));
    return require(config->topo_root, "topo-global-root",
                   "the root of the global topology, like /vitess/global");
}

static struct error *
check_numbers(const struct config *config)
{
    TRY(check_port("port", config->port, true));
    TRY(check_port("grpc-port", config->grpc_port, false));
    TRY(check_port("db-port", config->db_port, true));
    TRY(check_range("grpc-max-message-size", config->grpc_max_message_bytes, 1 << 16, 1 << 30));
    TRY(check_range("restore-concurrency", config->restore_concurrency, 1, 256));
    TRY(check_range("backup-concurrency", config->backup_concurrency, 1, 256));
    TRY(check_range("compression-level", config->compression_level, -5, 22));
    TRY(check_range("topo-etcd-lease-ttl", config->topo_lease_ttl_seconds, 1, 3600));
    TRY(check_range("disk-write-interval", config->disk_interval_ms, 100, 3600000));
    TRY(check_range("disk-write-timeout", config->disk_timeout_ms, 100, 3600000));
    TRY(check_range("disk-reserve", config->disk_reserve_bytes, 0, INT64_MAX));
    TRY(check_range("heartbeat-interval", config->heartbeat_interval_ms, 100, 60000));
    TRY(check_range("health-ttl", config->health_ttl_ms, 2000, 3600000));
    TRY(check_range("health-check-interval", config->health_interval_ms, 100, 3600000));
    return check_range("remote-operation-timeout", config->remote_operation_timeout_ms, 100,
                       3600000);
}

static struct error *
check_backup(const struct config *config)
{
    static const char *const storages[] = {"file", "gcs", NULL};
    static const char *const quiesces[] = {"auto", "freeze", "stop", NULL};
    static const char *const proofs[] = {"none", "start", "tables", NULL};
    static const char *const verifications[] = {"none", "size", "full", NULL};
    static const char *const engines[] = {"pargzip", "pgzip", "zstd", "lz4", "none", NULL};
    TRY(check_one_of("backup-storage-implementation", config->storage_implementation, storages));
    TRY(check_one_of("compression-engine-name", config->compression_engine, engines));
    TRY(check_one_of("backup-quiesce", config->backup_quiesce, quiesces));
    TRY(check_one_of("backup-prove", config->backup_prove, proofs));
    TRY(check_one_of("backup-verify", config->backup_verify, verifications));
    TRY(check_range("backup-chunk-size", config->backup_chunk_bytes, 0, 1 << 30));
    TRY(check_range("backup-max-memory", config->backup_memory_bytes, 0, INT64_MAX));
    TRY(check_range("backup-rate-limit", config->backup_rate_bytes, 0, INT64_MAX));
    if (config->backup_chunk_bytes % (64 << 10) != 0)
        return error_new(ERROR_INVALID_ARGUMENT, "--backup-chunk-size must be a multiple of 64K");
    if (str_equal(config->storage_implementation, "file") && str_is_empty(config->file_backup_root))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "--backup-storage-implementation file needs --file-backup-storage-root");
    if (str_equal(config->storage_implementation, "gcs") && str_is_empty(config->gcs_bucket))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "--backup-storage-implementation gcs needs --gcs-backup-storage-bucket");
    if (config->restores && str_is_empty(config->storage_implementation))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "--restore-from-backup needs --backup-storage-implementation file and "
                         "--file-backup-storage-root, or gcs and --gcs-backup-storage-bucket");
    return NULL;
}

static struct error *
check_http(const struct config *config)
{
    if (!str_is_empty(config->http_cert))
        return require(config->http_key, "http-key", "the key of --http-cert");
    if (!str_is_empty(config->http_key) || !str_is_empty(config->http_ca))
        return require(config->http_cert, "http-cert", "TLS, for --http-key and --http-ca");
    return NULL;
}

static struct error *
check_security(const struct config *config)
{
    static const char *const modes[] = {"static", "mtls", NULL};
    TRY(check_one_of("grpc-auth-mode", config->grpc_auth_mode, modes));
    if (str_equal(config->grpc_auth_mode, "static"))
        TRY(require(config->grpc_users_file, "grpc-auth-static-password-file",
                    "who may call, for --grpc-auth-mode static"));
    if (str_equal(config->grpc_auth_mode, "mtls")) {
        TRY(require(config->grpc_cert, "grpc-cert", "TLS, for --grpc-auth-mode mtls"));
        TRY(require(config->grpc_ca, "grpc-ca",
                    "authority of client certificates, for --grpc-auth-mode mtls"));
    }
    if (!str_is_empty(config->grpc_crl)) {
        TRY(require(config->grpc_cert, "grpc-cert", "TLS, for --grpc-crl"));
        TRY(require(config->grpc_ca, "grpc-ca",
                    "authority of the certificates that --grpc-crl revokes"));
    }
    if (!str_is_empty(config->peer_crl))
        TRY(require(config->peer_ca, "tablet-manager-grpc-ca",
                    "authority of the certificates that --tablet-manager-grpc-crl revokes"));
    return NULL;
}

static struct error *
check_words(struct config *config)
{
    static const char *const topologies[] = {"etcd2", NULL};
    static const char *const formats[] = {"json", "text", NULL};
    TRY(check_one_of("topo-implementation", config->topo_implementation, topologies));
    TRY(check_one_of("log-format", config->log_format, formats));
    TRY(check_security(config));
    TRY(check_http(config));
    TRY(error_wrap(log_level_parse(config->log_level, &config->level), "--log-level"));
    config->format = str_equal(config->log_format, "json")   ? LOG_FORMAT_JSON
                     : str_equal(config->log_format, "text") ? LOG_FORMAT_TEXT
                                                             : LOG_FORMAT_AUTO;
    return NULL;
}

/* ---- Identity ---- */

static char *
own_hostname(void)
{
    char name[256] = "localhost";
    if (gethostname(name, sizeof(name) - 1) != 0)
        return xstrdup("localhost");
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_family = AF_UNSPEC};
    struct addrinfo *found = NULL;
    char *result = NULL;
    if (getaddrinfo(name, NULL, &hints, &found) == 0 && found != NULL &&
        found->ai_canonname != NULL)
        result = xstrdup(found->ai_canonname);
    if (found != NULL)
        freeaddrinfo(found);
    return result != NULL ? result : xstrdup(name);
}

static struct error *
take_type(struct config *config)
{
    Topodata__TabletType type;
    TRY(error_wrap(tablet_type_parse(config->init_tablet_type, &type), "--init-tablet-type"));
    if (type != TOPODATA__TABLET_TYPE__REPLICA && type != TOPODATA__TABLET_TYPE__RDONLY &&
        type != TOPODATA__TABLET_TYPE__SPARE)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "--init-tablet-type '%s' cannot be a start: use replica, rdonly or spare",
                         config->init_tablet_type);
    config->identity.init_type = type;
    return NULL;
}

static struct error *
take_names(struct config *config)
{
    struct tablet_identity *identity = &config->identity;
    TRY(error_wrap(tablet_alias_parse(config->tablet_path, &identity->alias), "--tablet-path"));
    tablet_alias_format(&identity->alias, identity->alias_text);
    TRY(name_validate("--init-keyspace", config->init_keyspace));
    identity->keyspace = xstrdup(config->init_keyspace);
    TRY(error_wrap(shard_name_parse(config->init_shard, &identity->shard, NULL), "--init-shard"));
    identity->database = str_is_empty(config->init_database)
                             ? xasprintf("vt_%s", identity->keyspace)
                             : xstrdup(config->init_database);
    identity->sidecar = xstrdup("_vt");
    TRY(take_type(config));
    return config_parse_tags(&config->init_tags, &config->tag_names, &config->tag_values);
}

static void
take_paths(struct config *config)
{
    struct tablet_identity *identity = &config->identity;
    const char *root = getenv("VTDATAROOT");
    if (str_is_empty(root))
        root = DEFAULT_DATAROOT;
    identity->tablet_directory = str_is_empty(config->tablet_dir)
                                     ? xasprintf("%s/vt_%010u", root, (unsigned)identity->alias.uid)
                                     : xasprintf("%s/%s", root, config->tablet_dir);
    identity->mycnf_path = str_is_empty(config->mycnf_file)
                               ? xasprintf("%s/my.cnf", identity->tablet_directory)
                               : xstrdup(config->mycnf_file);
}

static void
take_addresses(struct config *config)
{
    struct tablet_identity *identity = &config->identity;
    identity->hostname =
        str_is_empty(config->tablet_hostname) ? own_hostname() : xstrdup(config->tablet_hostname);
    config->is_mysql_remote = !str_is_empty(config->db_host) && str_is_empty(config->db_socket);
    identity->mysql_hostname =
        xstrdup(config->is_mysql_remote ? config->db_host : identity->hostname);
    identity->http_port = (int)config->port;
    identity->grpc_port = (int)config->grpc_port;
    identity->remote_operation_timeout_ms = config->remote_operation_timeout_ms;
    identity->has_active_reparents = !config->disable_active_reparents && !config->is_unmanaged;
}

/* ---- The server ---- */

/* --db-socket, --mycnf-socket-file, my.cnf's socket, mysql.sock in the tablet's folder. */
static char *
find_socket(const struct config *config)
{
    if (!str_is_empty(config->db_socket))
        return xstrdup(config->db_socket);
    if (!str_is_empty(config->mycnf_socket_file))
        return xstrdup(config->mycnf_socket_file);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    struct error *error = file_read(config->identity.mycnf_path, MYCNF_LIMIT_BYTES, &text);
    char *found = error == NULL ? config_mycnf_value(buffer_text(&text), "socket") : NULL;
    error_free(error); /* the supervisor may not have written it yet */
    if (found != NULL)
        return found;
    return xasprintf("%s/mysql.sock", config->identity.tablet_directory);
}

static void
take_account(const struct config *config, const struct config_account *account, const char *socket,
             struct db_params *params)
{
    const char *user = str_is_empty(account->uname) ? account->user : account->uname;
    *params = (struct db_params){
        .socket = config->is_mysql_remote ? NULL : xstrdup(socket),
        .host = config->is_mysql_remote ? xstrdup(config->db_host) : NULL,
        .port = config->db_port != 0 ? (int)config->db_port : 3306,
        .user = xstrdup(user),
        .password = xstrdup(account->password != NULL ? account->password : ""),
        .connect_timeout_ms = config->db_connect_timeout_ms > 0 ? config->db_connect_timeout_ms
                                                                : DEFAULT_CONNECT_TIMEOUT_MS,
    };
}

static struct error *
take_accounts(struct config *config)
{
    CLEANUP(freep) char *socket = find_socket(config);
    take_account(config, &config->dba, socket, &config->dba_params);
    take_account(config, &config->app, socket, &config->app_params);
    take_account(config, &config->allprivs, socket, &config->allprivs_params);
    take_account(config, &config->repl, socket, &config->repl_params);
    str_replace(&config->app_params.database, config->identity.database);
    return config_read_credentials(config, &config->dba_params, &config->app_params,
                                   &config->allprivs_params, &config->repl_params);
}

static struct error *
take_backup(struct config *config)
{
    config->backup = (struct tablet_backup_settings){
        .storage_implementation =
            config->storage_implementation != NULL ? config->storage_implementation : "",
        .file_root = config->file_backup_root,
        .gcs_bucket = config->gcs_bucket,
        .gcs_root = config->gcs_root,
        .compression = config->compresses ? config->compression_engine : "none",
        .compression_level = (int)config->compression_level,
        .backup_concurrency = (int)config->backup_concurrency,
        .restore_concurrency = (int)config->restore_concurrency,
        .mysql_shutdown_timeout_ms = config->mysql_shutdown_timeout_ms,
        .storage_timeout_ms = config->storage_timeout_ms,
        .restores_at_start = config->restores,
        .restores_delta = config->restore_delta,
        .quiesce = config->backup_quiesce,
        .prove = config->backup_prove,
        .verify = config->backup_verify,
        .chunk_bytes = config->backup_chunk_bytes,
        .max_memory_bytes = config->backup_memory_bytes,
        .rate_bytes_per_second = config->backup_rate_bytes,
        .allows_corrupt_pages = config->backup_allows_corrupt,
    };
    if (str_is_empty(config->restore_timestamp))
        return NULL;
    return error_wrap(
        config_parse_backup_time(config->restore_timestamp, &config->backup.restore_not_after_ns),
        "--restore-from-backup-ts");
}

struct error *
config_finish(struct config *config)
{
    TRY(check_required(config));
    TRY(check_numbers(config));
    TRY(check_words(config));
    TRY(check_backup(config));
    TRY(take_names(config));
    take_paths(config);
    take_addresses(config);
    TRY(take_accounts(config));
    return take_backup(config);
}
