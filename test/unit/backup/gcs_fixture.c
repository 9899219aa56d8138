#include "gcs_fixture.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "backup/storage_check.h"

struct gcs_server *gcs_server;
struct storage *gcs_storage;

struct storage *
gcs_open_storage(const char *root, int64_t stall_ms, size_t part_bytes)
{
    struct storage *storage = NULL;
    const struct storage_gcs_options options = {
        .bucket = "bucket",
        .root = root,
        .endpoint = gcs_server_url(gcs_server),
        .patience_ms = 3000,
        .first_pause_ms = 2,
        .stall_ms = stall_ms,
        .part_bytes = part_bytes,
    };
    cr_assert_null(storage_gcs_new(&options, &storage));
    return storage;
}

void
gcs_open(void)
{
    fixture_open();
    gcs_server = gcs_server_start();
    unsetenv("GOOGLE_APPLICATION_CREDENTIALS");
    setenv("CLOUDSDK_CONFIG", fixture_folder, 1);
    setenv("GCE_METADATA_HOST", gcs_server_url(gcs_server) + strlen("http://"), 1);
    gcs_storage = gcs_open_storage("root", 5000, GCS_TEST_PART_BYTES);
}

void
gcs_close(void)
{
    storage_freep(&gcs_storage);
    gcs_server_stop(gcs_server);
    fixture_close();
}

struct error *
gcs_write_object(struct storage *storage, const char *name, const char *object, const uint8_t *data,
                 size_t size)
{
    struct storage_writer *writer;
    TRY(storage->interface->open_write(storage, NULL, "ks/0", name, object, &writer));
    struct error *error = NULL;
    for (size_t done = 0; done < size && error == NULL; done += 7000)
        error =
            storage->interface->write(writer, data + done, size - done < 7000 ? size - done : 7000);
    if (error == NULL)
        return storage->interface->close_write(writer);
    storage->interface->abort_write(writer);
    return error;
}

struct error *
gcs_read_object(struct storage *storage, const char *name, const char *object, uint64_t offset,
                uint64_t size, struct buffer *buffer)
{
    struct storage_reader *reader;
    char block[5000];
    size_t count = 1;
    TRY(storage->interface->open_range(storage, NULL, "ks/0", name, object, offset, size, &reader));
    struct error *error = NULL;
    while (error == NULL && count > 0) {
        error = storage->interface->read(reader, block, sizeof(block), &count);
        if (error == NULL)
            buffer_append(buffer, block, count);
    }
    storage->interface->close_read(reader);
    return error;
}

struct notes {
    struct error *error;
    struct strv *texts;
};

static void
take_note(const char *name, const struct check_result *result, void *data)
{
    struct notes *notes = data;
    (void)name;
    if (result->verdict == CHECK_FAILED && notes->error == NULL)
        notes->error = error_copy(result->error);
    if (result->verdict == CHECK_WARNING)
        strv_addf(notes->texts, "%s: %s", result->seen, result->advice);
}

struct error *
gcs_check(struct storage *storage, struct strv *ret_notes)
{
    const struct storage_subject about = {.storage = storage, .directory = "ks/0"};
    struct notes notes = {.texts = ret_notes};
    storage_check_run(&about, false, NULL, take_note, &notes);
    return notes.error;
}
