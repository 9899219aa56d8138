#include "backup/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/base/clock.h"

#define TEXT_LIMIT_BYTES (64u * 1024)
#define WRITE_ATTEMPTS 16

static const char *const mode_names[] = {"", "size", "full", "restore"};

const char *
verdict_mode_name(enum verdict_mode mode)
{
    return mode_names[mode];
}

struct error *
verdict_mode_parse(const char *name, enum verdict_mode *ret_mode)
{
    for (size_t i = VERDICT_SIZE; i < ARRAY_LENGTH(mode_names); i++) {
        if (str_equal(name, mode_names[i])) {
            *ret_mode = (enum verdict_mode)i;
            return NULL;
        }
    }
    return error_new(ERROR_INVALID_ARGUMENT,
                     "'%.40s' is no way to check a backup: expected size, full or restore", name);
}

void
verdict_done(struct verdict *verdict)
{
    freep(&verdict->problem);
    freep(&verdict->alias);
    freep(&verdict->server_version);
    freep(&verdict->program);
}

/* ---- Text ---- */

static void
print_text(struct buffer *text, const char *key, const char *value)
{
    buffer_appendf(text, ",\n  \"%s\": ", key);
    buffer_append_json_string(text, value != NULL ? value : "");
}

void
verdict_print(const struct verdict *verdict, struct buffer *text)
{
    char time_text[32];
    clock_format_rfc3339(verdict->time_ns, time_text);
    buffer_appendf(text, "{\n  \"Time\": \"%s\"", time_text);
    print_text(text, "Mode", verdict_mode_name(verdict->mode));
    print_text(text, "Result", verdict->is_good ? "good" : "failed");
    print_text(text, "Problem", verdict->problem);
    print_text(text, "TabletAlias", verdict->alias);
    print_text(text, "ServerVersion", verdict->server_version);
    print_text(text, "Program", verdict->program);
    buffer_append_text(text, "\n}\n");
}

/* A string without a NUL; missing: "". */
static struct error *
read_text(json_t *object, const char *key, char **ret_text)
{
    const json_t *value = json_object_get(object, key);
    if (value != NULL && !json_is_string(value))
        return error_new(ERROR_INVALID_ARGUMENT, "'%s' is not a string", key);
    const char *text = value != NULL ? json_string_value(value) : "";
    if (value != NULL && strlen(text) != json_string_length(value))
        return error_new(ERROR_INVALID_ARGUMENT, "'%s' contains a NUL byte", key);
    *ret_text = xstrdup(text);
    return NULL;
}

static struct error *
read_all(json_t *object, struct verdict *verdict)
{
    CLEANUP(freep) char *time = NULL;
    CLEANUP(freep) char *mode = NULL;
    CLEANUP(freep) char *result = NULL;
    TRY(read_text(object, "Time", &time));
    TRY(read_text(object, "Mode", &mode));
    TRY(read_text(object, "Result", &result));
    TRY(read_text(object, "Problem", &verdict->problem));
    TRY(read_text(object, "TabletAlias", &verdict->alias));
    TRY(read_text(object, "ServerVersion", &verdict->server_version));
    TRY(read_text(object, "Program", &verdict->program));
    TRY(clock_parse_rfc3339(time, &verdict->time_ns));
    TRY(verdict_mode_parse(mode, &verdict->mode));
    verdict->is_good = str_equal(result, "good");
    if (!verdict->is_good && !str_equal(result, "failed"))
        return error_new(ERROR_INVALID_ARGUMENT, "'Result' is neither good nor failed");
    return NULL;
}

struct error *
verdict_parse(const char *text, size_t size, struct verdict *ret_verdict)
{
    json_error_t problem;
    json_t *root = json_loadb(text, size, 0, &problem);
    CLEANUP(verdict_done) struct verdict verdict = {.problem = NULL};
    struct error *error =
        root == NULL
            ? error_new(ERROR_INVALID_ARGUMENT, "not JSON: line %d: %s", problem.line, problem.text)
        : json_is_object(root) ? read_all(root, &verdict)
                               : error_new(ERROR_INVALID_ARGUMENT, "not a JSON object");
    json_decref(root);
    if (error != NULL)
        return error_wrap(error, "verdict");
    *ret_verdict = verdict;
    verdict = (struct verdict){.problem = NULL};
    return NULL;
}

/* ---- Beside the backup ---- */

static struct error *
exists(struct storage *storage, struct cancel *cancel, const char *directory, const char *name,
       size_t number, bool *ret_exists)
{
    char object[64];
    uint64_t size;
    snprintf(object, sizeof(object), VERDICT_NAME_PREFIX "%zu", number);
    struct error *error = storage->interface->size(storage, cancel, directory, name, object, &size);
    bool is_missing = error_is(error, ERROR_NOT_FOUND);
    if (error != NULL && !is_missing)
        return error_wrap(error, "look for verdicts on backup '%s'", name);
    error_free(error);
    *ret_exists = !is_missing;
    return NULL;
}

/* They are numbered without a gap: a few questions find the last. */
static struct error *
find_last(struct storage *storage, struct cancel *cancel, const char *directory, const char *name,
          size_t *ret_last)
{
    size_t there = 0, missing = 1;
    bool is_there = false;
    TRY(exists(storage, cancel, directory, name, missing, &is_there));
    while (is_there && missing <= VERDICTS_MOST) {
        there = missing;
        missing *= 2;
        TRY(exists(storage, cancel, directory, name, missing, &is_there));
    }
    while (missing - there > 1) {
        size_t middle = there + (missing - there) / 2;
        TRY(exists(storage, cancel, directory, name, middle, &is_there));
        *(is_there ? &there : &missing) = middle;
    }
    *ret_last = there;
    return NULL;
}

static struct error *
write_next(struct storage *storage, struct cancel *cancel, const char *directory, const char *name,
           const struct buffer *text)
{
    size_t last = 0;
    TRY(find_last(storage, cancel, directory, name, &last));
    if (last >= VERDICTS_MOST)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "there are %zu verdicts already", last);
    char object[64];
    snprintf(object, sizeof(object), VERDICT_NAME_PREFIX "%zu", last + 1);
    return storage->interface->put(storage, cancel, directory, name, object, buffer_text(text),
                                   text->length_bytes);
}

struct error *
verdict_write(struct storage *storage, struct cancel *cancel, const char *directory,
              const char *name, const struct verdict *verdict)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    verdict_print(verdict, &text);
    struct error *error = NULL;
    for (int attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
        error_free(error);
        error = write_next(storage, cancel, directory, name, &text);
        if (!error_is(error, ERROR_ALREADY_EXISTS)) /* another check was faster */
            break;
    }
    return error_wrap(error, "record the verdict on backup '%s'", name);
}

void
verdict_sum_done(struct verdict_sum *sum)
{
    freep(&sum->problem);
}

void
verdict_sum_add(struct verdict_sum *sum, const struct verdict *verdict)
{
    if (verdict->is_good && verdict->mode < sum->mode)
        return;
    if (verdict->is_good || !sum->has_failed || verdict->mode > sum->mode)
        sum->mode = verdict->mode;
    sum->has_failed = !verdict->is_good;
    sum->time_ns = verdict->time_ns;
    str_replace(&sum->problem, verdict->is_good ? "" : verdict->problem);
}

static struct error *
add_one(struct storage *storage, struct cancel *cancel, const char *directory, const char *name,
        size_t number, struct verdict_sum *sum)
{
    char object[64];
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    snprintf(object, sizeof(object), VERDICT_NAME_PREFIX "%zu", number);
    struct error *error =
        storage_get(storage, cancel, directory, name, object, TEXT_LIMIT_BYTES, &text);
    CLEANUP(verdict_done) struct verdict verdict = {.problem = NULL};
    if (error == NULL)
        error = verdict_parse(buffer_text(&text), text.length_bytes, &verdict);
    if (error == NULL) {
        verdict_sum_add(sum, &verdict);
        return NULL;
    }
    bool is_about_this_one = error_is(error, ERROR_INVALID_ARGUMENT) ||
                             error_is(error, ERROR_RESOURCE_EXHAUSTED) ||
                             error_is(error, ERROR_NOT_FOUND);
    if (!is_about_this_one)
        return error_wrap(error, "read the verdicts on backup '%s'", name);
    error_free(error);
    return NULL;
}

struct error *
verdict_read(struct storage *storage, struct cancel *cancel, const char *directory,
             const char *name, struct verdict_sum *ret_sum)
{
    size_t last = 0;
    TRY(find_last(storage, cancel, directory, name, &last));
    CLEANUP(verdict_sum_done) struct verdict_sum sum = {.problem = xstrdup("")};
    for (size_t i = last > VERDICTS_READ ? last - VERDICTS_READ + 1 : 1; i <= last; i++)
        TRY(add_one(storage, cancel, directory, name, i, &sum));
    *ret_sum = sum;
    sum = (struct verdict_sum){.problem = NULL};
    return NULL;
}
