#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/memory.h"
#include "agent/mysql/db.h"

Test(db, params_are_copied_deeply)
{
    struct db_params params = {.host = (char *)"h",
                               .port = 3,
                               .user = (char *)"u",
                               .password = (char *)"p",
                               .connect_timeout_ms = 5};
    struct db_params copy;
    db_params_copy(&copy, &params);
    cr_assert_str_eq(copy.host, "h");
    cr_assert_neq(copy.host, params.host);
    cr_assert_null(copy.socket);
    cr_assert_eq(copy.connect_timeout_ms, 5);
    db_params_done(&copy);
    cr_assert_null(copy.password);
}

Test(db, missing_socket_is_unavailable)
{
    struct db_params params = {.socket = (char *)"/nonexistent/mysqld.sock",
                               .user = (char *)"u",
                               .password = (char *)"",
                               .connect_timeout_ms = 1000};
    struct db *db = NULL;
    struct error *error = db_open(&params, NULL, &db);
    cr_assert(error_is(error, ERROR_UNAVAILABLE));
    cr_assert_eq(error->mysql_errno, 2002);
    cr_assert_null(db);
    error_free(error);
}

/* A server that accepts connections (in the kernel) and says nothing. */
static int
listen_silently(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(listener, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(listener, 4), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return listener;
}

Test(db, silent_server_ends_at_the_connect_timeout)
{
    int port = 0;
    int listener = listen_silently(&port);
    struct db_params params = {.host = (char *)"127.0.0.1",
                               .port = port,
                               .user = (char *)"u",
                               .password = (char *)"",
                               .connect_timeout_ms = 100};
    struct db *db = NULL;
    struct error *error = db_open(&params, NULL, &db);
    cr_assert(error_is(error, ERROR_UNAVAILABLE));
    cr_assert_eq(error->mysql_errno, 2003);
    error_free(error);
    close(listener);
}

Test(db, silent_server_ends_at_the_cancels_deadline)
{
    int port = 0;
    int listener = listen_silently(&port);
    struct db_params params = {.host = (char *)"127.0.0.1",
                               .port = port,
                               .user = (char *)"u",
                               .password = (char *)"",
                               .connect_timeout_ms = 600000};
    struct cancel *cancel = cancel_new(clock_monotonic_ms() + 100);
    struct db *db = NULL;
    struct error *error = db_open(&params, cancel, &db);
    cr_assert(error_is(error, ERROR_DEADLINE_EXCEEDED));
    error_free(error);
    cancel_unref(cancel);
    close(listener);
}

Test(db, cancel_before_the_start_is_canceled)
{
    struct db_params params = {.host = (char *)"127.0.0.1", .port = 1, .user = (char *)"u"};
    struct cancel *cancel = cancel_new(INT64_MAX);
    cancel_request(cancel);
    struct db *db = NULL;
    struct error *error = db_open(&params, cancel, &db);
    cr_assert(error_is(error, ERROR_CANCELED));
    error_free(error);
    cancel_unref(cancel);
}

Test(db, pool_without_a_server_says_so_and_frees)
{
    struct db_params params = {.socket = (char *)"/nonexistent/mysqld.sock",
                               .user = (char *)"u",
                               .password = (char *)"",
                               .connect_timeout_ms = 1000};
    struct db_pool *pool = db_pool_new(&params, 4);
    struct db *db = NULL;
    struct error *error = db_pool_take(pool, NULL, &db);
    cr_assert(error_is(error, ERROR_UNAVAILABLE));
    error_free(error);
    db_pool_give(pool, NULL);
    db_pool_close_idle(pool);
    db_pool_free(pool);
    db_pool_free(NULL);
}

Test(db, result_columns_are_found_without_case)
{
    struct db_field fields[] = {{.name = (char *)"File"}, {.name = (char *)"Position"}};
    struct db_cell cells[] = {{"bin.1", 5}, {NULL, 0}, {"bin.2", 5}, {"42", 2}};
    struct db_result result = {.fields = fields, .field_count = 2, .cells = cells, .row_count = 2};
    cr_assert_str_eq(db_result_text(&result, 0, "FILE"), "bin.1");
    cr_assert_null(db_result_text(&result, 0, "position"));
    cr_assert_str_eq(db_result_text(&result, 1, "position"), "42");
    cr_assert_null(db_result_text(&result, 2, "position"));
    cr_assert_null(db_result_text(&result, 0, "other"));
    cr_assert_str_eq(db_result_cell(&result, 1, 0)->data, "bin.2");
}
