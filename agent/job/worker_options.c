#include "agent/job/worker_options.h"

#include <inttypes.h>
#include <stddef.h>

#include "agent/base/option.h"

#define TEXT_ROW(row_name, field)                                                                  \
    {                                                                                              \
        .name = row_name, .type = OPTION_TEXT, .offset = offsetof(struct worker_options, field),   \
        .value = ""                                                                                \
    }
#define INTEGER_ROW(row_name, field)                                                               \
    {                                                                                              \
        .name = row_name, .type = OPTION_INTEGER, .offset = offsetof(struct worker_options, field) \
    }

static const struct option_row rows[] = {
    TEXT_ROW("mode", mode),
    TEXT_ROW("storage-implementation", storage_implementation),
    TEXT_ROW("file-root", file_root),
    TEXT_ROW("gcs-bucket", gcs_bucket),
    TEXT_ROW("gcs-root", gcs_root),
    TEXT_ROW("keyspace", keyspace),
    TEXT_ROW("shard", shard),
    TEXT_ROW("alias", alias),
    TEXT_ROW("mycnf", mycnf),
    TEXT_ROW("name", name),
    TEXT_ROW("position", position),
    TEXT_ROW("purged-position", purged_position),
    TEXT_ROW("server-uuid", server_uuid),
    TEXT_ROW("mysql-version", mysql_version),
    TEXT_ROW("hostname", hostname),
    TEXT_ROW("compression", compression),
    TEXT_ROW("image", image),
    TEXT_ROW("state", state),
    TEXT_ROW("progress", progress),
    TEXT_ROW("draft", draft),
    TEXT_ROW("kept", kept),
    TEXT_ROW("proof", proof),
    TEXT_ROW("verify", verify),
    TEXT_ROW("problem", problem),
    INTEGER_ROW("chunk-bytes", chunk_bytes),
    INTEGER_ROW("max-memory-bytes", max_memory_bytes),
    INTEGER_ROW("rate-bytes-per-second", rate_bytes_per_second),
    INTEGER_ROW("storage-timeout-ms", storage_timeout_ms),
    INTEGER_ROW("unavailable-ms", unavailable_ms),
    INTEGER_ROW("compression-level", compression_level),
    INTEGER_ROW("concurrency", concurrency),
    INTEGER_ROW("start-time-ns", start_time_ns),
    INTEGER_ROW("not-after-ns", not_after_ns),
    {.name = "upgrade-safe",
     .type = OPTION_FLAG,
     .offset = offsetof(struct worker_options, is_upgrade_safe)},
    {.name = "allow-corrupt-pages",
     .type = OPTION_FLAG,
     .offset = offsetof(struct worker_options, allows_corrupt_pages)},
    {.name = "resume", .type = OPTION_FLAG, .offset = offsetof(struct worker_options, resumes)},
    {.name = "keep-matching",
     .type = OPTION_FLAG,
     .offset = offsetof(struct worker_options, keeps_matching)},
};
static const struct option_set set = {.rows = rows, .row_count = ARRAY_LENGTH(rows)};

void
worker_options_print(const struct worker_options *options, struct strv *argv)
{
    strv_add(argv, "/proc/self/exe");
    strv_add(argv, "job");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const char *field = (const char *)options + rows[i].offset;
        if (rows[i].type == OPTION_TEXT) {
            const char *text = *(char *const *)(const void *)field;
            if (!str_is_empty(text))
                strv_addf(argv, "--%s=%s", rows[i].name, text);
        } else if (rows[i].type == OPTION_INTEGER) {
            int64_t number = *(const int64_t *)(const void *)field;
            if (number != 0)
                strv_addf(argv, "--%s=%" PRId64, rows[i].name, number);
        } else if (*(const bool *)field) {
            strv_addf(argv, "--%s", rows[i].name);
        }
    }
}

struct error *
worker_options_parse(int argc, char *const *argv, struct worker_options *ret_options)
{
    CLEANUP(strv_done) struct strv rest = {.items = NULL};
    struct worker_options options = {.mode = NULL};
    struct error *error = option_parse(&set, argc, argv, &options, &rest, NULL);
    if (error == NULL && rest.count > 0)
        error = error_new(ERROR_INVALID_ARGUMENT, "unexpected word '%s'", rest.items[0]);
    if (error != NULL) {
        worker_options_done(&options);
        return error;
    }
    *ret_options = options;
    return NULL;
}

void
worker_options_done(struct worker_options *options)
{
    option_done(&set, options);
}
