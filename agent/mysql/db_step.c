#include <poll.h>
#include <sys/socket.h>

#include "agent/base/clock.h"
#include "agent/mysql/db_private.h"

#define KILL_GRACE_MS 1000
#define POLL_SLICE_MS 60000

static int
step_start(struct db *db, struct db_step *step)
{
    const struct db_params *params = &db->params;
    bool has_socket = params->socket != NULL && params->socket[0] != '\0';
    switch (step->kind) {
    case DB_STEP_CONNECT:
        return mysql_real_connect_start(
            &step->ret_connected, db->mysql, has_socket ? "localhost" : params->host, params->user,
            params->password, params->database, has_socket ? 0 : (unsigned)params->port,
            has_socket ? params->socket : NULL, CLIENT_MULTI_RESULTS);
    case DB_STEP_QUERY:
        return mysql_real_query_start(&step->ret_code, db->mysql, step->sql, step->sql_length);
    case DB_STEP_FETCH_ROW:
        return mysql_fetch_row_start(&step->ret_row, step->rows);
    case DB_STEP_NEXT_RESULT:
        return mysql_next_result_start(&step->ret_code, db->mysql);
    case DB_STEP_SET_OPTION:
        return mysql_set_server_option_start(&step->ret_code, db->mysql, step->option);
    case DB_STEP_PING:
        return mysql_ping_start(&step->ret_code, db->mysql);
    }
    return 0;
}

static int
step_continue(struct db *db, struct db_step *step, int ready)
{
    switch (step->kind) {
    case DB_STEP_CONNECT:
        return mysql_real_connect_cont(&step->ret_connected, db->mysql, ready);
    case DB_STEP_QUERY:
        return mysql_real_query_cont(&step->ret_code, db->mysql, ready);
    case DB_STEP_FETCH_ROW:
        return mysql_fetch_row_cont(&step->ret_row, step->rows, ready);
    case DB_STEP_NEXT_RESULT:
        return mysql_next_result_cont(&step->ret_code, db->mysql, ready);
    case DB_STEP_SET_OPTION:
        return mysql_set_server_option_cont(&step->ret_code, db->mysql, ready);
    case DB_STEP_PING:
        return mysql_ping_cont(&step->ret_code, db->mysql, ready);
    }
    return 0;
}

static int64_t
turn_remaining_ms(const struct db_turn *turn)
{
    if (!turn->was_ended)
        return cancel_remaining_ms(turn->cancel);
    int64_t left = turn->give_up_ms - clock_monotonic_ms();
    return left > 0 ? left : 0;
}

static int
ready_of(int wanted, short events)
{
    int ready = 0;
    if (events & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
        ready |= MYSQL_WAIT_READ;
    if (events & (POLLOUT | POLLHUP | POLLERR | POLLNVAL))
        ready |= MYSQL_WAIT_WRITE;
    if (events & POLLPRI)
        ready |= MYSQL_WAIT_EXCEPT;
    return ready & wanted;
}

/* What of `wanted` is ready; 0 when the time is over or the cancel was asked for. */
static int
wait_for_socket(struct db *db, const struct db_turn *turn, int wanted)
{
    short events = (short)(((wanted & MYSQL_WAIT_READ) ? POLLIN : 0) |
                           ((wanted & MYSQL_WAIT_WRITE) ? POLLOUT : 0) |
                           ((wanted & MYSQL_WAIT_EXCEPT) ? POLLPRI : 0));
    struct pollfd descriptors[2] = {
        {.fd = (int)mysql_get_socket(db->mysql), .events = events},
        {.fd = turn->was_ended ? -1 : cancel_descriptor(turn->cancel), .events = POLLIN},
    };
    for (;;) {
        int64_t left = turn_remaining_ms(turn);
        int timeout = left > POLL_SLICE_MS ? POLL_SLICE_MS : (int)left;
        int count = poll(descriptors, 2, timeout);
        int ready = count > 0 ? ready_of(wanted, descriptors[0].revents) : 0;
        if (ready != 0)
            return ready;
        if (left == 0 || (count > 0 && descriptors[1].revents != 0))
            return 0;
    }
}

void
db_break(struct db *db)
{
    db->is_broken = true;
    int descriptor = (int)mysql_get_socket(db->mysql);
    if (descriptor >= 0)
        shutdown(descriptor, SHUT_RDWR);
}

/* The cancel ended while the server works. False when nothing is left to wait for. */
static bool
turn_end(struct db *db, struct db_turn *turn)
{
    if (turn->was_ended || !turn->can_kill)
        return false;
    turn->was_ended = true;
    turn->give_up_ms = clock_monotonic_ms() + KILL_GRACE_MS;
    db_kill_statement(db, turn->give_up_ms);
    return true;
}

bool
db_step_run(struct db *db, struct db_turn *turn, struct db_step *step)
{
    int wanted = step_start(db, step);
    while (wanted != 0) {
        int ready = wait_for_socket(db, turn, wanted);
        if (ready == 0 && turn_end(db, turn))
            continue;
        if (ready == 0) {
            db_break(db);
            return false;
        }
        wanted = step_continue(db, step, ready);
    }
    return true;
}
