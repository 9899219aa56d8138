/* The option table of `vtagent tablet`: vttablet's names, types and defaults. */
#include "agent/config_options.h"

#include <stddef.h>

#define AT(field) offsetof(struct config, field)
#define TEXT(name_, field, value_, help_)                                                          \
    {                                                                                              \
        .name = name_, .type = OPTION_TEXT, .offset = AT(field), .value = value_, .group = GROUP,  \
        .help = help_                                                                              \
    }
#define FLAG(name_, field, value_, help_)                                                          \
    {                                                                                              \
        .name = name_, .type = OPTION_FLAG, .offset = AT(field), .value = value_, .group = GROUP,  \
        .help = help_                                                                              \
    }
#define NUMBER(name_, field, value_, help_)                                                        \
    {                                                                                              \
        .name = name_, .type = OPTION_INTEGER, .offset = AT(field), .value = value_,               \
        .group = GROUP, .help = help_                                                              \
    }
#define BYTES(name_, field, value_, help_)                                                         \
    {                                                                                              \
        .name = name_, .type = OPTION_SIZE, .offset = AT(field), .value = value_, .group = GROUP,  \
        .help = help_                                                                              \
    }
#define DURATION(name_, field, value_, help_)                                                      \
    {                                                                                              \
        .name = name_, .type = OPTION_DURATION, .offset = AT(field), .value = value_,              \
        .group = GROUP, .help = help_                                                              \
    }
#define LIST(name_, field, help_)                                                                  \
    {                                                                                              \
        .name = name_, .type = OPTION_LIST, .offset = AT(field), .group = GROUP, .help = help_     \
    }
#define ACCOUNT(name_, account_, user_, help_)                                                     \
    TEXT("db-" name_ "-user", account_.user, user_, help_),                                        \
        TEXT("db-" name_ "-password", account_.password, NULL, "Its password."),                   \
    {                                                                                              \
        .name = "db-config-" name_ "-uname", .type = OPTION_TEXT, .offset = AT(account_.uname),    \
        .group = GROUP, .help = "The same account, as 2018's flag."                                \
    }

const struct option_row config_option_rows[] = {
#define GROUP "Tablet"
    TEXT("tablet-path", tablet_path, NULL, "Alias of the tablet: cell-uid, like zone1-100."),
    TEXT("init-keyspace", init_keyspace, NULL, "Keyspace of the tablet."),
    TEXT("init-shard", init_shard, NULL, "Shard of the tablet, like 0 or -80."),
    TEXT("init-tablet-type", init_tablet_type, "replica", "replica, rdonly or spare."),
    TEXT("init-db-name-override", init_database, NULL,
         "Name of the database instead of vt_<keyspace>."),
    LIST("init-tags", init_tags, "Tags of the tablet: name:value, name:value."),
    TEXT("tablet-hostname", tablet_hostname, NULL,
         "Name others reach us by (default: this host's full name)."),
    TEXT("tablet-dir", tablet_dir, NULL,
         "Folder of the tablet below $VTDATAROOT (default: vt_ and the uid)."),
    FLAG("disable-active-reparents", disable_active_reparents, NULL,
         "Leave replication alone: something else manages it."),
    FLAG("unmanaged", is_unmanaged, NULL, "The server belongs to somebody else."),
    DURATION("init-timeout", init_timeout_ms, NULL,
             "End when the tablet is not registered after this time (0: keep trying)."),
#undef GROUP
#define GROUP "Addresses"
    NUMBER("port", port, NULL, "Port for HTTP (default: none, no HTTP)."),
    NUMBER("grpc-port", grpc_port, NULL, "Port for gRPC."),
    TEXT("bind-address", bind_address, NULL, "Address for HTTP (default: all)."),
    TEXT("grpc-bind-address", grpc_bind_address, NULL, "Address for gRPC (default: all)."),
    BYTES("grpc-max-message-size", grpc_max_message_bytes, "16777216", "Largest gRPC message."),
    LIST("service-map", service_map,
         "Services to offer; grpc-tabletmanager is, whatever this says."),
#undef GROUP
#define GROUP "Server"
    TEXT("mycnf-file", mycnf_file, NULL, "my.cnf (default: in the tablet's folder)."),
    TEXT("mycnf-socket-file", mycnf_socket_file, NULL, "Socket of mysqld, if not in my.cnf."),
    TEXT("mysqlctl-socket", mysqlctl_socket, NULL,
         "Socket of the supervisor (vtagent mysqld, or mysqlctld)."),
    TEXT("db-socket", db_socket, NULL, "Socket of mysqld; goes before host and port."),
    TEXT("db-host", db_host, NULL, "Host of mysqld, when it is not ours."),
    NUMBER("db-port", db_port, NULL, "Port of mysqld."),
    TEXT("db-charset", db_charset, "utf8mb4", "Character set of the tablet."),
    NUMBER("db-connect-timeout-ms", db_connect_timeout_ms, NULL,
           "Longest time to connect (0: 5000)."),
    ACCOUNT("dba", dba, "vt_dba", "Account for administration."),
    ACCOUNT("app", app, "vt_app", "Account for the application's statements."),
    ACCOUNT("allprivs", allprivs, "vt_allprivs", "Account with all privileges but SUPER."),
    ACCOUNT("repl", repl, "vt_repl", "Account for replication."),
    ACCOUNT("filtered", filtered, "vt_filtered", "Not used."),
    ACCOUNT("appdebug", appdebug, "vt_appdebug", "Not used."),
    TEXT("db-credentials-file", db_credentials_file, NULL,
         "JSON file {\"user\": [\"password\"]}; SIGHUP reads it again."),
    DURATION("mysql-shutdown-timeout", mysql_shutdown_timeout_ms, "5m",
             "Longest time for mysqld to stop."),
#undef GROUP
#define GROUP "Topology"
    TEXT("topo-implementation", topo_implementation, "etcd2", "etcd2."),
    TEXT("topo-global-server-address", topo_addresses, NULL, "etcd: host:port, host:port."),
    TEXT("topo-global-root", topo_root, NULL, "Root of the global topology, like /vitess/global."),
    TEXT("topo-etcd-tls-cert", topo_tls_cert, NULL, "Client certificate for etcd."),
    TEXT("topo-etcd-tls-key", topo_tls_key, NULL, "Its key."),
    TEXT("topo-etcd-tls-ca", topo_tls_ca, NULL, "Authority that etcd's certificate is checked by."),
    NUMBER("topo-etcd-lease-ttl", topo_lease_ttl_seconds, "30", "Seconds that a lock outlives us."),
    DURATION("publish-retry-interval", publish_retry_ms, "30s",
             "Pause before the tablet's record is written again after a failure."),
    DURATION("shard-sync-retry-delay", shard_sync_retry_ms, "30s",
             "The same for the shard's record."),
#undef GROUP
#define GROUP "TLS and credentials"
    TEXT("http-cert", http_cert, NULL, "Certificate for HTTP, which is then HTTPS."),
    TEXT("http-key", http_key, NULL, "Its key. These files are re-read when they change."),
    TEXT("http-ca", http_ca, NULL,
         "Authority of client certificates for HTTP, which are then demanded."),
    TEXT("grpc-cert", grpc_cert, NULL, "Certificate of our gRPC server."),
    TEXT("grpc-key", grpc_key, NULL, "Its key."),
    TEXT("grpc-ca", grpc_ca, NULL, "Authority of client certificates, which are then demanded."),
    TEXT("grpc-crl", grpc_crl, NULL, "Revoked client certificates; re-read when it changes."),
    TEXT("grpc-auth-mode", grpc_auth_mode, NULL,
         "static: user and password in every call; mtls: a client certificate with a known name."),
    TEXT("grpc-auth-mtls-allowed-substrings", grpc_allowed_subjects, "",
         "Texts, a:b, of which one is in the name (CN=…,O=…) of a certificate that may call."),
    TEXT("grpc-auth-static-password-file", grpc_users_file, NULL,
         "JSON file [{\"Username\": , \"Password\": }]; re-read when it changes."),
    TEXT("grpc-auth-static-client-creds", grpc_client_creds, NULL,
         "JSON file {\"Username\": , \"Password\": } for calls to other tablets."),
    TEXT("tablet-manager-grpc-cert", peer_cert, NULL, "Certificate for calls to other tablets."),
    TEXT("tablet-manager-grpc-key", peer_key, NULL, "Its key."),
    TEXT("tablet-manager-grpc-ca", peer_ca, NULL, "Authority of other tablets' certificates."),
    TEXT("tablet-manager-grpc-crl", peer_crl, NULL,
         "Revoked certificates of other tablets; re-read when it changes."),
    TEXT("tablet-manager-grpc-server-name", peer_server_name, NULL,
         "Name expected in other tablets' certificates."),
#undef GROUP
#define GROUP "Backup and restore"
    TEXT("backup-storage-implementation", storage_implementation, NULL, "file or gcs."),
    TEXT("file-backup-storage-root", file_backup_root, NULL, "Root folder of the backups."),
    TEXT("gcs-backup-storage-bucket", gcs_bucket, NULL,
         "Bucket of the backups in Google Cloud Storage."),
    TEXT("gcs-backup-storage-root", gcs_root, NULL,
         "What the names of all their objects begin with."),
    DURATION("storage-timeout", storage_timeout_ms, "2m",
             "A backup storage that does not answer for so long fails the job; 0: never."),
    FLAG("backup-storage-compress", compresses, "true", "Compress backups."),
    TEXT("compression-engine-name", compression_engine, "pargzip",
         "pargzip, pgzip, zstd, lz4 or none."),
    NUMBER("compression-level", compression_level, "1", "Level of the compression."),
    FLAG("restore-from-backup", restores, NULL, "Restore an empty server at start."),
    NUMBER("restore-concurrency", restore_concurrency, "4", "Files restored at once."),
    NUMBER("backup-concurrency", backup_concurrency, "4", "Files backed up at once by default."),
    TEXT(
        "backup-quiesce", backup_quiesce, "auto",
        "How the server's files come to rest: freeze (an image by reflinks, mysqld pauses for some "
        "milliseconds), stop (mysqld is down while it copies), auto (freeze where it can be)."),
    TEXT(
        "backup-prove", backup_prove, "start",
        "Before an image is stored, a server of its own recovers it and opens every table (start), "
        "also checks every table (tables), or does not (none)."),
    TEXT("backup-verify", backup_verify, "size",
         "What is stored is looked at again: full (every byte is read back and compared), size or "
         "none."),
    FLAG("backup-allow-corrupt", backup_allows_corrupt, NULL,
         "Keep damaged InnoDB pages, and mark their files in the MANIFEST, instead of failing."),
    BYTES("backup-chunk-size", backup_chunk_bytes, NULL,
          "Pieces that files are cut in, a multiple of 64K (0: 4M)."),
    BYTES("backup-max-memory", backup_memory_bytes, NULL,
          "Memory for pieces under way; they get smaller to fit (0: 64M)."),
    BYTES("backup-rate-limit", backup_rate_bytes, NULL,
          "Most bytes a second that a backup reads (0: no limit)."),
    FLAG("restore-delta", restore_delta, NULL,
         "Restore over old data: keep what has the backup's checksums, copy the rest."),
    TEXT("restore-from-backup-ts", restore_timestamp, NULL,
         "Restore the newest backup not after this time, like 2021-04-29.133050."),
    LIST("restore-from-backup-allowed-engines", restore_engines,
         "Engines whose backups may be restored (default: builtin)."),
    DURATION("wait-for-backup-interval", wait_for_backup_interval_ms, NULL,
             "With no backup at all: look again after this time (0: start empty)."),
#undef GROUP
#define GROUP "Health and times"
    DURATION("health-check-interval", health_interval_ms, "1s", "Pause between health checks."),
    DURATION("degraded-threshold", degraded_ms, "30s",
             "Lag of a degraded replica; a restored one serves below it."),
    DURATION("unhealthy-threshold", unhealthy_ms, "2h", "Lag of a replica that stops serving."),
    TEXT("disk-write-dir", disk_directory, NULL,
         "Folder on the disk to watch (default: the tablet's folder)."),
    DURATION("disk-write-interval", disk_interval_ms, "5s", "Pause between small writes there."),
    DURATION("disk-write-timeout", disk_timeout_ms, "30s",
             "A write that takes longer: the disk is stalled, the tablet does not serve."),
    BYTES("disk-reserve", disk_reserve_bytes, NULL,
          "Free space below which the tablet does not serve (0: 3 % of the disk, at most 2G)."),
    FLAG("heartbeat-enable", writes_heartbeats, NULL,
         "As primary, write a row that replicas read their lag from."),
    DURATION("heartbeat-interval", heartbeat_interval_ms, "1s", "Pause between two of them."),
    DURATION("heartbeat-on-demand-duration", heartbeat_lease_ms, NULL,
             "Write them only for this long after somebody asked for the lag (0: always)."),
    DURATION("health-ttl", health_ttl_ms, "10s",
             "Time that our health document in etcd outlives us."),
    DURATION("remote-operation-timeout", remote_operation_timeout_ms, "15s",
             "Longest time for one call to the topology or another tablet."),
    DURATION("lameduck-period", lameduck_ms, "50ms",
             "After SIGTERM: time between saying so and refusing calls."),
    DURATION("onterm-timeout", onterm_timeout_ms, "10s", "Longest time for a clean stop."),
    DURATION("stuck-after", stuck_after_ms, "60s",
             "An action that goes on so long after its deadline: /livez fails."),
#undef GROUP
#define GROUP "Process"
    TEXT("log-level", log_level, "info", "debug, info, warn or error."),
    TEXT("log-format", log_format, NULL, "json or text (default: text on a terminal)."),
    TEXT("pid-file", pid_file, NULL, "File for our process number, deleted at the end."),
    TEXT("config-file", config_file, NULL, "File of lines 'flag = value'."),
    FLAG("print-config", prints_config, NULL, "Print every value and exit."),
    {.name = "help",
     .type = OPTION_FLAG,
     .offset = AT(shows_help),
     .group = GROUP,
     .help = "Print this and exit.",
     .short_name = 'h'},
    {.name = "version",
     .type = OPTION_FLAG,
     .offset = AT(shows_version),
     .group = GROUP,
     .help = "Print the version and exit.",
     .short_name = 'v'},
#undef GROUP
};
const size_t config_option_count = ARRAY_LENGTH(config_option_rows);
