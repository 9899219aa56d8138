#include "agent/supervisor/init_sql.h"

#include "agent/base/buffer.h"
#include "agent/base/memory.h"

static const char application_rights[] =
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, FILE, REFERENCES, INDEX, "
    "ALTER, SHOW DATABASES, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION CLIENT, "
    "CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER";

static void
add_account(struct buffer *text, const char *account, const char *rights, const char *more)
{
    buffer_appendf(text, "CREATE USER %s;\nGRANT %s%s ON *.* TO %s;\n", account, rights, more,
                   account);
}

/* MariaDB names the right to read the binary log's position and replica status differently since
 * 10.5; REPLICATION CLIENT is an alias of BINLOG MONITOR there and lacks SHOW REPLICA STATUS. */
static void
add_accounts(struct buffer *text, enum dialect_flavor flavor)
{
    const char *replica_status = flavor == DIALECT_MARIADB ? ", REPLICA MONITOR" : "";
    CLEANUP(freep) char *copier = xasprintf(", REPLICATION SLAVE%s", replica_status);
    CLEANUP(freep)
    char *monitor =
        xasprintf("SELECT, PROCESS, SUPER, REPLICATION CLIENT, RELOAD%s", replica_status);
    buffer_append_text(text, "CREATE USER 'vt_dba'@'localhost';\n"
                             "GRANT ALL ON *.* TO 'vt_dba'@'localhost' WITH GRANT OPTION;\n");
    if (flavor == DIALECT_MYSQL)
        buffer_append_text(text,
                           "GRANT PROXY ON ''@'' TO 'vt_dba'@'localhost' WITH GRANT OPTION;\n");
    add_account(text, "'vt_app'@'localhost'", application_rights, replica_status);
    add_account(text, "'vt_appdebug'@'localhost'", "SELECT, SHOW DATABASES, PROCESS", "");
    add_account(text, "'vt_allprivs'@'localhost'", application_rights, copier);
    add_account(text, "'vt_repl'@'%'", "REPLICATION SLAVE", "");
    add_account(text, "'vt_filtered'@'localhost'", application_rights, copier);
    add_account(text, "'vt_monitoring'@'localhost'", monitor, "");
    buffer_append_text(text, "GRANT SELECT, UPDATE, DELETE, DROP ON performance_schema.* TO "
                             "'vt_monitoring'@'localhost';\n");
}

char *
init_sql_text(enum dialect_flavor flavor)
{
    struct buffer text = BUFFER_INIT;
    buffer_append_text(&text, "SET sql_log_bin = 0;\n"
                              "DROP USER IF EXISTS ''@'localhost', ''@'%', 'root'@'%', "
                              "'root'@'127.0.0.1', 'root'@'::1';\n"
                              "DROP DATABASE IF EXISTS test;\n");
    add_accounts(&text, flavor);
    return buffer_take(&text);
}
