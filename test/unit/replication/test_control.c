#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "replication/control_private.h"
#include "replication/fence_private.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "4e11fa47-71ca-11e1-9e33-c80aa9429562"

static struct position *
find_errant(const char *ours, const char *source, const char *uuid)
{
    struct position *a = NULL, *b = NULL, *errant = NULL;
    cr_assert_null(position_parse(ours, &a));
    cr_assert_null(position_parse(source, &b));
    cr_assert_null(errant_transactions_find(a, b, uuid, &errant));
    position_free(a);
    position_free(b);
    return errant;
}

Test(errant, nothing_beyond_the_source_is_fine)
{
    cr_assert_null(find_errant("MySQL56/" A ":1-5", "MySQL56/" A ":1-9", A));
    cr_assert_null(find_errant("", "MySQL56/" A ":1-9", A));
    cr_assert_null(find_errant("MariaDB/0-1-5,3-1-1", "MariaDB/0-2-6,3-1-1", A));
    cr_assert_null(find_errant("FilePos/a:5", "FilePos/a:1", A));
}

/* The source wrote on after we asked for its set: its own transactions are never errant. */
Test(errant, the_sources_own_transactions_are_fine)
{
    cr_assert_null(find_errant("MySQL56/" A ":1-9", "MySQL56/" A ":1-5", A));
}

Test(errant, foreign_transactions_are_refused)
{
    struct position *errant =
        find_errant("MySQL56/" A ":1-9," B ":1-3", "MySQL56/" A ":1-5," B ":1", A);
    struct position *ours = NULL;
    cr_assert_null(position_parse("MySQL56/" A ":1-9," B ":1-3", &ours));
    struct error *error = errant_transactions_refuse(errant, ours);
    cr_assert(error_is(error, ERROR_FAILED_PRECONDITION));
    cr_assert_str_eq(error->message, "Errant GTID detected - Errant GTID: " B
                                     ":2-3; Replica GTID Position: " A ":1-9," B ":1-3");
    error_free(error);
    position_free(errant);
    position_free(ours);
}

Test(errant, mariadb_domain_ahead_is_errant)
{
    struct position *errant = find_errant("MariaDB/0-1-5,1-1-3", "MariaDB/0-2-4,1-1-3", "");
    char *text = position_text(errant);
    cr_assert_str_eq(text, "MariaDB/0-1-5");
    free(text);
    position_free(errant);
}

Test(errant, one_mariadb_number_by_two_servers_is_errant)
{
    struct position *errant = find_errant("MariaDB/0-1-5,1-1-3", "MariaDB/0-2-5,1-1-3", A);
    char *text = position_text(errant);
    cr_assert_str_eq(text, "MariaDB/0-1-5");
    free(text);
    position_free(errant);
}

static const struct {
    const char *user, *command, *state;
    bool holds_lock;
    bool is_blocker[3]; /* rounds 1..3 with unknown holders */
    bool is_known_blocker;
} processes[] = {
    {"app", "Query", "", false, {true, true, true}, false},
    {"app", "Sleep", "", false, {false, true, true}, false},
    {"app", "Sleep", "", true, {true, true, true}, true},
    {"dba", "Query", "", false, {false, false, true}, false},
    {"dba", "Query", "", true, {true, true, true}, true},
    {"app", "Query", "Waiting for semi-sync ACK from replica", true, {false, false, false}, false},
    {"system user", "Connect", "", false, {false, false, false}, false},
    {"system user", "Query", "", true, {false, false, false}, false},
    {"event_scheduler", "Daemon", "", false, {false, false, false}, false},
    {"repl", "Binlog Dump", "", false, {false, false, false}, false},
    {"repl", "Binlog Dump GTID", "", false, {false, false, false}, false},
    {"mysql.session", "Query", "", false, {false, false, false}, false},
    {"app", "Killed", "", false, {false, false, false}, false},
};

Test(fence, only_what_blocks_is_ended)
{
    for (size_t i = 0; i < sizeof(processes) / sizeof(processes[0]); i++) {
        struct fence_process process = {.user = processes[i].user,
                                        .command = processes[i].command,
                                        .state = processes[i].state,
                                        .holds_lock = processes[i].holds_lock};
        for (unsigned round = 1; round <= 3; round++)
            cr_assert_eq(fence_process_is_blocker(&process, round, false, "dba"),
                         processes[i].is_blocker[round - 1], "%zu %u", i, round);
        cr_assert_eq(fence_process_is_blocker(&process, 1, true, "dba"),
                     processes[i].is_known_blocker, "%zu", i);
    }
}

Test(control, relay_log_errors_are_known)
{
    struct error *broken = error_from_mysql(1872, NULL, "x"),
                 *other = error_from_mysql(1200, NULL, "x");
    cr_assert(error_is_broken_relay_log(broken));
    cr_assert(!error_is_broken_relay_log(other));
    cr_assert(!error_is_broken_relay_log(NULL));
    error_free(broken);
    error_free(other);
}
