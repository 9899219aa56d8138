#include <criterion/criterion.h>
#include <string.h>

#include "agent/mysql/dialect.h"

static const struct {
    const char *version, *name;
} versions[] = {
    {"5.7.44-log", "mysql-legacy"},
    {"5.6.10", "mysql-legacy"},
    {"8.0.0", "mysql-8.0"},
    {"8.0.25", "mysql-8.0"},
    {"8.0.26", "mysql-8.0.26"},
    {"8.0.40-0ubuntu0.22.04.1", "mysql-8.0.26"},
    {"8.1.0", "mysql-8.0.26"},
    {"8.2.0", "mysql-8.2"},
    {"8.4.3", "mysql-8.2"},
    {"9.7.4", "mysql-8.2"},
    {"10.0.1", "mysql-8.2"},
    {"5.5.5-10.6.18-MariaDB-log", "mariadb"},
    {"10.11.19-MariaDB-0+deb12u1", "mariadb"},
    {"11.4.2-MariaDB", "mariadb"},
    {"5.5.5-whatever", "mariadb"},
    {"", "mysql-legacy"},
    {"garbage", "mysql-legacy"},
};

Test(dialect, version_chooses_the_table)
{
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        cr_assert_str_eq(dialect_of_version(versions[i].version)->name, versions[i].name);
}

Test(dialect, every_table_is_complete)
{
    size_t count = 0;
    const struct dialect *const *all = dialect_all(&count);
    cr_assert_eq(count, 5);
    for (size_t i = 0; i < count; i++) {
        const struct dialect *dialect = all[i];
        const char *const texts[] = {
            dialect->name,           dialect->stop_replication,     dialect->start_replication,
            dialect->stop_io_thread, dialect->start_io_thread,      dialect->stop_sql_thread,
            dialect->reset_replica,  dialect->start_sql_thread,     dialect->reset_replica_all,
            dialect->change_source,  dialect->reset_binary_logs,    dialect->option_prefix,
            dialect->auto_position,  dialect->replication_status,   dialect->primary_status,
            dialect->executed_set,   dialect->log_updates_variable, dialect->net_timeout_variable,
            dialect->position_wait,  dialect->until_gtids,
        };
        for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++)
            cr_assert_not_null(texts[j]);
    }
}

Test(dialect, words_of_one_table_are_of_one_generation)
{
    size_t count = 0;
    const struct dialect *const *all = dialect_all(&count);
    for (size_t i = 0; i < count; i++) {
        bool is_new = strcmp(all[i]->option_prefix, "SOURCE_") == 0;
        cr_assert_eq(strstr(all[i]->stop_replication, "REPLICA") != NULL, is_new);
        cr_assert_eq(strstr(all[i]->change_source, "SOURCE TO") != NULL, is_new);
        cr_assert_eq(strstr(all[i]->auto_position, "MASTER_") != NULL, !is_new);
        cr_assert_eq(strstr(all[i]->net_timeout_variable, "replica") != NULL, is_new);
        cr_assert_eq(strcmp(all[i]->position_wait, "SOURCE_POS_WAIT") == 0, is_new);
    }
}

Test(dialect, mariadb_lacks_what_it_lacks)
{
    const struct dialect *dialect = dialect_of_version("10.11.2-MariaDB");
    cr_assert_eq(dialect->flavor, DIALECT_MARIADB);
    cr_assert(!dialect->has_super_read_only);
    cr_assert(!dialect->has_server_uuid);
    cr_assert_null(dialect->get_public_key);
    cr_assert_null(dialect->purged_set);
}

Test(dialect, mysql_57_has_no_public_key_option)
{
    cr_assert_null(dialect_of_version("5.7.40")->get_public_key);
    cr_assert_str_eq(dialect_of_version("8.0.20")->get_public_key, "GET_MASTER_PUBLIC_KEY = 1");
    cr_assert_str_eq(dialect_of_version("8.4.0")->get_public_key, "GET_SOURCE_PUBLIC_KEY = 1");
}
