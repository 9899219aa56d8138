/* A storage in memory, with the file storage's rules, for tests. One lock; objects are found by
 * their full path in a list. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backup/manifest.h"
#include "backup/storage.h"

struct memory_object {
    struct memory_object *next;
    char *path;
    struct buffer bytes;
};
struct storage_memory {
    struct storage base;
    pthread_mutex_t lock;
    struct memory_object *objects; /* backups' folders are objects named "ks/shard/name/" */
    uint64_t used_bytes, limit_bytes;
    uint64_t life_bytes; /* that may be written yet; 0: dead; UINT64_MAX: for ever */
    char *failing_object;
};
struct storage_writer {
    struct storage_memory *memory;
    struct cancel *cancel;
    char *path;
    struct buffer bytes;
};
struct storage_reader {
    struct cancel *cancel;
    struct buffer bytes;
    size_t offset;
};

static struct memory_object **
find(struct storage_memory *memory, const char *path)
{
    struct memory_object **at = &memory->objects;
    while (*at != NULL && strcmp((*at)->path, path) != 0)
        at = &(*at)->next;
    return at;
}

static struct memory_object *
add(struct storage_memory *memory, const char *path)
{
    struct memory_object *object = xcalloc(1, sizeof(*object));
    object->path = xstrdup(path);
    object->next = memory->objects;
    memory->objects = object;
    return object;
}

static void
drop(struct memory_object **at)
{
    struct memory_object *object = *at;
    *at = object->next;
    buffer_done(&object->bytes);
    free(object->path);
    free(object);
}

static struct error *
check_alive(struct storage_memory *memory)
{
    pthread_mutex_lock(&memory->lock);
    bool is_dead = memory->life_bytes == 0;
    pthread_mutex_unlock(&memory->lock);
    return is_dead ? error_new(ERROR_UNAVAILABLE, "the storage's writer is dead") : NULL;
}

static struct error *
memory_list(struct storage *storage, struct cancel *cancel, const char *directory,
            struct strv *ret_names)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, NULL, NULL));
    size_t length = strlen(directory);
    struct strv names = {.items = NULL};
    pthread_mutex_lock(&memory->lock);
    for (struct memory_object *object = memory->objects; object != NULL; object = object->next) {
        const char *rest = object->path + length + 1;
        if (str_starts_with(object->path, directory) && object->path[length] == '/' &&
            strchr(rest, '/') != NULL && str_ends_with(rest, "/"))
            strv_add_take(&names, xstrndup(rest, strlen(rest) - 1));
    }
    pthread_mutex_unlock(&memory->lock);
    strv_sort(&names);
    *ret_names = names;
    return NULL;
}

static struct error *
memory_start(struct storage *storage, struct cancel *cancel, const char *directory,
             const char *name)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    TRY(cancel_check(cancel));
    TRY(check_alive(memory));
    TRY(storage_check_names(directory, name, NULL));
    CLEANUP(freep) char *path = xasprintf("%s/%s/", directory, name);
    struct error *error = NULL;
    pthread_mutex_lock(&memory->lock);
    if (*find(memory, path) != NULL)
        error = error_new(ERROR_ALREADY_EXISTS, "backup '%s' exists", name);
    else
        add(memory, path);
    pthread_mutex_unlock(&memory->lock);
    return error;
}

static struct error *
memory_open_write(struct storage *storage, struct cancel *cancel, const char *directory,
                  const char *name, const char *object, struct storage_writer **ret_writer)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    TRY(cancel_check(cancel));
    TRY(check_alive(memory));
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *folder = xasprintf("%s/%s/", directory, name);
    pthread_mutex_lock(&memory->lock);
    bool has_folder = *find(memory, folder) != NULL;
    bool fails = memory->failing_object != NULL && strcmp(memory->failing_object, object) == 0;
    pthread_mutex_unlock(&memory->lock);
    if (!has_folder)
        return error_new(ERROR_NOT_FOUND, "backup '%s' was not started", name);
    if (fails)
        return error_new(ERROR_UNAVAILABLE, "storage does not take object '%s'", object);
    struct storage_writer *writer = xcalloc(1, sizeof(*writer));
    writer->memory = memory;
    writer->cancel = cancel_ref(cancel);
    writer->path = xasprintf("%s%s", folder, object);
    *ret_writer = writer;
    return NULL;
}

static struct error *
memory_write(struct storage_writer *writer, const void *data, size_t size)
{
    struct storage_memory *memory = writer->memory;
    TRY(cancel_check(writer->cancel));
    struct error *error = NULL;
    pthread_mutex_lock(&memory->lock);
    size_t alive = size < memory->life_bytes ? size : (size_t)memory->life_bytes;
    if (memory->life_bytes != UINT64_MAX)
        memory->life_bytes -= alive;
    if (alive < size) {
        buffer_append(&writer->bytes, data, alive);
        memory->used_bytes += alive;
        error = error_new(ERROR_UNAVAILABLE, "the storage's writer has died");
    } else if (memory->used_bytes + size > memory->limit_bytes)
        error = error_new(ERROR_RESOURCE_EXHAUSTED, "backup storage is full: no space left");
    else
        memory->used_bytes += size;
    pthread_mutex_unlock(&memory->lock);
    TRY(error);
    buffer_append(&writer->bytes, data, size);
    return NULL;
}

static void
writer_free(struct storage_writer *writer)
{
    cancel_unref(writer->cancel);
    buffer_done(&writer->bytes);
    free(writer->path);
    free(writer);
}

/* The dead clean nothing up, where unfinished objects are of use. */
static void
memory_abort_write(struct storage_writer *writer)
{
    struct storage_memory *memory = writer->memory;
    pthread_mutex_lock(&memory->lock);
    if (memory->life_bytes == 0 && memory->base.interface->open_resume != NULL &&
        *find(memory, writer->path) == NULL) {
        add(memory, writer->path)->bytes = writer->bytes;
        writer->bytes = (struct buffer)BUFFER_INIT;
    }
    pthread_mutex_unlock(&memory->lock);
    writer_free(writer);
}

static struct error *
memory_open_resume(struct storage *storage, struct cancel *cancel, const char *directory,
                   const char *name, const char *object, uint64_t length,
                   struct storage_writer **ret_writer)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    struct storage_writer *writer;
    TRY(memory_open_write(storage, cancel, directory, name, object, &writer));
    struct error *error = NULL;
    pthread_mutex_lock(&memory->lock);
    struct memory_object **at = find(memory, writer->path);
    if (*at == NULL)
        error = error_new(ERROR_NOT_FOUND, "object '%s' does not exist", object);
    else if ((*at)->bytes.length_bytes < length)
        error = error_new(ERROR_OUT_OF_RANGE, "object '%s' is shorter", object);
    if (error == NULL) {
        buffer_append(&writer->bytes, buffer_text(&(*at)->bytes), (size_t)length);
        memory->used_bytes -= (*at)->bytes.length_bytes - length;
        drop(at);
    }
    pthread_mutex_unlock(&memory->lock);
    if (error == NULL)
        *ret_writer = writer;
    else
        writer_free(writer);
    return error;
}

static struct error *
memory_close_write(struct storage_writer *writer)
{
    struct storage_memory *memory = writer->memory;
    struct error *error = check_alive(memory);
    if (error != NULL) {
        memory_abort_write(writer);
        return error;
    }
    pthread_mutex_lock(&memory->lock);
    if (*find(memory, writer->path) != NULL) {
        error = error_new(ERROR_ALREADY_EXISTS, "object '%s' exists", writer->path);
    } else {
        add(memory, writer->path)->bytes = writer->bytes;
        writer->bytes = (struct buffer)BUFFER_INIT;
    }
    pthread_mutex_unlock(&memory->lock);
    writer_free(writer);
    return error;
}

static struct error *
memory_put(struct storage *storage, struct cancel *cancel, const char *directory, const char *name,
           const char *object, const void *data, size_t size)
{
    struct storage_writer *writer;
    TRY(memory_open_write(storage, cancel, directory, name, object, &writer));
    struct error *error = memory_write(writer, data, size);
    if (error != NULL) {
        memory_abort_write(writer);
        return error;
    }
    return memory_close_write(writer);
}

static struct error *
memory_open_range(struct storage *storage, struct cancel *cancel, const char *directory,
                  const char *name, const char *object, uint64_t offset, uint64_t size,
                  struct storage_reader **ret_reader)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, object));
    CLEANUP(freep) char *path = xasprintf("%s/%s/%s", directory, name, object);
    struct storage_reader *reader = NULL;
    pthread_mutex_lock(&memory->lock);
    struct memory_object *found = *find(memory, path);
    if (found != NULL) {
        reader = xcalloc(1, sizeof(*reader));
        reader->cancel = cancel_ref(cancel);
        size_t length = found->bytes.length_bytes;
        size_t start = offset < length ? (size_t)offset : length;
        buffer_append(&reader->bytes, buffer_text(&found->bytes) + start,
                      size < length - start ? (size_t)size : length - start);
    }
    pthread_mutex_unlock(&memory->lock);
    if (reader == NULL)
        return error_new(ERROR_NOT_FOUND, "object '%s' does not exist", path);
    *ret_reader = reader;
    return NULL;
}

static struct error *
memory_open_read(struct storage *storage, struct cancel *cancel, const char *directory,
                 const char *name, const char *object, struct storage_reader **ret_reader)
{
    return memory_open_range(storage, cancel, directory, name, object, 0, UINT64_MAX, ret_reader);
}

static struct error *
memory_read(struct storage_reader *reader, void *data, size_t size, size_t *ret_size)
{
    TRY(cancel_check(reader->cancel));
    size_t left = reader->bytes.length_bytes - reader->offset;
    size_t count = left < size ? left : size;
    if (count > 0)
        memcpy(data, reader->bytes.data + reader->offset, count);
    reader->offset += count;
    *ret_size = count;
    return NULL;
}

static void
memory_close_read(struct storage_reader *reader)
{
    cancel_unref(reader->cancel);
    buffer_done(&reader->bytes);
    free(reader);
}

static struct error *
memory_size(struct storage *storage, struct cancel *cancel, const char *directory, const char *name,
            const char *object, uint64_t *ret_size)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    TRY(cancel_check(cancel));
    TRY(storage_check_names(directory, name, object));
    struct buffer *bytes = storage_memory_object(storage, directory, name, object);
    if (bytes == NULL)
        return error_new(ERROR_NOT_FOUND, "object '%s' does not exist", object);
    pthread_mutex_lock(&memory->lock);
    *ret_size = bytes->length_bytes;
    pthread_mutex_unlock(&memory->lock);
    return NULL;
}

static struct error *
memory_remove(struct storage *storage, struct cancel *cancel, const char *directory,
              const char *name)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    TRY(cancel_check(cancel));
    TRY(check_alive(memory));
    TRY(storage_check_names(directory, name, NULL));
    CLEANUP(freep) char *folder = xasprintf("%s/%s/", directory, name);
    bool was_there = false;
    pthread_mutex_lock(&memory->lock);
    for (struct memory_object **at = &memory->objects; *at != NULL;) {
        if (str_starts_with((*at)->path, folder)) {
            was_there = true;
            memory->used_bytes -= (*at)->bytes.length_bytes;
            drop(at);
        } else {
            at = &(*at)->next;
        }
    }
    pthread_mutex_unlock(&memory->lock);
    if (!was_there)
        return error_new(ERROR_NOT_FOUND, "backup '%s' does not exist", name);
    return NULL;
}

static void
memory_free(struct storage *storage)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    while (memory->objects != NULL)
        drop(&memory->objects);
    pthread_mutex_destroy(&memory->lock);
    free(memory->failing_object);
    free(memory);
}

static const struct storage_interface storage_memory_interface = {
    .name = "memory",
    .list = memory_list,
    .start = memory_start,
    .open_write = memory_open_write,
    .open_resume = memory_open_resume,
    .write = memory_write,
    .close_write = memory_close_write,
    .abort_write = memory_abort_write,
    .put = memory_put,
    .open_read = memory_open_read,
    .open_range = memory_open_range,
    .read = memory_read,
    .close_read = memory_close_read,
    .size = memory_size,
    .remove = memory_remove,
    .free = memory_free,
};

struct storage *
storage_memory_new(void)
{
    struct storage_memory *memory = xcalloc(1, sizeof(*memory));
    memory->base.interface = &storage_memory_interface;
    memory->limit_bytes = UINT64_MAX / 2;
    memory->life_bytes = UINT64_MAX;
    pthread_mutex_init(&memory->lock, NULL);
    return &memory->base;
}

void
storage_memory_set_limit(struct storage *storage, uint64_t limit_bytes)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    pthread_mutex_lock(&memory->lock);
    memory->limit_bytes = limit_bytes;
    pthread_mutex_unlock(&memory->lock);
}

void
storage_memory_fail_object(struct storage *storage, const char *object)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    pthread_mutex_lock(&memory->lock);
    str_replace(&memory->failing_object, object);
    pthread_mutex_unlock(&memory->lock);
}

void
storage_memory_die_after(struct storage *storage, uint64_t more_bytes)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    pthread_mutex_lock(&memory->lock);
    memory->life_bytes = more_bytes;
    pthread_mutex_unlock(&memory->lock);
}

struct buffer *
storage_memory_object(struct storage *storage, const char *directory, const char *name,
                      const char *object)
{
    struct storage_memory *memory = (struct storage_memory *)storage;
    CLEANUP(freep) char *path = xasprintf("%s/%s/%s", directory, name, object);
    pthread_mutex_lock(&memory->lock);
    struct memory_object *found = *find(memory, path);
    pthread_mutex_unlock(&memory->lock);
    return found == NULL ? NULL : &found->bytes;
}
