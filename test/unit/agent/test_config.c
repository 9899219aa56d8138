#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/config.h"
#include "agent/config_options.h"

#define NEEDED                                                                                     \
    "--tablet-path=zone1-100", "--init-keyspace=ks", "--init-shard=0", "--grpc-port=15999",        \
        "--topo-global-server-address=localhost:2379", "--topo-global-root=/vitess/global"

static struct config *config;

static void
set_up(void)
{
    config = xcalloc(1, sizeof(*config));
}

static void
tear_down(void)
{
    config_done(config);
    free(config);
}

static struct error *
load(const char *const *words)
{
    int count = 0;
    while (words[count] != NULL)
        count++;
    struct error *error = config_parse(config, count, (char *const *)(uintptr_t)words);
    return error != NULL ? error : config_finish(config);
}
#define LOAD(...) load((const char *const[]){"tablet", __VA_ARGS__, NULL})

static void
expect_refusal(struct error *error, const char *text)
{
    cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
    cr_assert_not_null(strstr(error->message, text));
    error_free(error);
}

Test(config, flags_become_an_identity, .init = set_up, .fini = tear_down)
{
    setenv("VTDATAROOT", "/data", 1);
    cr_assert_null(LOAD(NEEDED, "--port", "15000", "--tablet-hostname=host",
                        "--init-tablet-type=RDONLY", "--init-tags=b:2,a:1"));
    const struct tablet_identity *identity = &config->identity;
    cr_assert_str_eq(identity->alias_text, "zone1-0000000100");
    cr_assert_str_eq(identity->database, "vt_ks");
    cr_assert_str_eq(identity->hostname, "host");
    cr_assert_str_eq(identity->mysql_hostname, "host");
    cr_assert_str_eq(identity->tablet_directory, "/data/vt_0000000100");
    cr_assert_str_eq(identity->mycnf_path, "/data/vt_0000000100/my.cnf");
    cr_assert_eq(identity->init_type, TOPODATA__TABLET_TYPE__RDONLY);
    cr_assert_eq(identity->grpc_port, 15999);
    cr_assert(identity->has_active_reparents);
    cr_assert_str_eq(config->dba_params.user, "vt_dba");
    cr_assert_str_eq(config->dba_params.socket, "/data/vt_0000000100/mysql.sock");
    cr_assert_str_eq(config->app_params.database, "vt_ks");
    cr_assert_str_eq(config->tag_names.items[0], "a");
    cr_assert_str_eq(config->tag_values.items[1], "2");
    cr_assert_eq(config->remote_operation_timeout_ms, 15000);
    cr_assert_eq(config->unhealthy_ms, 7200000);
}

Test(config, flags_of_2018_pods_are_accepted, .init = set_up, .fini = tear_down)
{
    cr_assert_null(LOAD(
        "-binlog_use_v3_resharding_mode", "-topo_implementation", "etcd2",
        "-topo_global_server_address", "http://etcd-global-client:2379", "-topo_global_root",
        "/global", "-log_dir", "/tmp", "-alsologtostderr", "-port", "15002", "-grpc_port", "16002",
        "-service_map", "grpc-queryservice,grpc-tabletmanager,grpc-updatestream", "-tablet-path",
        "test-0000000100", "-tablet_hostname", "10.0.0.1", "-init_keyspace", "ks", "-init_shard",
        "0", "-init_tablet_type", "replica", "-health_check_interval", "5s", "-mysqlctl_socket",
        "/vt/mysqlctl.sock", "-db-config-app-uname", "app2018", "-db-config-app-dbname", "vt_ks",
        "-db-config-app-charset", "utf8", "-db-config-dba-uname", "vt_dba", "-enable_semi_sync",
        "-enable_replication_reporter", "-orc_api_url", "http://orchestrator/api",
        "-orc_discover_interval", "5m", "-restore_from_backup", "-backup_storage_implementation",
        "file", "-file_backup_storage_root", "/mnt"));
    cr_assert_str_eq(config->app_params.user, "app2018");
    cr_assert_eq(config->health_interval_ms, 5000);
    cr_assert(config->backup.restores_at_start);
    cr_assert_str_eq(config->backup.file_root, "/mnt");
    cr_assert(strv_contains(&config->ignored, "enable-semi-sync"));
    cr_assert(strv_contains(&config->ignored, "orc-api-url"));
}

Test(config, flags_of_the_operator_are_accepted, .init = set_up, .fini = tear_down)
{
    cr_assert_null(
        LOAD(NEEDED, "--logtostderr=true", "--grpc_max_message_size=67108864",
             "--enable_replication_reporter=true", "--queryserver-config-max-result-size=100000",
             "--queryserver-config-query-timeout=900s", "--queryserver-config-pool-size=96",
             "--queryserver-config-transaction-cap=300", "--enforce_strict_trans_tables=true",
             "--db_charset=utf8mb4", "--db_app_user=vt_app", "--db_dba_user=vt_dba",
             "--mycnf_socket_file=/vt/socket/mysql.sock", "--restore_concurrency=10",
             "--wait_for_backup_interval=10s", "--backup_engine_implementation=builtin",
             "--xtrabackup_stripes=8", "--mysql_server_version=8.0.30-Vitess",
             "--heartbeat_enable=true", "--port=15000"));
    cr_assert_eq(config->grpc_max_message_bytes, 67108864);
    cr_assert_str_eq(config->dba_params.socket, "/vt/socket/mysql.sock");
    cr_assert_eq(config->backup.restore_concurrency, 10);
}

Test(config, a_remote_server_is_published_by_its_own_name, .init = set_up, .fini = tear_down)
{
    cr_assert_null(LOAD(NEEDED, "--db-host=db.example", "--db-port=3307", "--unmanaged"));
    cr_assert(config->is_mysql_remote);
    cr_assert_str_eq(config->identity.mysql_hostname, "db.example");
    cr_assert_eq(config->dba_params.port, 3307);
    cr_assert_null(config->dba_params.socket);
    cr_assert(!config->identity.has_active_reparents);
}

Test(config, missing_flags_are_named, .init = set_up, .fini = tear_down)
{
    expect_refusal(LOAD("--init-keyspace=ks"), "--tablet-path is required");
}

Test(config, bad_values_are_named, .init = set_up, .fini = tear_down)
{
    static const struct {
        const char *flag, *text;
    } cases[] = {
        {"--init-tablet-type=primary", "cannot be a start"},
        {"--init-tablet-type=boss", "--init-tablet-type"},
        {"--tablet-path=zone1", "--tablet-path"},
        {"--init-keyspace=a/b", "--init-keyspace"},
        {"--init-shard=80-40", "--init-shard"},
        {"--grpc-port=0", "--grpc-port must be a port"},
        {"--port=70000", "--port must be a port"},
        {"--topo-implementation=consul", "--topo-implementation 'consul' is not known"},
        {"--log-format=xml", "--log-format"},
        {"--log-level=loud", "--log-level"},
        {"--backup-storage-implementation=s3", "use file"},
        {"--backup-storage-implementation=file", "needs --file-backup-storage-root"},
        {"--restore-from-backup", "--restore-from-backup needs"},
        {"--compression-engine-name=rar", "--compression-engine-name"},
        {"--grpc-auth-mode=static", "--grpc-auth-static-password-file"},
        {"--grpc-auth-mode=oidc", "use static, mtls"},
        {"--grpc-auth-mode=mtls", "--grpc-cert is required"},
        {"--http-cert=c.pem", "--http-key is required"},
        {"--http-ca=c.pem", "--http-cert is required"},
        {"--grpc-crl=list.pem", "--grpc-cert is required"},
        {"--tablet-manager-grpc-crl=list.pem", "--tablet-manager-grpc-ca is required"},
        {"--init-tags=a", "is not name:value"},
        {"--restore-from-backup-ts=yesterday", "--restore-from-backup-ts"},
        {"--db-credentials-file=/nonexistent/file", ""},
        {"--health-check-interval=1ms", "--health-check-interval"},
        {"--no-such-flag=1", "unknown flag"},
        {"word", "unexpected word 'word'"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error *error = LOAD(NEEDED, cases[i].flag);
        cr_assert_not_null(error);
        cr_assert_not_null(strstr(error->message, cases[i].text));
        error_free(error);
        tear_down();
        set_up();
    }
}

Test(config, no_flag_is_there_twice)
{
    for (size_t i = 0; i < config_option_count; i++) {
        for (size_t j = i + 1; j < config_option_count; j++)
            cr_assert_str_neq(config_option_rows[i].name, config_option_rows[j].name);
        for (size_t j = 0; j < config_ignored_count; j++)
            cr_assert_str_neq(config_option_rows[i].name, config_ignored_rows[j].name);
    }
}

Test(config, mycnf_values)
{
    const char *text = "[client]\nsocket = /client\n[mysqld]\n# socket=/x\nsocket = /first\n"
                       "socket=\"/last one\" # comment\ninnodb_data_home_dir = /d\n[mysqldump]\n"
                       "socket=/dump\n";
    CLEANUP(freep) char *socket = config_mycnf_value(text, "socket");
    CLEANUP(freep) char *home = config_mycnf_value(text, "innodb-data-home-dir");
    cr_assert_str_eq(home, "/d");
    cr_assert_str_eq(socket, "/last one");
    cr_assert_null(config_mycnf_value(text, "port"));
}

Test(config, backup_times)
{
    int64_t time_ns = 0;
    cr_assert_null(config_parse_backup_time("2021-04-29.133050", &time_ns));
    cr_assert_eq(time_ns, 1619703050000000000);
    cr_assert_null(config_parse_backup_time("2021-04-29T13:30:50Z", &time_ns));
    cr_assert_eq(time_ns, 1619703050000000000);
}

Test(config, passwords_come_from_the_credentials_file, .init = set_up, .fini = tear_down)
{
    char path[] = "/tmp/vtagent_test_XXXXXX";
    int descriptor = mkstemp(path);
    static const char text[] = "{\"vt_dba\": [\"secret\"], \"other\": [\"x\"]}";
    cr_assert_null(file_write_all(descriptor, text, strlen(text), path));
    close(descriptor);
    CLEANUP(freep) char *flag = xasprintf("--db-credentials-file=%s", path);
    struct error *error = LOAD(NEEDED, flag);
    unlink(path);
    cr_assert_null(error);
    cr_assert_str_eq(config->dba_params.password, "secret");
    cr_assert_str_eq(config->repl_params.password, "");
}

Test(config, the_printed_config_hides_passwords, .init = set_up, .fini = tear_down)
{
    cr_assert_null(LOAD(NEEDED, "--db-dba-password=secret"));
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    config_print(config, stream);
    config_print_help(stream);
    fclose(stream);
    cr_assert_null(strstr(text, "secret"));
    cr_assert_not_null(strstr(text, "init-keyspace = ks"));
    cr_assert_not_null(strstr(text, "Backup and restore:"));
    free(text);
}
