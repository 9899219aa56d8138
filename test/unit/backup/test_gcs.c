/* What the GCS storage says and does when bucket, accounts or others are not as they should be. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "backup/gcs/gcs_answer.h"
#include "backup/gcs/gcs_http.h"
#include "gcs_fixture.h"

static uint8_t noise[900000];

static void
open_noise(void)
{
    gcs_open();
    fixture_fill_noise(noise, sizeof(noise), 3);
}

static struct error *
write_backup(struct storage *storage, const char *name)
{
    TRY(storage->interface->start(storage, NULL, "ks/0", name));
    TRY(gcs_write_object(storage, name, "0", noise, 100000));
    return storage->interface->put(storage, NULL, "ks/0", name, "MANIFEST", "{}", 2);
}

static void
expect_names(const char *expected)
{
    struct strv names = {.items = NULL};
    gcs_server_names(gcs_server, &names);
    CLEANUP(freep) char *text = strv_join(&names, " ");
    cr_assert_str_eq(text, expected);
    strv_done(&names);
}

Test(gcs, names_are_those_of_vitess, .init = open_noise, .fini = gcs_close)
{
    cr_assert_null(write_backup(gcs_storage, "2026-11-23.055542.zone1-0000000102"));
    struct storage *bare = gcs_open_storage("", 5000, GCS_TEST_PART_BYTES);
    cr_assert_null(write_backup(bare, "a b"));
    expect_names("ks/0/a b/0 ks/0/a b/MANIFEST root/ks/0/2026-11-23.055542.zone1-0000000102/0 "
                 "root/ks/0/2026-11-23.055542.zone1-0000000102/MANIFEST");
    storage_freep(&bare);
}

Test(gcs, lists_come_in_pages, .init = open_noise, .fini = gcs_close)
{
    const struct gcs_server_settings settings = {.page_size = 2};
    struct strv names = {.items = NULL};
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    for (int i = 0; i < 9; i++) {
        CLEANUP(freep) char *name = xasprintf("root/ks/0/b%d/MANIFEST", i);
        gcs_server_write(gcs_server, name, "{}", 2);
        CLEANUP(freep) char *other = xasprintf("root/ks/0/a/%d", i);
        gcs_server_write(gcs_server, other, "x", 1);
    }
    gcs_server_write(gcs_server, "root/ks/0/plain", "x", 1);
    gcs_server_set(gcs_server, &settings);
    cr_assert_null(gcs_storage->interface->list(gcs_storage, NULL, "ks/0", &names));
    cr_assert_eq(names.count, 10);
    cr_assert_str_eq(names.items[0], "a");
    cr_assert_str_eq(names.items[9], "b8");
    strv_done(&names);
    cr_assert_null(gcs_read_object(gcs_storage, "a", "8", 0, 9, &text));
    cr_assert_str_eq(buffer_text(&text), "x");
    cr_assert_null(gcs_storage->interface->remove(gcs_storage, NULL, "ks/0", "a"));
    cr_assert_null(gcs_storage->interface->list(gcs_storage, NULL, "ks/0", &names));
    cr_assert_eq(names.count, 9);
    strv_done(&names);
}

Test(gcs, two_writers_of_one_name_do_not_meet, .init = open_noise, .fini = gcs_close)
{
    const struct storage_interface *interface = gcs_storage->interface;
    struct storage *other = gcs_open_storage("root", 5000, GCS_TEST_PART_BYTES);
    cr_assert_null(interface->start(gcs_storage, NULL, "ks/0", "a"));
    fixture_expect(interface->start(other, NULL, "ks/0", "a"), ERROR_ALREADY_EXISTS,
                   "does another tablet write it");
    cr_assert_null(gcs_write_object(gcs_storage, "a", "0", noise, 100000));
    cr_assert_null(interface->put(gcs_storage, NULL, "ks/0", "a", "MANIFEST", "{}", 2));
    fixture_expect(interface->start(other, NULL, "ks/0", "a"), ERROR_ALREADY_EXISTS, "");
    expect_names("root/ks/0/a/0 root/ks/0/a/MANIFEST");
    /* Whoever writes in spite of that changes nothing that is there, large or small. */
    fixture_expect(gcs_write_object(other, "a", "0", noise, 100000), ERROR_ALREADY_EXISTS,
                   "is not ours");
    fixture_expect(gcs_write_object(other, "a", "0", noise, 100), ERROR_ALREADY_EXISTS, "not ours");
    fixture_expect(interface->put(other, NULL, "ks/0", "a", "MANIFEST", "{}", 2),
                   ERROR_ALREADY_EXISTS, "not ours");
    storage_freep(&other);
}

Test(gcs, an_object_that_goes_while_it_is_read_is_data_loss, .init = open_noise, .fini = gcs_close)
{
    struct storage_reader *reader;
    char block[1000];
    size_t count = 1;
    cr_assert_null(write_backup(gcs_storage, "a"));
    cr_assert_null(gcs_storage->interface->open_read(gcs_storage, NULL, "ks/0", "a", "0", &reader));
    cr_assert_null(gcs_storage->interface->read(reader, block, sizeof(block), &count));
    /* Replaced, not only deleted: another generation is not what was begun. */
    gcs_server_write(gcs_server, "root/ks/0/a/0", noise + 1, 100000);
    struct error *error = NULL;
    while (error == NULL && count > 0)
        error = gcs_storage->interface->read(reader, block, sizeof(block), &count);
    fixture_expect(error, ERROR_DATA_LOSS, "deleted or replaced");
    gcs_storage->interface->close_read(reader);
}

Test(gcs, a_retention_policy_is_told_and_needs_no_deleting, .init = open_noise, .fini = gcs_close)
{
    const struct gcs_server_settings settings = {.retention_s = 3600};
    struct storage *storage = gcs_open_storage("root", 5000, 256u << 10);
    struct strv notes = {.items = NULL};
    CLEANUP(buffer_done) struct buffer bytes = BUFFER_INIT;
    gcs_server_set(gcs_server, &settings);
    cr_assert_null(gcs_check(storage, &notes));
    cr_assert_eq(notes.count, 1);
    cr_assert_not_null(strstr(notes.items[0], "retention policy of 3600 s"));
    strv_done(&notes);
    cr_assert_null(storage->interface->start(storage, NULL, "ks/0", "a"));
    cr_assert_null(gcs_write_object(storage, "a", "0", noise, sizeof(noise)));
    cr_assert_null(gcs_write_object(storage, "a", "1", noise, 512u << 10));
    cr_assert_null(storage->interface->put(storage, NULL, "ks/0", "a", "MANIFEST", "{}", 2));
    expect_names("root/ks/0/a/.owner root/ks/0/a/0 root/ks/0/a/1 root/ks/0/a/MANIFEST");
    cr_assert_null(gcs_read_object(storage, "a", "0", 0, UINT64_MAX, &bytes));
    cr_assert_eq(bytes.length_bytes, sizeof(noise));
    cr_assert_arr_eq(bytes.data, noise, sizeof(noise));
    fixture_expect(storage->interface->remove(storage, NULL, "ks/0", "a"),
                   ERROR_FAILED_PRECONDITION, "retention period");
    storage_freep(&storage);
}

Test(gcs, soft_delete_and_a_wrong_clock_are_told, .init = open_noise, .fini = gcs_close)
{
    const struct gcs_server_settings settings = {.soft_delete_s = 604800, .clock_ahead_s = -3600};
    struct strv notes = {.items = NULL};
    gcs_server_set(gcs_server, &settings);
    cr_assert_null(gcs_check(gcs_storage, &notes));
    cr_assert_eq(notes.count, 2);
    cr_assert_not_null(strstr(notes.items[0], "7.0 days (soft delete)"));
    cr_assert_not_null(strstr(notes.items[1], "ahead of the storage's"));
    expect_names("");
    strv_done(&notes);
}

/* What the service answers, and what an operator reads. */
struct refusal {
    int status;
    const char *body;
    bool has_object;
    enum error_code code;
    const char *text;
};
static const struct refusal refusals[] = {
    {404, "{\"error\":{\"message\":\"The specified bucket does not exist.\"}}", true,
     ERROR_FAILED_PRECONDITION, "correct --gcs-backup-storage-bucket"},
    {404, "{\"error\":{\"message\":\"Not Found\"}}", false, ERROR_FAILED_PRECONDITION,
     "bucket 'b'"},
    {404, "No such object: b/o", true, ERROR_NOT_FOUND, "object 'o'"},
    {403,
     "{\"error\":{\"message\":\"x@y does not have storage.objects.create access\",\"errors\":"
     "[{\"reason\":\"forbidden\"}]}}",
     true, ERROR_PERMISSION_DENIED, "roles/storage.objectUser"},
    {403, "{\"error\":{\"message\":\"slow\",\"errors\":[{\"reason\":\"rateLimitExceeded\"}]}}",
     true, ERROR_UNAVAILABLE, "slow"},
    {403, "{\"error\":{\"message\":\"The billing account is closed\"}}", false,
     ERROR_FAILED_PRECONDITION, "billing"},
    {403, "{\"error\":{\"message\":\"m\",\"errors\":[{\"reason\":\"retentionPolicyNotMet\"}]}}",
     true, ERROR_FAILED_PRECONDITION, "retention period"},
    {401, "", false, ERROR_UNAUTHENTICATED, "credentials"},
    {429, "", true, ERROR_UNAVAILABLE, "status 429"},
    {503, "\x01<html>\n\ttry later</html>", true, ERROR_UNAVAILABLE, "<html>  try later</html>"},
    {501, "{\"error\":5}", true, ERROR_INTERNAL, "HTTP status 501"},
    {412, "{}", true, ERROR_ALREADY_EXISTS, "exists"},
    {302, "", true, ERROR_INTERNAL, "status 302"},
};

Test(gcs, refusals_say_what_to_do)
{
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
        const struct refusal *row = &refusals[i];
        struct gcs_answer answer = {.status = row->status};
        buffer_append_text(&answer.body, row->body);
        fixture_expect(gcs_answer_error(&answer, "b", row->has_object ? "o" : NULL), row->code,
                       row->text);
        gcs_answer_done(&answer);
    }
}

static void
add(struct gcs_answer *answer, const char *line)
{
    gcs_answer_add_header(answer, line, strlen(line));
}

Test(gcs, headers_are_read_or_skipped)
{
    struct gcs_answer answer = {.status = 0};
    add(&answer, "Range: bytes=0-262143\r\n");
    add(&answer, "content-range:bytes 5-9/12");
    add(&answer, "X-Goog-Hash: md5=abc,crc32c=4waSgw==\r\n");
    add(&answer, "x-goog-generation: 1700000000000001\r\n");
    add(&answer, "Date: Mon, 23 Nov 2026 05:55:42 GMT\r\n");
    add(&answer, "Retry-After: 99999\r\n");
    add(&answer, "Location: https://x/y?upload_id=z\r\n");
    cr_assert_eq(answer.stored_bytes, 262144);
    cr_assert_eq(answer.range_start, 5);
    cr_assert_eq(answer.range_size, 5);
    cr_assert_eq(answer.range_total, 12);
    cr_assert(answer.has_crc32c);
    cr_assert_eq(answer.crc32c, 0xe3069283u);
    cr_assert_eq(answer.generation, 1700000000000001);
    cr_assert_eq(answer.date_seconds, 1795413342);
    cr_assert_eq(answer.retry_after_ms, 300000);
    cr_assert_str_eq(answer.location, "https://x/y?upload_id=z");
    add(&answer, "HTTP/1.1 200 OK\r\n");
    cr_assert_null(answer.location);
    static const char *const wrong[] = {
        "Range: bytes=1-5",
        "Range: bytes=0-",
        "Range: bytes=0-9999999999999999999",
        "Content-Range: bytes 9-5/9",
        "Content-Range: bytes */5",
        "Content-Range: bytes 0-5/5",
        "X-Goog-Hash: crc32c=abc",
        "X-Goog-Generation: -5",
        "Date: yesterday",
        "Retry-After: soon",
        "no colon",
        ":",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        add(&answer, wrong[i]);
    cr_assert_not(answer.has_stored || answer.has_range || answer.has_crc32c);
    cr_assert_eq(answer.generation, 0);
    cr_assert_eq(answer.date_seconds, 0);
    gcs_answer_done(&answer);
}

Test(gcs, checksums_are_those_of_the_service)
{
    char text[GCS_CRC32C_TEXT_BYTES];
    uint32_t crc;
    gcs_crc32c_format(gcs_crc32c(gcs_crc32c(0, "1234", 4), "56789", 5), text);
    cr_assert_str_eq(text, "4waSgw==");
    cr_assert(gcs_crc32c_parse("4waSgw==", 8, &crc));
    cr_assert_eq(crc, 0xe3069283u);
    cr_assert_not(gcs_crc32c_parse("4waSgw=", 7, &crc));
    cr_assert_not(gcs_crc32c_parse("4wa!gw==", 8, &crc));
    CLEANUP(freep) char *escaped = gcs_escape("a/b c\xc3\xa4?&");
    cr_assert_str_eq(escaped, "a%2Fb%20c%C3%A4%3F%26");
}

Test(gcs, nobody_there_is_given_up_in_time, .init = open_noise, .fini = gcs_close)
{
    struct strv names = {.items = NULL};
    struct storage *storage;
    const struct storage_gcs_options options = {.bucket = "bucket",
                                                .root = "",
                                                .endpoint = "http://127.0.0.1:1",
                                                .patience_ms = 100,
                                                .first_pause_ms = 10};
    cr_assert_null(storage_gcs_new(&options, &storage));
    fixture_expect(storage->interface->list(storage, NULL, "ks/0", &names), ERROR_UNAVAILABLE,
                   "given up after");
    storage_freep(&storage);
    const struct storage_gcs_options wrong = {.bucket = "gs://bucket", .root = ""};
    fixture_expect(storage_gcs_new(&wrong, &storage), ERROR_FAILED_PRECONDITION, "without gs://");
}

Test(gcs, a_cancel_ends_a_stalled_upload_at_once, .init = open_noise, .fini = gcs_close)
{
    const struct gcs_fault fault = {.op = GCS_OP_SEND, .count = 100, .kind = GCS_FAULT_STALL};
    struct cancel *cancel = cancel_new_child(NULL, 300);
    struct storage *patient = gcs_open_storage("root", 600000, GCS_TEST_PART_BYTES);
    struct storage_writer *writer;
    gcs_server_add_fault(gcs_server, &fault);
    cr_assert_null(patient->interface->open_write(patient, cancel, "ks/0", "a", "0", &writer));
    struct error *error = patient->interface->write(writer, noise, 100000);
    if (error == NULL)
        error = patient->interface->close_write(writer);
    else
        patient->interface->abort_write(writer);
    fixture_expect(error, ERROR_DEADLINE_EXCEEDED, "");
    storage_freep(&patient);
    cancel_unref(cancel);
}
