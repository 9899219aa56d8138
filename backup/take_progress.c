#include "backup/take_progress.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <isa-l/crc.h>
#include <isa-l/crc64.h>
#include <zlib.h>

#include "agent/base/file.h"

#define FILE_MODE 0660
#define MAGIC "vtabkup1"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

struct header {
    char magic[8];
    uint64_t fingerprint; /* of all that must be the same */
};
enum record_kind { RECORD_CHUNK = 1, RECORD_FINISHED = 2 };
struct record {
    uint32_t kind;
    uint32_t file; /* the object's name */
    uint64_t chunk, object_bytes;
    uint64_t plain_crc64, bad_pages; /* of the chunk */
    uint32_t stored_bytes, plain_crc;
    uint32_t object_crc; /* of its first object_bytes */
    uint32_t check;      /* of what stands before, seeded with the fingerprint */
};
_Static_assert(sizeof(struct record) == 56, "no holes: it is written as it is");

/* ---- What must be the same ---- */
static uint64_t
fingerprint(const struct take *take)
{
    const struct backup_take_options *options = take->options;
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    error_free(file_read(BOOT_ID, 4096, &text));
    buffer_appendf(&text, "%s/%s %s %d %zu %d\n", take->directory, take->name, take->codec->name,
                   options->compression_level, take->chunk_bytes, options->allows_corrupt_pages);
    for (size_t i = 0; i < take->files.count; i++) {
        const struct backup_file *file = &take->files.items[i];
        struct stat status = {.st_size = -1};
        (void)stat(file->path, &status);
        buffer_appendf(&text, "%s %s %" PRIu64 " %lld %lld.%09ld %llu\n", file->base, file->path,
                       file->size_bytes, (long long)status.st_size,
                       (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                       (unsigned long long)status.st_ino);
    }
    return crc64_ecma_refl(0, (const unsigned char *)text.data, text.length_bytes);
}

static uint32_t
check_of(const struct record *record, uint64_t seed)
{
    return crc32_gzip_refl((uint32_t)(seed ^ seed >> 32), (const unsigned char *)record,
                           offsetof(struct record, check));
}

/* ---- Reading ---- */
static struct take_file *
object_of_file(const struct take *take, uint32_t file)
{
    return file < take->files.count ? take->progress.objects_by_file[file] : NULL;
}

static uint64_t
plain_bytes_of(const struct take *take, const struct take_file *object, size_t chunk)
{
    uint64_t left = take->files.items[object->index].size_bytes - chunk * take->chunk_bytes;
    return left < take->chunk_bytes ? left : take->chunk_bytes;
}

void
take_progress_reset(struct take *take, struct take_file *object)
{
    (void)take;
    object->resumed_chunks = object->written_chunks = 0;
    object->is_finished = false;
    object->stored_bytes = 0;
    object->stored_crc = object->plain_crc = object->head_bytes = 0;
    object->findings = (struct page_findings){0};
}

static bool
apply_chunk(struct take *take, struct take_file *object, const struct record *record)
{
    uint8_t head[CODEC_FRAME_BYTES_MOST];
    struct manifest_entry *entry = &take->manifest->entries[object->index];
    if (record->chunk == 0) { /* also of an object that an earlier resumption began anew */
        take_progress_reset(take, object);
        object->head_bytes = (uint32_t)codec_head(take->codec, head);
        object->stored_bytes = object->head_bytes;
    }
    if (object->is_finished || record->chunk != object->resumed_chunks ||
        record->chunk >= object->chunk_count ||
        record->object_bytes != object->stored_bytes + record->stored_bytes)
        return false;
    const struct manifest_chunk chunk = {.stored_bytes = record->stored_bytes,
                                         .plain_crc32 = record->plain_crc,
                                         .plain_crc64 = record->plain_crc64};
    if (entry->chunks != NULL)
        entry->chunks[record->chunk] = chunk;
    entry->plain_crc64 = record->plain_crc64;
    object->plain_crc =
        (uint32_t)crc32_combine(object->plain_crc, record->plain_crc,
                                (z_off_t)plain_bytes_of(take, object, (size_t)record->chunk));
    object->findings.bad_pages += record->bad_pages;
    object->stored_bytes = record->object_bytes;
    object->stored_crc = record->object_crc;
    object->written_chunks = ++object->resumed_chunks;
    return true;
}

static bool
apply(struct take *take, const struct record *record)
{
    struct take_file *object = object_of_file(take, record->file);
    if (object == NULL)
        return false;
    if (record->kind == RECORD_CHUNK)
        return apply_chunk(take, object, record);
    if (record->kind != RECORD_FINISHED || object->resumed_chunks != object->chunk_count ||
        object->is_finished || record->object_bytes < object->stored_bytes)
        return false;
    object->is_finished = true;
    object->stored_bytes = record->object_bytes;
    object->stored_crc = record->object_crc;
    return true;
}

/* Reads as far as it makes sense; *ret_length: that far. */
static bool
read_records(struct take *take, off_t *ret_length)
{
    const struct take_progress *progress = &take->progress;
    struct header header;
    struct record record;
    bool has_any = false;
    if (read(progress->descriptor, &header, sizeof(header)) != sizeof(header) ||
        memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0 ||
        header.fingerprint != progress->fingerprint)
        return false;
    *ret_length = sizeof(header);
    while (read(progress->descriptor, &record, sizeof(record)) == sizeof(record) &&
           record.check == check_of(&record, progress->fingerprint) && apply(take, &record)) {
        *ret_length += (off_t)sizeof(record);
        has_any = true;
    }
    return has_any;
}

/* ---- Writing ---- */
static void
append(struct take *take, const void *data, size_t size)
{
    struct take_progress *progress = &take->progress;
    pthread_mutex_lock(&progress->lock);
    /* Behind a torn record nothing would be found. */
    if (progress->descriptor >= 0 && write(progress->descriptor, data, size) != (ssize_t)size)
        closep(&progress->descriptor);
    pthread_mutex_unlock(&progress->lock);
}

static void
append_record(struct take *take, struct record *record)
{
    record->check = check_of(record, take->progress.fingerprint);
    append(take, record, sizeof(*record));
}

static void
begin_file(struct take *take, off_t length)
{
    struct take_progress *progress = &take->progress;
    struct header header = {.fingerprint = progress->fingerprint};
    memcpy(header.magic, MAGIC, sizeof(header.magic));
    if (ftruncate(progress->descriptor, length) != 0 ||
        lseek(progress->descriptor, 0, SEEK_END) < 0) {
        closep(&progress->descriptor);
        return;
    }
    if (length == 0)
        append(take, &header, sizeof(header));
}

bool
take_progress_open(struct take *take)
{
    struct take_progress *progress = &take->progress;
    const struct backup_take_options *options = take->options;
    off_t length = 0;
    if (options->progress_path == NULL)
        return false;
    progress->descriptor =
        open(options->progress_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (progress->descriptor < 0)
        return false;
    progress->fingerprint = fingerprint(take);
    progress->objects_by_file = xcalloc(take->files.count + 1, sizeof(struct take_file *));
    for (size_t i = 0; i < take->files.count; i++)
        progress->objects_by_file[take->objects[i].index] = &take->objects[i];
    bool is_resumed = options->resumes && read_records(take, &length);
    begin_file(take, length);
    return is_resumed;
}

void
take_progress_close(struct take *take)
{
    closep(&take->progress.descriptor);
    freep(&take->progress.objects_by_file);
}

void
take_progress_chunk(struct take *take, const struct take_file *object,
                    const struct take_chunk *chunk)
{
    struct record record = {
        .kind = RECORD_CHUNK,
        .file = (uint32_t)object->index,
        .chunk = chunk->number,
        .object_bytes = object->stored_bytes,
        .plain_crc64 = chunk->plain_crc64,
        .bad_pages = chunk->findings.bad_pages,
        .stored_bytes = (uint32_t)chunk->stored_bytes,
        .plain_crc = chunk->plain_crc,
        .object_crc = object->stored_crc,
    };
    append_record(take, &record);
}

void
take_progress_finished(struct take *take, const struct take_file *object)
{
    struct record record = {
        .kind = RECORD_FINISHED,
        .file = (uint32_t)object->index,
        .object_bytes = object->stored_bytes,
        .object_crc = object->stored_crc,
    };
    append_record(take, &record);
}
