#include "backup/gcs/gcs_writer.h"

#include <stdlib.h>
#include <string.h>

#include "backup/gcs/gcs_discard.h"
#include "backup/gcs/gcs_session.h"

/* An object of many parts gets larger ones, so that their number stays small. */
#define PART_BYTES_MOST (16u << 20)
#define PARTS_OF_A_SIZE 512u
#define FIRST_BUFFER_BYTES (64u << 10)

/* Of the object: bytes that were sent (level 0), or parts that were composed (of the level below).
 */
struct part {
    struct gcs_object object; /* named as soon as it is there; under the writer's lock */
    unsigned level;
};

struct gcs_writer {
    struct gcs_client *client;
    struct gcs_lanes *lanes;
    struct cancel *cancel; /* ours: also ends when the writer gives up */
    char *name;
    bool parts_may_go;
    char upload_id[GCS_UPLOAD_ID_BYTES];
    unsigned char *buffer;
    size_t used, capacity, part_bytes;
    uint64_t total_bytes;
    uint32_t crc32c;
    struct gcs_session *session;
    struct part **parts; /* in order; their levels never grow along the way */
    size_t part_count, named_parts;
    /* What lanes tell, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t running;
    struct error *error;
};

/* One errand of a lane. */
struct errand {
    struct gcs_writer *writer;
    char *name;
    struct part *part;
    unsigned char *data; /* its bytes, with their memory; NULL: sources are composed */
    size_t size;
    struct gcs_object *sources; /* they go when they have served */
    size_t source_count;
};

struct gcs_writer *
gcs_writer_new(struct gcs_client *client, struct gcs_lanes *lanes, const char *name,
               bool parts_may_go, struct cancel *cancel)
{
    struct gcs_writer *writer = xcalloc(1, sizeof(*writer));
    writer->client = client;
    writer->lanes = lanes;
    writer->cancel = cancel_new_child(cancel, INT64_MAX);
    writer->name = xstrdup(name);
    writer->parts_may_go = parts_may_go;
    writer->part_bytes = client->part_bytes;
    gcs_upload_id_make(writer->upload_id);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->changed, NULL);
    return writer;
}

static void
writer_free(struct gcs_writer *writer)
{
    for (size_t i = 0; i < writer->part_count; i++) {
        gcs_object_done(&writer->parts[i]->object);
        free(writer->parts[i]);
    }
    free(writer->parts);
    gcs_session_free(writer->session);
    cancel_unref(writer->cancel);
    error_free(writer->error);
    pthread_mutex_destroy(&writer->lock);
    pthread_cond_destroy(&writer->changed);
    free(writer->buffer);
    free(writer->name);
    free(writer);
}

/* ---- On a lane ---- */
static struct error *
compose(struct errand *errand, struct gcs_object *ret_object)
{
    const struct gcs_writer *writer = errand->writer;
    struct gcs_expected expected = {errand->name, writer->upload_id, 0, 0, true};
    /* Each source was checked, and so will be all of them together in the end. */
    for (size_t i = 0; i < errand->source_count; i++)
        expected.size_bytes += errand->sources[i].size_bytes;
    TRY(gcs_upload_compose(writer->client, &expected, errand->sources, errand->source_count,
                           writer->cancel, ret_object));
    gcs_discard(writer->client, writer->lanes, errand->sources, errand->source_count);
    errand->sources = NULL;
    errand->source_count = 0;
    return NULL;
}

static void
errand_free(struct errand *errand)
{
    for (size_t i = 0; i < errand->source_count; i++)
        gcs_object_done(&errand->sources[i]);
    free(errand->sources);
    free(errand->data);
    free(errand->name);
    free(errand);
}

static void
run(void *data)
{
    struct errand *errand = data;
    struct gcs_writer *writer = errand->writer;
    struct gcs_object object = {.name = NULL};
    struct error *error = cancel_check(writer->cancel);
    if (error == NULL)
        error = errand->data == NULL
                    ? compose(errand, &object)
                    : gcs_upload(writer->client, errand->name, writer->upload_id, errand->data,
                                 errand->size, writer->cancel, &object);
    gcs_lanes_give(writer->lanes, errand->size);
    struct part *part = errand->part;
    errand_free(errand);
    pthread_mutex_lock(&writer->lock);
    if (error == NULL)
        part->object = object;
    bool has_failed = error != NULL;
    writer->error = error_first(writer->error, error);
    writer->running--;
    if (has_failed)
        cancel_request(writer->cancel);
    pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
}

/* ---- On the writer's thread ---- */
/* Takes what the errand owns. */
static struct error *
submit(struct gcs_writer *writer, const struct errand *take_errand)
{
    struct errand *own = xmemdup(take_errand, sizeof(*take_errand));
    own->writer = writer;
    own->name = xasprintf("%s" GCS_PART_MARK "%s.%u.%06zu", writer->name, writer->upload_id,
                          own->part->level, writer->named_parts++);
    pthread_mutex_lock(&writer->lock);
    writer->running++;
    pthread_mutex_unlock(&writer->lock);
    struct error *error = gcs_lanes_submit(writer->lanes, run, own);
    if (error == NULL)
        return NULL;
    pthread_mutex_lock(&writer->lock);
    writer->running--;
    pthread_mutex_unlock(&writer->lock);
    gcs_lanes_give(writer->lanes, own->size);
    errand_free(own);
    return error;
}

/* A lane's failure says more than the cancel that it caused. */
static struct error *
explain(struct gcs_writer *writer, struct error *take_error)
{
    pthread_mutex_lock(&writer->lock);
    struct error *error = writer->error != NULL ? error_copy(writer->error) : NULL;
    pthread_mutex_unlock(&writer->lock);
    return error_first(error, take_error);
}

static void
join(struct gcs_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    while (writer->running > 0)
        pthread_cond_wait(&writer->changed, &writer->lock);
    pthread_mutex_unlock(&writer->lock);
}

/* ---- Folding: no more parts than one request composes ---- */
/* The first and the number of those of one level. */
static size_t
find_level(const struct gcs_writer *writer, unsigned level, size_t *ret_first)
{
    size_t first = 0, count = 0;
    while (first < writer->part_count && writer->parts[first]->level > level)
        first++;
    while (first + count < writer->part_count && writer->parts[first + count]->level == level)
        count++;
    *ret_first = first;
    return count;
}

static bool
are_there(struct gcs_writer *writer, size_t first, size_t count)
{
    bool are = true;
    pthread_mutex_lock(&writer->lock);
    for (size_t i = first; i < first + count; i++)
        are = are && writer->parts[i]->object.name != NULL;
    pthread_mutex_unlock(&writer->lock);
    return are;
}

/* These parts, which are there, become one. */
static struct error *
fold(struct gcs_writer *writer, size_t first, size_t count)
{
    struct part **parts = writer->parts + first;
    struct gcs_object *sources = xcalloc(count, sizeof(*sources));
    for (size_t i = 0; i < count; i++)
        sources[i] = parts[i]->object;
    for (size_t i = 1; i < count; i++)
        free(parts[i]);
    parts[0]->object = (struct gcs_object){.name = NULL};
    parts[0]->level++;
    memmove(parts + 1, parts + count, (writer->part_count - first - count) * sizeof(*parts));
    writer->part_count -= count - 1;
    return submit(writer,
                  &(struct errand){.part = parts[0], .sources = sources, .source_count = count});
}

/* Beside the sending, so that little is left to do in the end. */
static struct error *
fold_full_levels(struct gcs_writer *writer)
{
    size_t first, count;
    for (unsigned level = 0; (count = find_level(writer, level, &first)) > 0 || first > 0;
         level++) {
        if (count > GCS_COMPOSE_MOST && are_there(writer, first, GCS_COMPOSE_MOST))
            TRY(fold(writer, first, GCS_COMPOSE_MOST));
    }
    return NULL;
}

/* When no more come: as few as will do, of the lowest level that has some. */
static struct error *
fold_rest(struct gcs_writer *writer)
{
    size_t first, count, wanted = writer->part_count - GCS_COMPOSE_MOST + 1;
    unsigned level = 0;
    while ((count = find_level(writer, level, &first)) < 2)
        level++;
    count = count < GCS_COMPOSE_MOST ? count : GCS_COMPOSE_MOST;
    TRY(fold(writer, first, count < wanted ? count : wanted));
    join(writer);
    return explain(writer, NULL);
}

static struct error *
send_part(struct gcs_writer *writer)
{
    TRY(explain(writer, gcs_lanes_take(writer->lanes, writer->used, writer->cancel)));
    struct part *part = xcalloc(1, sizeof(*part));
    writer->parts = xreallocarray(writer->parts, writer->part_count + 1, sizeof(struct part *));
    writer->parts[writer->part_count++] = part;
    const struct errand errand = {.part = part, .data = writer->buffer, .size = writer->used};
    writer->buffer = NULL;
    writer->used = writer->capacity = 0;
    TRY(submit(writer, &errand));
    if (writer->named_parts % PARTS_OF_A_SIZE == 0 && writer->part_bytes < PART_BYTES_MOST)
        writer->part_bytes *= 2;
    return fold_full_levels(writer);
}

static struct error *
send_to_session(struct gcs_writer *writer, bool is_last, struct gcs_object *ret_object)
{
    if (writer->session == NULL)
        TRY(gcs_session_open(writer->client, writer->name, writer->upload_id, writer->cancel,
                             &writer->session));
    TRY(gcs_session_send(writer->session, writer->buffer, writer->used, is_last, writer->cancel,
                         ret_object));
    writer->used = 0;
    return NULL;
}

static struct error *
send_full(struct gcs_writer *writer)
{
    struct gcs_object none = {.name = NULL};
    return writer->parts_may_go ? send_part(writer) : send_to_session(writer, false, &none);
}

static void
grow(struct gcs_writer *writer)
{
    size_t capacity = writer->capacity * 2;
    if (capacity < FIRST_BUFFER_BYTES)
        capacity = FIRST_BUFFER_BYTES;
    if (writer->part_count > 0 || capacity > writer->part_bytes)
        capacity = writer->part_bytes;
    writer->buffer = xrealloc(writer->buffer, capacity);
    writer->capacity = capacity;
}

struct error *
gcs_writer_add(struct gcs_writer *writer, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    TRY(explain(writer, cancel_check(writer->cancel)));
    writer->crc32c = gcs_crc32c(writer->crc32c, data, size);
    writer->total_bytes += size;
    while (size > 0) {
        /* Only when more follows: the last part may be a full one. */
        if (writer->used == writer->part_bytes)
            TRY(send_full(writer));
        if (writer->used == writer->capacity)
            grow(writer);
        size_t room = writer->capacity - writer->used;
        size_t step = size < room ? size : room;
        memcpy(writer->buffer + writer->used, bytes, step);
        writer->used += step;
        bytes += step;
        size -= step;
    }
    return NULL;
}

static struct error *
finish_parts(struct gcs_writer *writer, struct gcs_object *ret_object)
{
    const struct gcs_expected expected = {writer->name, writer->upload_id, writer->total_bytes,
                                          writer->crc32c, false};
    if (writer->used > 0)
        TRY(send_part(writer));
    join(writer);
    TRY(explain(writer, NULL));
    while (writer->part_count > GCS_COMPOSE_MOST)
        TRY(fold_rest(writer));
    struct gcs_object *sources = xcalloc(writer->part_count, sizeof(*sources));
    for (size_t i = 0; i < writer->part_count; i++)
        sources[i] = writer->parts[i]->object;
    struct error *error = gcs_upload_compose(writer->client, &expected, sources, writer->part_count,
                                             writer->cancel, ret_object);
    if (error != NULL) {
        free(sources);
        return error;
    }
    for (size_t i = 0; i < writer->part_count; i++)
        writer->parts[i]->object = (struct gcs_object){.name = NULL};
    gcs_discard(writer->client, writer->lanes, sources, writer->part_count);
    return NULL;
}

static struct error *
finish_session(struct gcs_writer *writer, struct gcs_object *ret_object)
{
    const struct gcs_expected expected = {writer->name, writer->upload_id, writer->total_bytes,
                                          writer->crc32c, false};
    struct error *error = send_to_session(writer, true, ret_object);
    if (error_is(error, ERROR_ALREADY_EXISTS)) {
        error_free(error);
        return gcs_upload_look(writer->client, &expected, writer->cancel, ret_object);
    }
    TRY(error);
    return gcs_upload_check(writer->client, &expected, ret_object, writer->cancel);
}

struct error *
gcs_writer_close(struct gcs_writer *take_writer)
{
    CLEANUP(gcs_object_done) struct gcs_object object = {.name = NULL};
    struct gcs_writer *writer = take_writer;
    struct error *error;
    if (writer->part_count > 0)
        error = finish_parts(writer, &object);
    else if (writer->session != NULL)
        error = finish_session(writer, &object);
    else
        error = gcs_upload(writer->client, writer->name, writer->upload_id,
                           writer->buffer != NULL ? writer->buffer : (unsigned char *)"",
                           writer->used, writer->cancel, &object);
    gcs_writer_abort(writer);
    return error;
}

void
gcs_writer_abort(struct gcs_writer *take_writer)
{
    cancel_request(take_writer->cancel);
    join(take_writer);
    writer_free(take_writer);
}
