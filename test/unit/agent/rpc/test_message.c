/* Decoding within limits, and the texts of errors. */
#include "loopback.h"

#include <stdlib.h>
#include <string.h>

#include "agent/rpc/decode.h"
#include "agent/rpc/status.h"
#include "tabletmanagerservice.pb-c.h"

Test(rpc_decode, small_bytes_cannot_ask_for_much_memory)
{
    /* A million empty queries: two bytes each, a struct each. */
    enum { COUNT = 1000000 };
    uint8_t *wire = xcalloc(COUNT, 2);
    for (size_t i = 0; i < COUNT; i++)
        wire[2 * i] = 1 << 3 | 2; /* field 1 of GetSchema: a text */
    struct arena arena;
    arena_init(&arena, 1024 * 1024);
    ProtobufCMessage *message = NULL;
    assert_error(message_decode(wire, 2 * COUNT, &tabletmanagerdata__get_schema_request__descriptor,
                                &arena, &message),
                 ERROR_RESOURCE_EXHAUSTED, "needs more than 1048576 bytes");
    cr_assert_leq(arena.used_bytes, arena.limit_bytes);
    arena_done(&arena);
    arena_init(&arena, MESSAGE_ARENA_BYTES);
    assert_ok(message_decode(wire, 2 * COUNT, &tabletmanagerdata__get_schema_request__descriptor,
                             &arena, &message));
    cr_assert_eq(((Tabletmanagerdata__GetSchemaRequest *)(void *)message)->n_tables, COUNT);
    arena_done(&arena);
    free(wire);
}

Test(rpc_decode, every_limit_is_survived)
{
    Tabletmanagerdata__BackupRequest request = TABLETMANAGERDATA__BACKUP_REQUEST__INIT;
    Tabletmanagerdata__BackupRequest__InitSQL sql =
        TABLETMANAGERDATA__BACKUP_REQUEST__INIT_SQL__INIT;
    static char one[] = "select 1", engine[] = "builtin";
    char *queries[] = {one, one, one};
    sql.queries = queries;
    sql.n_queries = 3;
    request.init_sql = &sql;
    request.backup_engine = engine;
    uint8_t wire[256];
    size_t size = protobuf_c_message_pack(&request.base, wire);
    size_t refused = 0, decoded = 0;
    for (size_t limit = 0; limit < 2000; limit++) {
        struct arena arena;
        arena_init(&arena, limit);
        ProtobufCMessage *message = NULL;
        struct error *error = message_decode(
            wire, size, &tabletmanagerdata__backup_request__descriptor, &arena, &message);
        refused += error_is(error, ERROR_RESOURCE_EXHAUSTED);
        decoded += error == NULL;
        error_free(error);
        arena_done(&arena);
    }
    cr_assert_gt(refused, 100);
    cr_assert_gt(decoded, 100);
    cr_assert_eq(refused + decoded, 2000);
}

/* The decoder recurses with the messages: none of ours may hold itself. */
static void
assert_no_cycle(const ProtobufCMessageDescriptor *descriptor, int depth)
{
    cr_assert_lt(depth, 20);
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        if (descriptor->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            assert_no_cycle(descriptor->fields[i].descriptor, depth + 1);
}

Test(rpc_decode, requests_are_not_recursive)
{
    const ProtobufCServiceDescriptor *service = &tabletmanagerservice__tablet_manager__descriptor;
    cr_assert_gt(service->n_methods, 30);
    for (unsigned i = 0; i < service->n_methods; i++)
        assert_no_cycle(service->methods[i].input, 0);
}

static void
assert_errno(const char *text, int number, const char *state)
{
    struct error *error = error_new(ERROR_UNKNOWN, "%s", text);
    status_parse_errno(error);
    cr_assert_eq(error->mysql_errno, number);
    cr_assert_str_eq(error->sqlstate, state);
    error_free(error);
}

Test(rpc_status, errno_is_found_in_the_text)
{
    assert_errno("x (errno 1290) (sqlstate HY000)", 1290, "HY000");
    assert_errno("a (errno 100) (sqlstate HY000): b (errno 1) (sqlstate 42000)", 100, "HY000");
    assert_errno("a (errno x) (sqlstate HY000): b (errno 7) (sqlstate 42S02) c", 7, "42S02");
    assert_errno("(errno 7)", 0, "");
    assert_errno("(errno 7) (sqlstate 42", 0, "");
    assert_errno("(errno -7) (sqlstate 42000)", 0, "");
    assert_errno("(errno 99999999999999999999) (sqlstate 42000)", 0, "");
    assert_errno("(errno ", 0, "");
    assert_errno("", 0, "");
}

Test(rpc_status, texts_name_method_and_tablet)
{
    char *text = status_text(TM "Ping", "zone1-100", "no");
    cr_assert_str_eq(text, "TabletManager.Ping on zone1-100: no");
    free(text);
    text = status_text(TM "Ping", NULL, "no");
    cr_assert_str_eq(text, "no");
    free(text);
    text = status_text("/mysqlctl.MysqlCtl/Start", "zone1-100", "no");
    cr_assert_str_eq(text, "no");
    free(text);
}
