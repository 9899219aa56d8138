#include "agent/supervisor/supervisor_options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/option.h"

#define FIELD(field) offsetof(struct supervisor_options, field)
#define ROW(name_, type_, field_, value_, group_, help_)                                           \
    {                                                                                              \
        .name = name_, .type = type_, .offset = FIELD(field_), .value = value_, .group = group_,   \
        .help = help_                                                                              \
    }
#define IGNORED(name_)                                                                             \
    {                                                                                              \
        .name = name_, .type = OPTION_IGNORED                                                      \
    }
#define IGNORED_FLAG(name_)                                                                        \
    {                                                                                              \
        .name = name_, .type = OPTION_IGNORED_FLAG                                                 \
    }

static const struct option_row rows[] = {
    ROW("tablet-uid", OPTION_INTEGER, tablet_uid, "41983", "tablet", "number of the tablet"),
    ROW("tablet-dir", OPTION_TEXT, tablet_dir, NULL, "tablet",
        "folder below VTDATAROOT instead of vt_<uid>"),
    ROW("mysql-port", OPTION_INTEGER, mysql_port, "3306", "mysqld", "TCP port of mysqld"),
    ROW("mysql-socket", OPTION_TEXT, mysql_socket, NULL, "mysqld",
        "unix socket of mysqld instead of mysql.sock in the tablet's folder"),
    ROW("init-db-sql-file", OPTION_TEXT, init_db_sql_file, NULL, "mysqld",
        "SQL script for a new data directory instead of the built-in accounts"),
    ROW("mysqlctl-mycnf-template", OPTION_TEXT, mycnf_template, NULL, "mysqld",
        "template of my.cnf instead of the built-in one"),
    ROW("db-dba-user", OPTION_TEXT, dba_user, NULL, "mysqld",
        "account that asks mysqld whether it answers (default vt_dba)"),
    ROW("db-dba-password", OPTION_TEXT, dba_password, NULL, "mysqld", "its password"),
    ROW("db-config-dba-uname", OPTION_TEXT, old_dba_user, NULL, "mysqld",
        "old name of db-dba-user"),
    ROW("wait-time", OPTION_DURATION, wait_time_ms, "5m", "mysqld",
        "how long to wait until mysqld answers"),
    ROW("shutdown-wait-time", OPTION_DURATION, shutdown_wait_time_ms, "5m", "mysqld",
        "how long to wait for the end of mysqld"),
    ROW("socket-file", OPTION_TEXT, socket_file, NULL, "service",
        "unix socket of this service (default mysqlctl.sock in the tablet's folder)"),
    ROW("grpc-port", OPTION_INTEGER, grpc_port, "0", "service",
        "TCP port of this service; 0: none"),
    ROW("grpc-bind-address", OPTION_TEXT, grpc_bind_address, NULL, "service",
        "address for grpc-port (default all)"),
    ROW("grpc-cert", OPTION_TEXT, grpc_cert, NULL, "service", "certificate for grpc-port"),
    ROW("grpc-key", OPTION_TEXT, grpc_key, NULL, "service", "its key"),
    ROW("grpc-ca", OPTION_TEXT, grpc_ca, NULL, "service",
        "CA of client certificates, which are then required"),
    ROW("grpc-crl", OPTION_TEXT, grpc_crl, NULL, "service", "revoked client certificates"),
    ROW("grpc-auth-mode", OPTION_TEXT, grpc_auth_mode, NULL, "service",
        "callers on grpc-port need 'static': a user and password, 'mtls': a known certificate"),
    ROW("grpc-auth-mtls-allowed-substrings", OPTION_TEXT, grpc_allowed_subjects, "", "service",
        "texts, a:b, of which one is in the name of a certificate that may call"),
    ROW("grpc-auth-static-password-file", OPTION_TEXT, grpc_users_file, NULL, "service",
        "JSON list of users and passwords"),
    ROW("pid-file", OPTION_TEXT, pid_file, NULL, "process", "where to write the process id"),
    ROW("log-level", OPTION_TEXT, log_level, "info", "process", "debug, info, warn or error"),
    ROW("log-format", OPTION_TEXT, log_format, "auto", "process",
        "json, text, or auto: text on a terminal"),
    {.name = "help",
     .type = OPTION_FLAG,
     .offset = FIELD(wants_help),
     .group = "process",
     .help = "this text",
     .short_name = 'h'},
    {.name = "version",
     .type = OPTION_FLAG,
     .offset = FIELD(wants_version),
     .group = "process",
     .help = "print the version",
     .short_name = 0},
    /* mysqlctld's that have no meaning here: connection pools, web pages, log files, tuning. */
    IGNORED("app-idle-timeout"),
    IGNORED("app-pool-size"),
    IGNORED("bind-address"),
    IGNORED_FLAG("catch-sigpipe"),
    IGNORED("config-file-not-found-handling"),
    IGNORED("config-name"),
    IGNORED("config-path"),
    IGNORED("config-persistence-min-interval"),
    IGNORED("config-type"),
    IGNORED("db-charset"),
    IGNORED("db-config-dba-charset"),
    IGNORED_FLAG("db-conn-query-info"),
    IGNORED("db-connect-timeout-ms"),
    IGNORED("db-credentials-file"),
    IGNORED("db-credentials-server"),
    IGNORED("db-credentials-vault-addr"),
    IGNORED("db-credentials-vault-path"),
    IGNORED("db-credentials-vault-role-mountpoint"),
    IGNORED("db-credentials-vault-role-secretidfile"),
    IGNORED("db-credentials-vault-roleid"),
    IGNORED("db-credentials-vault-timeout"),
    IGNORED("db-credentials-vault-tls-ca"),
    IGNORED("db-credentials-vault-tokenfile"),
    IGNORED("db-credentials-vault-ttl"),
    IGNORED_FLAG("db-dba-use-ssl"),
    IGNORED("db-flags"),
    IGNORED("db-flavor"),
    IGNORED("db-host"),
    IGNORED("db-port"),
    IGNORED("db-server-name"),
    IGNORED("db-socket"),
    IGNORED("db-ssl-ca"),
    IGNORED("db-ssl-ca-path"),
    IGNORED("db-ssl-cert"),
    IGNORED("db-ssl-key"),
    IGNORED("db-ssl-mode"),
    IGNORED("db-tls-min-version"),
    IGNORED("dba-idle-timeout"),
    IGNORED("dba-pool-size"),
    IGNORED("grpc-auth-static-client-creds"),
    IGNORED("grpc-compression"),
    IGNORED("grpc-dial-concurrency-limit"),
    IGNORED_FLAG("grpc-enable-optional-tls"),
    IGNORED_FLAG("grpc-enable-orca-metrics"),
    IGNORED_FLAG("grpc-enable-tracing"),
    IGNORED("grpc-initial-conn-window-size"),
    IGNORED("grpc-initial-window-size"),
    IGNORED("grpc-keepalive-time"),
    IGNORED("grpc-keepalive-timeout"),
    IGNORED("grpc-max-connection-age"),
    IGNORED("grpc-max-connection-age-grace"),
    IGNORED("grpc-max-message-size"),
    IGNORED_FLAG("grpc-prometheus"),
    IGNORED("grpc-server-ca"),
    IGNORED("grpc-server-initial-conn-window-size"),
    IGNORED("grpc-server-initial-window-size"),
    IGNORED("grpc-server-keepalive-enforcement-policy-min-time"),
    IGNORED_FLAG("grpc-server-keepalive-enforcement-policy-permit-without-stream"),
    IGNORED("grpc-server-keepalive-time"),
    IGNORED("grpc-server-keepalive-timeout"),
    IGNORED("keep-logs"),
    IGNORED("keep-logs-by-mtime"),
    IGNORED("lameduck-period"),
    IGNORED_FLAG("log-err-stacks"),
    IGNORED("log-rotate-max-size"),
    IGNORED_FLAG("log-structured"),
    IGNORED("max-stack-size"),
    IGNORED_FLAG("mysql-clone-enabled"),
    IGNORED("mysql-server-version"),
    IGNORED("mysqlctl-client-protocol"),
    IGNORED("mysqlctl-socket"),
    IGNORED("onclose-timeout"),
    IGNORED("onterm-timeout"),
    IGNORED("pool-hostname-resolve-interval"),
    IGNORED("port"),
    IGNORED("pprof"),
    IGNORED_FLAG("pprof-http"),
    IGNORED("purge-logs-interval"),
    IGNORED("replication-connect-retry"),
    IGNORED("security-policy"),
    IGNORED("service-map"),
    IGNORED("stats-backend"),
    IGNORED("stats-emit-period"),
    IGNORED("table-refresh-interval"),
    /* of older releases */
    IGNORED_FLAG("alsologtostderr"),
    IGNORED("log-backtrace-at"),
    IGNORED("log-dir"),
    IGNORED("log-link"),
    IGNORED_FLAG("logtostderr"),
    IGNORED("mem-profile-rate"),
    IGNORED("mutex-profile-fraction"),
    IGNORED("stderrthreshold"),
    IGNORED("v"),
    IGNORED("vmodule"),
};

static const struct option_set option_set = {
    .rows = rows, .row_count = ARRAY_LENGTH(rows), .environment_prefix = "VTAGENT_MYSQLD"};

static struct error *
check_range(const char *name, int64_t value, int64_t least, int64_t most)
{
    if (value >= least && value <= most)
        return NULL;
    return error_new(ERROR_INVALID_ARGUMENT, "--%s must be from %lld to %lld, not %lld", name,
                     (long long)least, (long long)most, (long long)value);
}

static struct error *
check_socket(const char *name, const char *path)
{
    /* sun_path of a unix socket holds 108 bytes with its NUL */
    if (path == NULL || strnlen(path, 108) < 108)
        return NULL;
    return error_new(ERROR_INVALID_ARGUMENT,
                     "--%s: '%s' is too long for a socket (at most 107 characters)", name, path);
}

static struct error *
check_auth(const struct supervisor_options *options)
{
    bool is_static = str_equal(options->grpc_auth_mode, "static");
    if (!is_static && !str_equal(options->grpc_auth_mode, "mtls") &&
        !str_is_empty(options->grpc_auth_mode))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "--grpc-auth-mode knows only 'static' and 'mtls', not '%s'",
                         options->grpc_auth_mode);
    if (is_static && str_is_empty(options->grpc_users_file))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "--grpc-auth-mode static needs --grpc-auth-static-password-file");
    return NULL;
}

static struct error *
validate(struct supervisor_options *options)
{
    TRY(check_range("tablet-uid", options->tablet_uid, 1, UINT32_MAX));
    TRY(check_range("mysql-port", options->mysql_port, 1, 65535));
    TRY(check_range("grpc-port", options->grpc_port, 0, 65535));
    TRY(check_socket("socket-file", options->socket_file));
    TRY(check_socket("mysql-socket", options->mysql_socket));
    if (str_is_empty(options->grpc_cert) != str_is_empty(options->grpc_key))
        return error_new(ERROR_INVALID_ARGUMENT, "--grpc-cert and --grpc-key go together");
    TRY(check_auth(options));
    if (str_is_empty(options->dba_user))
        str_replace(&options->dba_user,
                    str_is_empty(options->old_dba_user) ? "vt_dba" : options->old_dba_user);
    enum log_level level;
    TRY(log_level_parse(options->log_level, &level));
    enum log_format format;
    return supervisor_options_log_format(options, &format);
}

struct error *
supervisor_options_parse(int argc, char *const *argv, struct supervisor_options *options,
                         struct strv *ret_ignored)
{
    CLEANUP(strv_done) struct strv rest = {.items = NULL};
    TRY(option_parse(&option_set, argc, argv, options, &rest, ret_ignored));
    if (options->wants_help || options->wants_version)
        return NULL;
    if (rest.count > 0)
        return error_new(ERROR_INVALID_ARGUMENT, "unexpected word '%s': see --help", rest.items[0]);
    return validate(options);
}

struct error *
supervisor_options_log_format(const struct supervisor_options *options, enum log_format *ret_format)
{
    if (str_equal(options->log_format, "json"))
        *ret_format = LOG_FORMAT_JSON;
    else if (str_equal(options->log_format, "text"))
        *ret_format = LOG_FORMAT_TEXT;
    else if (str_equal(options->log_format, "auto"))
        *ret_format = LOG_FORMAT_AUTO;
    else
        return error_new(ERROR_INVALID_ARGUMENT, "--log-format: '%s' is none of json, text, auto",
                         options->log_format);
    return NULL;
}

void
supervisor_options_print_help(void)
{
    puts("Usage: vtagent mysqld [flags]\n\n"
         "Keeps one mysqld (MySQL or MariaDB) for a tablet: lays out and initialises its folder\n"
         "below VTDATAROOT, starts it, starts it again when it dies, stops it on SIGTERM, and\n"
         "serves mysqlctl.MysqlCtl on a unix socket.\n\n"
         "Environment: VTDATAROOT (default /vt), VT_MYSQL_ROOT (where mysqld is), MYSQL_FLAVOR,\n"
         "EXTRA_MY_CNF (files added to my.cnf, separated by colons).");
    option_print_help(&option_set, stdout);
}

void
supervisor_options_done(struct supervisor_options *options)
{
    option_done(&option_set, options);
}
