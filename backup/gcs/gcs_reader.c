#include "backup/gcs/gcs_reader.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Pieces of one reader that are fetched at once. */
#define PIECES_AHEAD 4u

struct piece {
    struct gcs_reader *reader;
    struct piece *next;
    uint64_t start;
    size_t size, filled; /* filled: under the lock */
    bool has_ended;      /* no lane works on it any more; under the lock */
    unsigned char *bytes;
    uint64_t asked;                  /* where the request under way begins */
    const struct gcs_answer *answer; /* to it */
};

struct gcs_reader {
    struct gcs_client *client;
    struct gcs_lanes *lanes;
    struct cancel *cancel; /* ours */
    char *name, *url;
    uint64_t size_bytes; /* of the object */
    uint64_t next, end;  /* what no lane was sent for yet */
    struct piece *first, **last;
    size_t piece_count, consumed; /* consumed: of the first piece */
    bool is_whole, has_read;
    uint32_t crc32c, expected_crc32c;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct error *error; /* of a lane; under the lock */
};

struct gcs_reader *
gcs_reader_new(struct gcs_client *client, struct gcs_lanes *lanes, const struct gcs_object *object,
               uint64_t start, uint64_t size, struct cancel *cancel)
{
    struct gcs_reader *reader = xcalloc(1, sizeof(*reader));
    CLEANUP(freep) char *base = gcs_client_url(client, object->name);
    uint64_t object_size = object->size_bytes;
    reader->client = client;
    reader->lanes = lanes;
    reader->cancel = cancel_new_child(cancel, INT64_MAX);
    reader->name = xstrdup(object->name);
    reader->url = xasprintf("%s?alt=media&generation=%" PRId64, base, object->generation);
    reader->size_bytes = object_size;
    reader->next = start < object_size ? start : object_size;
    reader->end = size < object_size - reader->next ? reader->next + size : object_size;
    reader->is_whole = reader->next == 0 && reader->end == object_size && object->has_crc32c;
    reader->expected_crc32c = object->crc32c;
    reader->last = &reader->first;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, NULL);
    return reader;
}

/* ---- On a lane ---- */
static struct error *
check_range(const struct piece *piece)
{
    const struct gcs_answer *answer = piece->answer;
    if (answer->has_range && answer->range_start == piece->asked &&
        answer->range_total == piece->reader->size_bytes)
        return NULL;
    return error_new(ERROR_UNAVAILABLE, "bytes of '%s' come that were not asked for",
                     piece->reader->name);
}

static struct error *
fill(const void *data, size_t size, void *sink_data)
{
    struct piece *piece = sink_data;
    struct gcs_reader *reader = piece->reader;
    TRY(check_range(piece));
    if (size > piece->size - piece->filled)
        return error_new(ERROR_UNAVAILABLE, "more bytes of '%s' come than were asked for",
                         reader->name);
    memcpy(piece->bytes + piece->filled, data, size);
    pthread_mutex_lock(&reader->lock);
    piece->filled += size;
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    return NULL;
}

static struct error *
fetch_once(struct piece *piece, int failures, int64_t *ret_retry_after_ms)
{
    struct gcs_reader *reader = piece->reader;
    CLEANUP(gcs_answer_done) struct gcs_answer answer = {.status = 0};
    piece->answer = &answer;
    piece->asked = piece->start + piece->filled;
    CLEANUP(gcs_request_done)
    struct gcs_request request = {.method = "GET",
                                  .url = reader->url,
                                  .sink = fill,
                                  .sink_data = piece,
                                  .sink_status = 206,
                                  .stall_ms = gcs_client_stall_ms(reader->client, failures, 0)};
    strv_addf(&request.headers, "Range: bytes=%" PRIu64 "-%" PRIu64, piece->asked,
              piece->start + piece->size - 1);
    struct error *error =
        gcs_client_attempt(reader->client, &request, reader->name, false, reader->cancel, &answer);
    *ret_retry_after_ms = answer.retry_after_ms;
    if (error_is(error, ERROR_NOT_FOUND)) {
        error_free(error);
        return error_new(ERROR_DATA_LOSS,
                         "object '%s' was deleted or replaced while it was read: is the backup "
                         "being removed",
                         reader->name);
    }
    if (error == NULL && answer.sunk_bytes == 0)
        error = error_new(ERROR_UNAVAILABLE, "no bytes of '%s' come (status %d)", reader->name,
                          answer.status);
    return error;
}

static struct error *
fetch(struct piece *piece)
{
    struct gcs_retry retry = gcs_retry_begin(&piece->reader->client->budget);
    while (piece->filled < piece->size) {
        size_t before = piece->filled;
        int64_t retry_after_ms = 0;
        struct error *error = fetch_once(piece, retry.failures, &retry_after_ms);
        if (piece->filled > before)
            gcs_retry_progress(&retry);
        if (error != NULL)
            TRY(gcs_retry_pause(&retry, error, retry_after_ms, piece->reader->cancel));
    }
    return NULL;
}

static void
run(void *data)
{
    struct piece *piece = data;
    struct gcs_reader *reader = piece->reader;
    struct error *error = cancel_check(reader->cancel);
    if (error == NULL)
        error = fetch(piece);
    pthread_mutex_lock(&reader->lock);
    piece->has_ended = true;
    reader->error = error_first(reader->error, error);
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
}

/* ---- On the reader's thread ---- */
static size_t
next_size(const struct gcs_reader *reader)
{
    uint64_t left = reader->end - reader->next, most = reader->client->part_bytes;
    /* A range is a chunk that somebody decodes: it comes in one piece. */
    if (!reader->is_whole)
        most *= 2;
    else if (reader->next == 0) /* a small one: its bytes come soon */
        most /= 4;
    return (size_t)(left < most ? left : most);
}

static struct error *
send_for_more(struct gcs_reader *reader)
{
    /* Who reads once may want no more than the beginning. */
    size_t most = reader->has_read ? PIECES_AHEAD : 1;
    while (reader->next < reader->end && reader->piece_count < most) {
        size_t size = next_size(reader);
        if (reader->piece_count == 0)
            gcs_lanes_force(reader->lanes, size);
        else if (!gcs_lanes_try_take(reader->lanes, size))
            return NULL;
        struct piece *piece = xcalloc(1, sizeof(*piece));
        piece->reader = reader;
        piece->start = reader->next;
        piece->size = size;
        piece->bytes = xmalloc(size);
        *reader->last = piece;
        reader->last = &piece->next;
        reader->piece_count++;
        reader->next += size;
        struct error *error = gcs_lanes_submit(reader->lanes, run, piece);
        if (error != NULL) {
            piece->has_ended = true;
            return error;
        }
    }
    return NULL;
}

static void
drop_first(struct gcs_reader *reader)
{
    struct piece *piece = reader->first;
    reader->first = piece->next;
    if (reader->first == NULL)
        reader->last = &reader->first;
    reader->piece_count--;
    reader->consumed = 0;
    gcs_lanes_give(reader->lanes, piece->size);
    free(piece->bytes);
    free(piece);
}

/* Bytes of the first piece that nobody has read yet; waits for some. */
static struct error *
wait_for_bytes(struct gcs_reader *reader, size_t *ret_count)
{
    struct error *error = NULL;
    size_t count = 0;
    pthread_mutex_lock(&reader->lock);
    for (;;) {
        count = reader->first->filled - reader->consumed;
        if (count > 0)
            break;
        error = reader->error != NULL ? error_copy(reader->error) : cancel_check(reader->cancel);
        if (error != NULL)
            break;
        struct timespec until = gcs_lanes_glance();
        pthread_cond_timedwait(&reader->changed, &reader->lock, &until);
    }
    pthread_mutex_unlock(&reader->lock);
    TRY(error);
    *ret_count = count;
    return NULL;
}

/* A piece that is read to its end is still its lane's until that says so. */
static void
wait_for_lane(struct gcs_reader *reader, const struct piece *piece)
{
    pthread_mutex_lock(&reader->lock);
    while (!piece->has_ended)
        pthread_cond_wait(&reader->changed, &reader->lock);
    pthread_mutex_unlock(&reader->lock);
}

static struct error *
check_whole(const struct gcs_reader *reader)
{
    if (!reader->is_whole || reader->crc32c == reader->expected_crc32c)
        return NULL;
    return error_new(ERROR_DATA_LOSS, "object '%s' does not have its CRC-32C: it came damaged",
                     reader->name);
}

struct error *
gcs_reader_read(struct gcs_reader *reader, void *data, size_t size, size_t *ret_size)
{
    size_t count = 0;
    TRY(cancel_check(reader->cancel));
    TRY(send_for_more(reader));
    reader->has_read = true;
    if (size == 0 || reader->first == NULL) {
        if (size > 0)
            TRY(check_whole(reader));
        *ret_size = 0;
        return NULL;
    }
    TRY(wait_for_bytes(reader, &count));
    count = count < size ? count : size;
    memcpy(data, reader->first->bytes + reader->consumed, count);
    if (reader->is_whole)
        reader->crc32c = gcs_crc32c(reader->crc32c, data, count);
    reader->consumed += count;
    if (reader->consumed == reader->first->size) {
        wait_for_lane(reader, reader->first);
        struct error *error = NULL;
        pthread_mutex_lock(&reader->lock);
        if (reader->error != NULL) /* of this piece: its bytes were not the right ones */
            error = error_copy(reader->error);
        pthread_mutex_unlock(&reader->lock);
        TRY(error);
        drop_first(reader);
    }
    *ret_size = count;
    return NULL;
}

void
gcs_reader_free(struct gcs_reader *reader)
{
    cancel_request(reader->cancel);
    while (reader->first != NULL) {
        wait_for_lane(reader, reader->first);
        drop_first(reader);
    }
    cancel_unref(reader->cancel);
    error_free(reader->error);
    pthread_mutex_destroy(&reader->lock);
    pthread_cond_destroy(&reader->changed);
    free(reader->name);
    free(reader->url);
    free(reader);
}
