/* A backup is written, read and removed while one request of it fails, for each request and each
 * way of failing. What passes is cured without anybody noticing; what does not is an error; and
 * never is there a MANIFEST of a backup that is not whole. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "backup/gcs/gcs_api.h"
#include "gcs_fixture.h"

#define SMALL_BYTES 1000u
#define ONE_PART_BYTES 12000u
#define LARGE_BYTES 100000u
#define DATA_BYTES 600000u /* more than one compose takes */

static uint8_t noise[DATA_BYTES];

struct object {
    const char *name;
    size_t size;
};
static const struct object objects[] = {
    {"0", SMALL_BYTES}, {"1", ONE_PART_BYTES}, {"2", LARGE_BYTES}, {"3", 0}};

static struct error *
write_all(struct storage *storage)
{
    TRY(storage->interface->start(storage, NULL, "ks/0", "a"));
    for (size_t i = 0; i < ARRAY_LENGTH(objects); i++)
        TRY(gcs_write_object(storage, "a", objects[i].name, noise, objects[i].size));
    return storage->interface->put(storage, NULL, "ks/0", "a", "MANIFEST", noise, SMALL_BYTES);
}

static struct error *
read_object(struct storage *storage, const struct object *object, uint64_t offset, uint64_t size)
{
    CLEANUP(buffer_done) struct buffer bytes = BUFFER_INIT;
    TRY(gcs_read_object(storage, "a", object->name, offset, size, &bytes));
    size_t expected = size < object->size - offset ? (size_t)size : object->size - (size_t)offset;
    if (bytes.length_bytes != expected ||
        memcmp(buffer_text(&bytes), noise + offset, expected) != 0)
        return error_new(ERROR_INTERNAL, "object '%s' is not what was written", object->name);
    return NULL;
}

static struct error *
read_all(struct storage *storage)
{
    for (size_t i = 0; i < ARRAY_LENGTH(objects); i++) {
        TRY(read_object(storage, &objects[i], 0, UINT64_MAX));
        TRY(read_object(storage, &objects[i], objects[i].size / 3, objects[i].size / 2));
    }
    return NULL;
}

static void
check_names(const char *what, size_t expected)
{
    struct strv names = {.items = NULL};
    gcs_server_names(gcs_server, &names);
    if (names.count != expected) {
        CLEANUP(freep) char *text = strv_join(&names, " ");
        cr_assert_str_eq(what, text);
    }
    strv_done(&names);
}

/* After a failure: no MANIFEST, or all of it is there. */
static void
check_nothing_half(const char *what)
{
    gcs_server_clear_faults(gcs_server);
    struct storage *storage = gcs_open_storage("root", 5000, GCS_TEST_PART_BYTES);
    uint64_t size;
    struct error *error = storage->interface->size(storage, NULL, "ks/0", "a", "MANIFEST", &size);
    if (error == NULL)
        error = read_all(storage);
    else if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        error = NULL;
    }
    if (error != NULL)
        cr_assert_str_eq(what, error->message);
    storage_freep(&storage);
}

static struct error *
run_steps(struct storage *storage, bool must_pass)
{
    struct strv names = {.items = NULL};
    TRY(gcs_check(storage, &names));
    cr_assert_eq(names.count, 0);
    TRY(write_all(storage));
    if (must_pass)
        check_names("left after writing", ARRAY_LENGTH(objects) + 1);
    TRY(storage->interface->list(storage, NULL, "ks/0", &names));
    cr_assert_eq(names.count, 1);
    strv_done(&names);
    TRY(read_all(storage));
    return storage->interface->remove(storage, NULL, "ks/0", "a");
}

static void
run_story(const struct gcs_fault *fault, bool must_pass)
{
    CLEANUP(freep)
    char *what = xasprintf("%s %u x%u: %s %d", gcs_op_names[fault->op], fault->nth, fault->count,
                           gcs_fault_names[fault->kind], fault->argument);
    gcs_server_reset(gcs_server);
    gcs_server_add_fault(gcs_server, fault);
    struct storage *storage = gcs_open_storage("root", 120, GCS_TEST_PART_BYTES);
    struct error *error = run_steps(storage, must_pass);
    storage_freep(&storage);
    if (error != NULL && must_pass)
        cr_assert_str_eq(what, error->message);
    if (error != NULL)
        check_nothing_half(what);
    else if (must_pass)
        check_names(what, 0);
    error_free(error);
}

static void
open_all(void)
{
    gcs_open();
    fixture_fill_noise(noise, sizeof(noise), 7);
}

/* Every request of every kind, in every way that passes. */
struct way {
    enum gcs_fault_kind kind;
    int argument;
};
static const struct way passing[] = {
    {GCS_FAULT_STATUS, 503},    {GCS_FAULT_STATUS_AFTER, 500}, {GCS_FAULT_RESET, 0},
    {GCS_FAULT_RESET_AFTER, 0}, {GCS_FAULT_CUT_REQUEST, 60},   {GCS_FAULT_CUT_ANSWER, 99},
    {GCS_FAULT_CUT_HEAD, 10},   {GCS_FAULT_CUT_HEAD, 90},
};

static void
run_table(enum gcs_op first, enum gcs_op last)
{
    for (unsigned op = first; op <= (unsigned)last; op++) {
        for (size_t i = 0; i < ARRAY_LENGTH(passing); i++) {
            for (unsigned nth = 0; nth < 3; nth++) {
                /* A request that is repeated fails twice in a row, too. */
                const struct gcs_fault fault = {.op = (enum gcs_op)op,
                                                .nth = nth,
                                                .count = nth == 2 ? 3 : 1,
                                                .kind = passing[i].kind,
                                                .argument = passing[i].argument};
                run_story(&fault, true);
            }
        }
    }
}

Test(gcs_faults, reading_requests_fail, .init = open_all, .fini = gcs_close, .timeout = 300)
{
    run_table(GCS_OP_LIST, GCS_OP_DELETE);
}

Test(gcs_faults, writing_requests_fail, .init = open_all, .fini = gcs_close, .timeout = 300)
{
    run_table(GCS_OP_INSERT, GCS_OP_TOKEN);
}

Test(gcs_faults, silence_ends, .init = open_all, .fini = gcs_close, .timeout = 300)
{
    for (unsigned op = 0; op < GCS_OP_TOKEN; op++) {
        const struct gcs_fault fault = {.op = (enum gcs_op)op, .kind = GCS_FAULT_STALL};
        run_story(&fault, true);
    }
}

Test(gcs_faults, sessions_break, .init = open_all, .fini = gcs_close, .timeout = 300)
{
    static const struct way ways[] = {{GCS_FAULT_SHORT, 0},  {GCS_FAULT_SHORT, 10},
                                      {GCS_FAULT_SHORT, 50}, {GCS_FAULT_SHORT, 99},
                                      {GCS_FAULT_LOSE, 404}, {GCS_FAULT_LOSE, 410}};
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        for (unsigned nth = 0; nth < 8; nth++) {
            struct gcs_fault fault = {
                .op = GCS_OP_SEND, .nth = nth, .kind = ways[i].kind, .argument = ways[i].argument};
            run_story(&fault, true);
            fault.count = 3;
            run_story(&fault, true);
        }
    }
}

Test(gcs_faults, bits_flip, .init = open_all, .fini = gcs_close, .timeout = 300)
{
    static const enum gcs_op ops[] = {GCS_OP_INSERT, GCS_OP_SEND, GCS_OP_COMPOSE};
    for (size_t i = 0; i < ARRAY_LENGTH(ops); i++) {
        for (unsigned nth = 0; nth < 3; nth++) {
            const struct gcs_fault fault = {.op = ops[i], .nth = nth, .kind = GCS_FAULT_FLIP};
            run_story(&fault, true);
        }
    }
    for (unsigned nth = 0; nth < 4; nth++) {
        struct gcs_fault fault = {.op = GCS_OP_MEDIA, .nth = nth, .kind = GCS_FAULT_OTHER_RANGE};
        run_story(&fault, true);
    }
    /* Bytes that come damaged are found by the whole object's checksum. */
    for (unsigned nth = 1; nth < 4; nth++) {
        const struct gcs_fault fault = {.op = GCS_OP_MEDIA, .nth = nth, .kind = GCS_FAULT_FLIP};
        run_story(&fault, false);
    }
}

Test(gcs_faults, answers_are_garbage, .init = open_all, .fini = gcs_close, .timeout = 300)
{
    for (unsigned op = 0; op < GCS_OP_TOKEN; op++) {
        const struct gcs_fault fault = {.op = (enum gcs_op)op, .kind = GCS_FAULT_GARBAGE};
        run_story(&fault, op != GCS_OP_MEDIA);
    }
}

Test(gcs_faults, refusals_stay, .init = open_all, .fini = gcs_close, .timeout = 300)
{
    static const int statuses[] = {400, 403, 404, 412, 501, 302};
    for (unsigned op = 0; op < GCS_OP_TOKEN; op++) {
        for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
            const struct gcs_fault fault = {.op = (enum gcs_op)op,
                                            .count = 1000,
                                            .kind = GCS_FAULT_STATUS,
                                            .argument = statuses[i]};
            run_story(&fault, false);
        }
    }
}

Test(gcs_faults, a_very_large_object_is_composed_in_steps, .init = open_all, .fini = gcs_close)
{
    const struct storage_interface *interface = gcs_storage->interface;
    CLEANUP(buffer_done) struct buffer bytes = BUFFER_INIT;
    cr_assert_null(interface->start(gcs_storage, NULL, "ks/0", "a"));
    cr_assert_null(gcs_write_object(gcs_storage, "a", "0", noise, sizeof(noise)));
    cr_assert_null(interface->put(gcs_storage, NULL, "ks/0", "a", "MANIFEST", "{}", 2));
    cr_assert_eq(gcs_server_requests(gcs_server, GCS_OP_COMPOSE), 2);
    check_names("left", 2);
    cr_assert_null(gcs_read_object(gcs_storage, "a", "0", 0, UINT64_MAX, &bytes));
    cr_assert_eq(bytes.length_bytes, sizeof(noise));
    cr_assert_arr_eq(bytes.data, noise, sizeof(noise));
}

Test(gcs_faults, parts_beyond_a_thousand_are_composed_in_their_order, .init = open_all,
     .fini = gcs_close)
{
    struct storage *storage = gcs_open_storage("root", 5000, 256);
    CLEANUP(buffer_done) struct buffer bytes = BUFFER_INIT;
    cr_assert_null(storage->interface->start(storage, NULL, "ks/0", "a"));
    cr_assert_null(gcs_write_object(storage, "a", "0", noise, sizeof(noise)));
    cr_assert_null(storage->interface->put(storage, NULL, "ks/0", "a", "MANIFEST", "{}", 2));
    cr_assert_gt(gcs_server_requests(gcs_server, GCS_OP_COMPOSE), 1024 / GCS_COMPOSE_MOST);
    check_names("left", 2);
    storage_freep(&storage);
    cr_assert_null(gcs_read_object(gcs_storage, "a", "0", 0, UINT64_MAX, &bytes));
    cr_assert_eq(bytes.length_bytes, sizeof(noise));
    cr_assert_arr_eq(bytes.data, noise, sizeof(noise));
}

Test(gcs_faults, a_silent_request_is_asked_again_soon_where_answers_come_quickly, .init = open_all,
     .fini = gcs_close)
{
    struct storage *storage = gcs_open_storage("root", 60000, GCS_TEST_PART_BYTES);
    cr_assert_null(storage->interface->start(storage, NULL, "ks/0", "a"));
    for (unsigned op = GCS_OP_INSERT; op <= GCS_OP_COMPOSE; op++) {
        const struct gcs_fault fault = {.op = (enum gcs_op)op, .nth = 1, .kind = GCS_FAULT_STALL};
        gcs_server_add_fault(gcs_server, &fault);
    }
    int64_t start_ms = clock_monotonic_ms();
    for (size_t i = 0; i < ARRAY_LENGTH(objects); i++)
        cr_assert_null(gcs_write_object(storage, "a", objects[i].name, noise, objects[i].size));
    cr_assert_null(gcs_write_object(storage, "a", "4", noise, DATA_BYTES));
    cr_assert_null(storage->interface->put(storage, NULL, "ks/0", "a", "MANIFEST", "{}", 2));
    cr_assert_gt(gcs_server_faults_met(gcs_server), 2);
    cr_assert_lt(clock_monotonic_ms() - start_ms, 20000);
    cr_assert_null(read_all(storage));
    storage_freep(&storage);
}
