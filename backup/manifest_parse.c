/* Reads a MANIFEST as leniently as Go's decoder does: the first JSON value counts, keys match
 * without regard to case, unknown keys are ignored, null changes nothing. Wrong types are errors.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "agent/base/clock.h"
#include "backup/manifest_checksum.h"
#include "backup/manifest_chunks.h"
#include "backup/manifest_split.h"
#include "replication/gtid.h"

enum field_kind { FIELD_TEXT, FIELD_BOOL, FIELD_ENTRIES, FIELD_DETAILS };
struct field {
    const char *key;
    enum field_kind kind;
    size_t offset;
};

#define TEXT_FIELD(key, member)                                                                    \
    {                                                                                              \
        key, FIELD_TEXT, offsetof(struct manifest, member)                                         \
    }
#define BOOL_FIELD(key, member)                                                                    \
    {                                                                                              \
        key, FIELD_BOOL, offsetof(struct manifest, member)                                         \
    }
static const struct field manifest_fields[] = {
    TEXT_FIELD("BackupName", backup_name),
    TEXT_FIELD("BackupMethod", backup_method),
    TEXT_FIELD("Position", position),
    TEXT_FIELD("PurgedPosition", purged_position),
    TEXT_FIELD("FromPosition", from_position),
    TEXT_FIELD("FromBackup", from_backup),
    BOOL_FIELD("Incremental", is_incremental),
    TEXT_FIELD("BackupTime", backup_time),
    TEXT_FIELD("FinishedTime", finished_time),
    TEXT_FIELD("ServerUUID", server_uuid),
    TEXT_FIELD("TabletAlias", tablet_alias),
    TEXT_FIELD("Hostname", hostname),
    TEXT_FIELD("Keyspace", keyspace),
    TEXT_FIELD("Shard", shard),
    TEXT_FIELD("MySQLVersion", mysql_version),
    BOOL_FIELD("UpgradeSafe", is_upgrade_safe),
    TEXT_FIELD("CompressionEngine", compression_engine),
    BOOL_FIELD("SkipCompress", skips_compress),
    TEXT_FIELD("ExternalDecompressor", external_decompressor),
    {"FileEntries", FIELD_ENTRIES, 0},
    {"VtagentDetails", FIELD_DETAILS, 0},
};

static struct error *
refuse(const char *key, const char *problem)
{
    return error_new(ERROR_INVALID_ARGUMENT, "MANIFEST: '%s' %s", key, problem);
}

/* Replaces *text; null leaves it alone. */
static struct error *
read_text(const json_t *value, const char *key, char **text)
{
    if (json_is_null(value))
        return NULL;
    if (!json_is_string(value))
        return refuse(key, "is not a string");
    if (strlen(json_string_value(value)) != json_string_length(value))
        return refuse(key, "contains a NUL byte");
    str_replace(text, json_string_value(value));
    return NULL;
}

static struct error *
read_bool(const json_t *value, const char *key, bool *flag)
{
    if (json_is_null(value))
        return NULL;
    if (!json_is_boolean(value))
        return refuse(key, "is not true or false");
    *flag = json_is_true(value);
    return NULL;
}

static struct error *
read_size(const json_t *value, const char *key, uint64_t *size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return refuse(key, "is not a size");
    *size = (uint64_t)json_integer_value(value);
    return NULL;
}

static bool
is_hash(const char *text)
{
    if (text[0] == '\0')
        return true;
    for (size_t i = 0; i < MANIFEST_HASH_TEXT_BYTES - 1; i++) {
        if (!isxdigit((unsigned char)text[i]))
            return false;
    }
    return text[MANIFEST_HASH_TEXT_BYTES - 1] == '\0';
}

static struct error *
read_chunks(json_t *object, struct manifest_entry *entry)
{
    const json_t *text = json_object_get(object, "Chunks");
    uint64_t chunk_bytes = 0, head_bytes = 0;
    if (text == NULL)
        return NULL;
    if (!json_is_string(text))
        return refuse("Chunks", "is not a string");
    TRY(read_size(json_object_get(object, "ChunkBytes"), "ChunkBytes", &chunk_bytes));
    TRY(read_size(json_object_get(object, "HeadBytes"), "HeadBytes", &head_bytes));
    return manifest_parse_chunks(json_string_value(text), json_string_length(text), chunk_bytes,
                                 head_bytes, entry);
}

static struct error *
read_crc64(const json_t *text, struct manifest_entry *entry)
{
    if (text == NULL)
        return NULL;
    if (!json_is_string(text))
        return refuse("PlainCrc64", "is not a string");
    return manifest_parse_crc64(json_string_value(text), json_string_length(text), entry);
}

static struct error *
read_entry_details(json_t *object, struct manifest_entry *entry)
{
    if (json_is_null(object))
        return NULL;
    if (!json_is_object(object))
        return refuse("VtagentDetails", "of a file is not an object");
    CLEANUP(freep) char *crc = xstrdup("");
    TRY(read_size(json_object_get(object, "PlainBytes"), "PlainBytes", &entry->plain_bytes));
    TRY(read_size(json_object_get(object, "StoredBytes"), "StoredBytes", &entry->stored_bytes));
    json_t *crc_value = json_object_get(object, "PlainCrc32");
    if (crc_value == NULL)
        return refuse("PlainCrc32", "is missing");
    TRY(read_text(crc_value, "PlainCrc32", &crc));
    if (crc[0] == '\0' || !is_hash(crc))
        return refuse("PlainCrc32", "is not 8 hexadecimal digits");
    entry->plain_crc32 = (uint32_t)strtoul(crc, NULL, 16);
    entry->has_details = true;
    json_t *corrupt_pages = json_object_get(object, "CorruptPages");
    if (corrupt_pages != NULL)
        TRY(read_size(corrupt_pages, "CorruptPages", &entry->corrupt_pages));
    TRY(read_chunks(object, entry));
    return read_crc64(json_object_get(object, "PlainCrc64"), entry);
}

static struct error *
read_entry_fields(json_t *object, struct manifest_entry *entry)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (strcasecmp(key, "Base") == 0)
            TRY(read_text(value, "Base", &entry->base));
        else if (strcasecmp(key, "Name") == 0)
            TRY(read_text(value, "Name", &entry->name));
        else if (strcasecmp(key, "Hash") == 0)
            TRY(read_text(value, "Hash", &entry->hash));
        else if (strcmp(key, "VtagentDetails") == 0)
            TRY(read_entry_details(value, entry));
    }
    return NULL;
}

static struct error *
read_entry(json_t *object, struct manifest_entry *entry)
{
    static const char *const bases[] = {"Data", "InnoDBData", "InnoDBLog", "BinLog"};
    entry->base = xstrdup("");
    entry->name = xstrdup("");
    entry->hash = xstrdup("");
    if (!json_is_object(object))
        return error_new(ERROR_INVALID_ARGUMENT, "not an object");
    TRY(read_entry_fields(object, entry));
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_LENGTH(bases); i++)
        is_known = is_known || strcmp(entry->base, bases[i]) == 0;
    if (!is_known)
        return error_new(ERROR_INVALID_ARGUMENT, "unknown base '%s'", entry->base);
    if (!manifest_name_is_safe(entry->name))
        return error_new(ERROR_INVALID_ARGUMENT, "name '%s' leaves its base", entry->name);
    if (!is_hash(entry->hash))
        return error_new(ERROR_INVALID_ARGUMENT, "hash '%s' is not 8 hexadecimal digits",
                         entry->hash);
    return NULL;
}

static struct error *
check_entry_count(size_t count)
{
    if (count <= MANIFEST_ENTRIES_MOST)
        return NULL;
    return error_new(ERROR_INVALID_ARGUMENT, "MANIFEST: %zu files, at most %u", count,
                     MANIFEST_ENTRIES_MOST);
}

static struct error *
read_entries(const json_t *array, struct manifest *manifest)
{
    if (json_is_null(array))
        return NULL;
    if (!json_is_array(array) || manifest->entries != NULL)
        return refuse("FileEntries", "is not one array");
    size_t count = json_array_size(array);
    TRY(check_entry_count(count));
    if (count == 0) /* or cut out */
        return NULL;
    manifest_set_entry_count(manifest, count);
    for (size_t i = 0; i < count; i++) {
        struct error *error = read_entry(json_array_get(array, i), &manifest->entries[i]);
        if (error != NULL)
            return error_wrap(error, "MANIFEST: file %zu", i);
    }
    return NULL;
}

static struct error *
read_empty_directories(const json_t *array, struct strv *directories)
{
    if (array == NULL || json_is_null(array))
        return NULL;
    if (!json_is_array(array) || json_array_size(array) > MANIFEST_ENTRIES_MOST)
        return refuse("EmptyDirectories", "is not an array of a sane size");
    for (size_t i = 0; i < json_array_size(array); i++) {
        CLEANUP(freep) char *name = xstrdup("");
        TRY(read_text(json_array_get(array, i), "EmptyDirectories", &name));
        if (!manifest_name_is_safe(name) || strchr(name, '/') != NULL)
            return refuse("EmptyDirectories", "has a name that leaves the data directory");
        strv_add(directories, name);
    }
    return NULL;
}

static struct error *
read_details(json_t *object, struct manifest *manifest)
{
    if (json_is_null(object))
        return NULL;
    if (!json_is_object(object))
        return refuse("VtagentDetails", "is not an object");
    manifest->has_vtagent_details = true;
    json_t *mode = json_object_get(object, "QuiesceMode");
    if (mode != NULL)
        TRY(read_text(mode, "QuiesceMode", &manifest->quiesce_mode));
    json_t *state = json_object_get(object, "State");
    if (state != NULL)
        TRY(read_text(state, "State", &manifest->state));
    json_t *proof = json_object_get(object, "Proof");
    if (proof != NULL)
        TRY(read_text(proof, "Proof", &manifest->proof));
    const json_t *milliseconds = json_object_get(object, "UnavailableMs");
    if (json_is_integer(milliseconds))
        manifest->unavailable_ms = json_integer_value(milliseconds);
    return read_empty_directories(json_object_get(object, "EmptyDirectories"),
                                  &manifest->empty_directories);
}

static struct error *
read_field(const struct field *field, json_t *value, struct manifest *manifest)
{
    char *target = (char *)manifest + field->offset;
    switch (field->kind) {
    case FIELD_TEXT:
        return read_text(value, field->key, (char **)(void *)target);
    case FIELD_BOOL:
        return read_bool(value, field->key, (bool *)(void *)target);
    case FIELD_ENTRIES:
        return read_entries(value, manifest);
    case FIELD_DETAILS:
        return read_details(value, manifest);
    }
    return NULL;
}

static struct error *
read_fields(json_t *object, struct manifest *manifest)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        for (size_t i = 0; i < ARRAY_LENGTH(manifest_fields); i++) {
            if (strcasecmp(key, manifest_fields[i].key) == 0) {
                TRY(read_field(&manifest_fields[i], value, manifest));
                break;
            }
        }
    }
    return NULL;
}

static struct error *
check_position(const char *key, const char *text)
{
    struct position *position = NULL;
    struct error *error = position_parse(text, &position);
    position_free(position);
    if (error != NULL)
        error->code = ERROR_INVALID_ARGUMENT; /* whatever a position's own error means elsewhere */
    return error_wrap(error, "MANIFEST: '%s'", key);
}

static struct error *
check_time(const char *key, const char *text)
{
    int64_t ignored;
    if (text[0] == '\0')
        return NULL;
    return error_wrap(clock_parse_rfc3339(text, &ignored), "MANIFEST: '%s'", key);
}

static struct error *
check_values(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->entry_count && !manifest->has_vtagent_details; i++) {
        if (manifest->entries[i].has_details)
            return refuse("VtagentDetails", "is missing, but files have theirs");
    }
    TRY(check_position("Position", manifest->position));
    TRY(check_position("PurgedPosition", manifest->purged_position));
    TRY(check_position("FromPosition", manifest->from_position));
    TRY(check_time("BackupTime", manifest->backup_time));
    return check_time("FinishedTime", manifest->finished_time);
}

/* The files that were cut out of the text. */
static struct error *
read_cut_entries(struct manifest_slice elements, struct manifest *manifest)
{
    size_t count = manifest_element_count(elements);
    struct manifest_slice element;
    if (manifest->entries != NULL)
        return refuse("FileEntries", "is not one array");
    TRY(check_entry_count(count));
    manifest_set_entry_count(manifest, count);
    for (size_t i = 0; i < count && manifest_next_element(&elements, &element); i++) {
        json_error_t problem;
        json_t *object =
            json_loadb(element.start, element.size, JSON_ALLOW_NUL | JSON_DECODE_ANY, &problem);
        struct error *error = object == NULL
                                  ? error_new(ERROR_INVALID_ARGUMENT, "not JSON: %s", problem.text)
                                  : read_entry(object, &manifest->entries[i]);
        json_decref(object);
        if (error != NULL)
            return error_wrap(error, "MANIFEST: file %zu", i);
    }
    return NULL;
}

struct error *
manifest_parse(const char *text, size_t size, struct manifest **ret_manifest)
{
    if (size > MANIFEST_LIMIT_BYTES)
        return error_new(ERROR_INVALID_ARGUMENT, "MANIFEST: %zu bytes, at most %u", size,
                         MANIFEST_LIMIT_BYTES);
    TRY(manifest_checksum_check(text, size));
    CLEANUP(buffer_done) struct buffer rest = BUFFER_INIT;
    struct manifest_slice elements = {NULL, 0};
    json_error_t problem;
    bool is_cut = manifest_cut(text, size, "FileEntries", &rest, &elements);
    json_t *root = json_loadb(is_cut ? rest.data : text, is_cut ? rest.length_bytes : size,
                              JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &problem);
    if (root == NULL)
        return error_new(ERROR_INVALID_ARGUMENT, "MANIFEST: not JSON: line %d: %s", problem.line,
                         problem.text);
    CLEANUP(manifest_freep) struct manifest *manifest = manifest_new();
    struct error *error = json_is_object(root)
                              ? read_fields(root, manifest)
                              : error_new(ERROR_INVALID_ARGUMENT, "MANIFEST: not a JSON object");
    json_decref(root);
    TRY(error);
    if (is_cut)
        TRY(read_cut_entries(elements, manifest));
    TRY(check_values(manifest));
    *ret_manifest = manifest;
    manifest = NULL;
    return NULL;
}
