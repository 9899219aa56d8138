#include "agent/job/journal.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/base/file.h"

#define JOURNAL_LIMIT_BYTES (1u << 20)
#define JOURNAL_MODE 0660

static const char *const kind_names[] = {
    [JOURNAL_BACKUP] = "backup",
    [JOURNAL_RESTORE] = "restore",
};

static char *
path_of(const char *directory)
{
    return xasprintf("%s/" JOURNAL_NAME, directory);
}

static json_t *
words_of(const struct journal *journal)
{
    json_t *words = json_array();
    for (size_t i = 0; i < journal->worker_words.count; i++)
        json_array_append_new(words, json_string(journal->worker_words.items[i]));
    return words;
}

struct error *
journal_write(const char *directory, const struct journal *journal)
{
    CLEANUP(freep) char *path = path_of(directory);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:b, s:i, s:b, s:b, s:b, s:b, s:i, s:I, s:o}", "kind",
        kind_names[journal->kind], "backup_name", journal->backup_name, "image_name",
        journal->image_name != NULL ? journal->image_name : "", "is_copying", journal->is_copying,
        "original_type", journal->original_type, "was_replicating", journal->was_replicating,
        "was_writable", journal->was_writable, "semi_sync_primary", journal->semi_sync_primary,
        "semi_sync_replica", journal->semi_sync_replica, "worker_pid", journal->worker_pid,
        "worker_start_ticks", (json_int_t)journal->worker_start_ticks, "worker_words",
        words_of(journal));
    if (object == NULL)
        return error_new(ERROR_INTERNAL, "the job's journal cannot be written: no valid text");
    CLEANUP(freep) char *text = json_dumps(object, JSON_INDENT(2));
    json_decref(object);
    return file_write_safely(path, text, strlen(text), JOURNAL_MODE);
}

static struct error *
read_object(json_t *object, const char *path, struct journal *ret_journal)
{
    const char *kind = NULL, *name = NULL, *image = "";
    int type = 0, pid = 0, copying = 0, replicating = 0, writable = 0, primary = 0, replica = 0;
    json_int_t ticks = 0;
    json_t *words = NULL;
    if (json_unpack(object, "{s:s, s:s, s?s, s?b, s:i, s:b, s:b, s:b, s:b, s:i, s:I, s?o}", "kind",
                    &kind, "backup_name", &name, "image_name", &image, "is_copying", &copying,
                    "original_type", &type, "was_replicating", &replicating, "was_writable",
                    &writable, "semi_sync_primary", &primary, "semi_sync_replica", &replica,
                    "worker_pid", &pid, "worker_start_ticks", &ticks, "worker_words", &words) != 0)
        return error_new(ERROR_DATA_LOSS, "'%s' is no journal of a job", path);
    *ret_journal = (struct journal){
        .kind = strcmp(kind, kind_names[JOURNAL_RESTORE]) == 0 ? JOURNAL_RESTORE : JOURNAL_BACKUP,
        .backup_name = xstrdup(name),
        .image_name = xstrdup(image),
        .is_copying = copying != 0,
        .original_type = type,
        .was_replicating = replicating != 0,
        .was_writable = writable != 0,
        .semi_sync_primary = primary != 0,
        .semi_sync_replica = replica != 0,
        .worker_pid = pid,
        .worker_start_ticks = (uint64_t)ticks,
    };
    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (word != NULL)
            strv_add(&ret_journal->worker_words, word);
    }
    return NULL;
}

struct error *
journal_read(const char *directory, struct journal *ret_journal)
{
    CLEANUP(freep) char *path = path_of(directory);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(file_read(path, JOURNAL_LIMIT_BYTES, &text));
    json_error_t problem;
    json_t *object = json_loadb(buffer_text(&text), text.length_bytes, 0, &problem);
    if (object == NULL)
        return error_new(ERROR_DATA_LOSS, "'%s' is no journal of a job: %s", path, problem.text);
    struct error *error = read_object(object, path, ret_journal);
    json_decref(object);
    return error;
}

struct error *
journal_remove(const char *directory)
{
    CLEANUP(freep) char *path = path_of(directory);
    TRY(file_remove(path));
    return file_sync_directory(directory);
}

void
journal_done(struct journal *journal)
{
    freep(&journal->backup_name);
    freep(&journal->image_name);
    strv_done(&journal->worker_words);
}
