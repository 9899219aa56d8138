#include "agent/topo/key_range.h"

#include <ctype.h>
#include <string.h>

/* Vitess treats 80 and 8000 as the same border: trailing zero bytes mean nothing. */
static size_t
significant_length(const ProtobufCBinaryData *key)
{
    size_t length = key->len;
    while (length > 0 && key->data[length - 1] == 0)
        length--;
    return length;
}

static int
compare_keys(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    size_t a_length = significant_length(a);
    size_t b_length = significant_length(b);
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = shorter == 0 ? 0 : memcmp(a->data, b->data, shorter);
    if (order != 0)
        return order;
    return (a_length > b_length) - (a_length < b_length);
}

int
key_range_compare_start(const Topodata__KeyRange *a, const Topodata__KeyRange *b)
{
    static const ProtobufCBinaryData none = {0, NULL};
    return compare_keys(a == NULL ? &none : &a->start, b == NULL ? &none : &b->start);
}

bool
key_range_is_contiguous(const Topodata__KeyRange *a, const Topodata__KeyRange *b)
{
    return significant_length(&a->end) > 0 && compare_keys(&a->end, &b->start) == 0;
}

static bool
starts_before_end(const Topodata__KeyRange *a, const Topodata__KeyRange *b)
{
    return significant_length(&b->end) == 0 || compare_keys(&a->start, &b->end) < 0;
}

bool
key_range_intersects(const Topodata__KeyRange *a, const Topodata__KeyRange *b)
{
    return a == NULL || b == NULL || (starts_before_end(a, b) && starts_before_end(b, a));
}

static int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit - 'a' + 10;
}

/* Lower-cased hex of even length to bytes. */
static bool
parse_hex(const char *text, size_t length, ProtobufCBinaryData *ret_key)
{
    if (length % 2 != 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isxdigit((unsigned char)text[i]))
            return false;
    }
    ret_key->len = length / 2;
    ret_key->data = length == 0 ? NULL : xmalloc(length / 2);
    for (size_t i = 0; i < length / 2; i++)
        ret_key->data[i] = (uint8_t)(hex_value(text[2 * i]) * 16 + hex_value(text[2 * i + 1]));
    return true;
}

static struct error *
parse_range(const char *name, Topodata__KeyRange *range)
{
    const char *dash = strchr(name, '-');
    if (strchr(dash + 1, '-') != NULL)
        return error_new(ERROR_INVALID_ARGUMENT, "shard '%s' may hold only one '-'", name);
    if (!parse_hex(name, (size_t)(dash - name), &range->start) ||
        !parse_hex(dash + 1, strlen(dash + 1), &range->end))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "shard '%s' is not a key range: expected an even number of hex digits on "
                         "each side, like 80-c0",
                         name);
    if (range->end.len > 0 && compare_keys(&range->start, &range->end) >= 0)
        return error_new(ERROR_INVALID_ARGUMENT, "shard '%s' ends before it starts", name);
    return NULL;
}

struct error *
shard_name_parse(const char *name, char **ret_name, Topodata__KeyRange **ret_range)
{
    TRY(name_validate("shard", name));
    CLEANUP(freep) char *lowered = xstrdup(name);
    CLEANUP(record_freep) Topodata__KeyRange *range = NULL;
    if (strchr(name, '-') != NULL) {
        for (char *at = lowered; *at != '\0'; at++)
            *at = (char)tolower((unsigned char)*at);
        range = xmalloc(sizeof(*range));
        topodata__key_range__init(range);
        TRY(parse_range(lowered, range));
    }
    *ret_name = lowered;
    lowered = NULL;
    if (ret_range != NULL) {
        *ret_range = range;
        range = NULL;
    }
    return NULL;
}
