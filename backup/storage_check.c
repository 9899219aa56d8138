#include "backup/storage_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"

#define PROBE_BYTES 65536u

/* Bytes that no storage makes up by itself. */
static void
fill(uint8_t *bytes)
{
    uint32_t state = 2463534242u;
    for (size_t i = 0; i < PROBE_BYTES; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes[i] = (uint8_t)state;
    }
}

void
storage_check_create(void *data, struct cancel *cancel, struct check_result *result)
{
    struct storage_subject *subject = data;
    uint8_t bytes[PROBE_BYTES];
    if (subject->probe_taboo != NULL) {
        check_skip(result, "%s", subject->probe_taboo);
        return;
    }
    fill(bytes);
    int64_t start_ms = clock_monotonic_ms();
    struct error *error = subject->storage->interface->probe_write(
        subject->storage, cancel, subject->directory, subject->probe, bytes, sizeof(bytes));
    subject->written_ms = clock_monotonic_ms() - start_ms;
    if (error == NULL)
        check_ok(result, "%u bytes written durably in %" PRId64 " ms", PROBE_BYTES,
                 subject->written_ms);
    else
        check_fail(result, error_wrap(error, "create a probe object"), "");
}

static struct error *
read_back(const struct storage_subject *subject, struct cancel *cancel)
{
    CLEANUP(buffer_done) struct buffer read = BUFFER_INIT;
    uint8_t bytes[PROBE_BYTES];
    fill(bytes);
    TRY(subject->storage->interface->probe_read(subject->storage, cancel, subject->directory,
                                                subject->probe, sizeof(bytes), &read));
    if (read.length_bytes == sizeof(bytes) && memcmp(read.data, bytes, sizeof(bytes)) == 0)
        return NULL;
    return error_new(ERROR_DATA_LOSS, "the storage returns other bytes than were written: no "
                                      "backup would be safe there");
}

void
storage_check_read(void *data, struct cancel *cancel, struct check_result *result)
{
    struct error *error = read_back(data, cancel);
    if (error == NULL)
        check_ok(result, "the same bytes come back");
    else
        check_fail(result, error_wrap(error, "read a probe object"), "");
}

void
storage_check_list(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct storage_subject *subject = data;
    CLEANUP(strv_done) struct strv names = {.items = NULL};
    struct error *error =
        subject->storage->interface->list(subject->storage, cancel, subject->directory, &names);
    if (error == NULL)
        check_ok(result, "%zu backups of '%s'", names.count, subject->directory);
    else
        check_fail(result, error_wrap(error, "list backups"), "");
}

/* Canceled or not: it shall not stay. */
void
storage_check_delete(void *data, struct cancel *cancel, struct check_result *result)
{
    const struct storage_subject *subject = data;
    (void)cancel;
    struct error *error = subject->storage->interface->probe_delete(
        subject->storage, NULL, subject->directory, subject->probe);
    if (error == NULL)
        check_ok(result, "the probe object is gone");
    else
        check_fail(result, error_wrap(error, "delete a probe object"), "");
}

void
storage_check_run(const struct storage_subject *about, bool with_advice, struct cancel *cancel,
                  check_report report, void *data)
{
    struct storage_subject subject = *about;
    if (subject.storage->interface->checks == NULL) /* the one for tests */
        return;
    snprintf(subject.probe, sizeof(subject.probe), ".probe-%d-%" PRId64, (int)getpid(),
             clock_wall_ns());
    check_run(subject.storage->interface->checks, &subject, with_advice, cancel, report, data);
}
