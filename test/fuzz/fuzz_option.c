/* Options from arbitrary words: never a crash, never a leak, an error or a filled struct. */
#include <stddef.h>
#include <stdint.h>

#include "agent/base/option.h"

struct sample {
    bool flag;
    char *text;
    int64_t integer, duration, size;
    struct strv list;
};

static const struct option_row rows[] = {
    {.name = "flag", .type = OPTION_FLAG, .offset = offsetof(struct sample, flag)},
    {.name = "text", .type = OPTION_TEXT, .offset = offsetof(struct sample, text)},
    {.name = "integer", .type = OPTION_INTEGER, .offset = offsetof(struct sample, integer)},
    {.name = "duration", .type = OPTION_DURATION, .offset = offsetof(struct sample, duration)},
    {.name = "size", .type = OPTION_SIZE, .offset = offsetof(struct sample, size)},
    {.name = "list", .type = OPTION_LIST, .offset = offsetof(struct sample, list)},
    {.name = "ignored", .type = OPTION_IGNORED},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct option_set set = {rows, ARRAY_LENGTH(rows), NULL};
    CLEANUP(freep) char *text = xstrndup((const char *)data, size);
    CLEANUP(strv_done) struct strv words = {.items = NULL};
    CLEANUP(strv_done) struct strv rest = {.items = NULL};
    CLEANUP(strv_done) struct strv ignored = {.items = NULL};
    strv_add(&words, "program");
    strv_split(&words, text, '\n');
    struct sample sample = {.flag = false};
    error_free(option_parse(&set, (int)words.count, words.items, &sample, &rest, &ignored));
    option_done(&set, &sample);
    return 0;
}
