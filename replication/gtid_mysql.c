#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"
#include "replication/gtid_private.h"

static int
hex_value(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    char lower = (char)(character | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool
gtid_uuid_parse(struct text_piece text, uint8_t ret_uuid[16])
{
    uint8_t uuid[16];
    size_t filled = 0;
    if (text.length != 36)
        return false;
    for (size_t i = 0; i < 36;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text.data[i++] != '-')
                return false;
            continue;
        }
        int high = hex_value(text.data[i]), low = hex_value(text.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        uuid[filled++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    memcpy(ret_uuid, uuid, sizeof(uuid));
    return true;
}

bool
uuid_is_valid(const char *text)
{
    uint8_t uuid[16];
    return text != NULL && gtid_uuid_parse((struct text_piece){text, strlen(text)}, uuid);
}

static void
push(struct gtid_intervals *list, const struct gtid_interval *interval)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity != 0 ? list->capacity * 2 : 4;
        list->items = xreallocarray(list->items, list->capacity, sizeof(*list->items));
    }
    list->items[list->count++] = *interval;
}

/* Appends an interval that sorts at or after the last one, joined with it where they touch. */
static void
push_joined(struct gtid_intervals *list, const struct gtid_interval *interval)
{
    struct gtid_interval *last = list->count > 0 ? &list->items[list->count - 1] : NULL;
    bool touches = last != NULL && memcmp(last->uuid, interval->uuid, 16) == 0 &&
                   interval->first - 1 <= last->last;
    if (!touches) {
        push(list, interval);
    } else if (interval->last > last->last) {
        last->last = interval->last;
    }
}

static int
compare(const struct gtid_interval *a, const struct gtid_interval *b)
{
    int order = memcmp(a->uuid, b->uuid, 16);
    if (order != 0)
        return order;
    return a->first < b->first ? -1 : a->first > b->first;
}

static int
compare_for_sort(const void *a, const void *b)
{
    return compare(a, b);
}

static struct error *
refuse(const char *what, struct text_piece piece)
{
    int length = piece.length > 100 ? 100 : (int)piece.length;
    return error_new(ERROR_INVALID_ARGUMENT, "invalid MySQL GTID set: %s '%.*s'", what, length,
                     piece.data);
}

/* "n" or "n-m". False with ret_interval untouched when m < n: such an interval says nothing. */
static struct error *
parse_interval(struct text_piece text, struct gtid_interval *interval, bool *ret_is_empty)
{
    const char *dash = memchr(text.data, '-', text.length);
    size_t first_length = dash != NULL ? (size_t)(dash - text.data) : text.length;
    uint64_t first = 0, last = 0;
    if (text.length > 0 &&
        (text.data[0] == '_' || hex_value(text.data[0]) > 9 || (text.data[0] | 0x20) >= 'a'))
        return refuse("tagged GTIDs are not supported:", text);
    if (!text_piece_number((struct text_piece){text.data, first_length}, INT64_MAX - 1, &first))
        return refuse("not an interval:", text);
    last = first;
    struct text_piece end = {.data = NULL};
    if (dash != NULL)
        end = (struct text_piece){dash + 1, text.length - first_length - 1};
    if (dash != NULL && !text_piece_number(end, INT64_MAX - 1, &last))
        return refuse("not an interval:", text);
    if (first < 1)
        return refuse("an interval starts below 1:", text);
    interval->first = (int64_t)first;
    interval->last = (int64_t)last;
    *ret_is_empty = last < first;
    return NULL;
}

static struct error *
parse_entry(struct text_piece entry, struct gtid_intervals *list)
{
    struct text_piece rest = entry, piece;
    struct gtid_interval interval = {.first = 0};
    text_piece_next(&rest, ':', &piece);
    if (!gtid_uuid_parse(piece, interval.uuid))
        return refuse("not a server uuid:", piece);
    if (rest.data == NULL)
        return refuse("no interval after", piece);
    while (text_piece_next(&rest, ':', &piece)) {
        bool is_empty = false;
        TRY(parse_interval(piece, &interval, &is_empty));
        if (is_empty)
            continue;
        if (list->count == POSITION_MOST_ENTRIES)
            return error_new(ERROR_RESOURCE_EXHAUSTED, "GTID set has more than %zu intervals",
                             POSITION_MOST_ENTRIES);
        push(list, &interval);
    }
    return NULL;
}

static void
sort_and_join(struct gtid_intervals *list)
{
    bool is_sorted = true;
    for (size_t i = 1; i < list->count && is_sorted; i++)
        is_sorted = compare(&list->items[i - 1], &list->items[i]) <= 0;
    if (!is_sorted)
        qsort(list->items, list->count, sizeof(*list->items), compare_for_sort);
    size_t count = list->count;
    list->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct gtid_interval interval = list->items[i];
        push_joined(list, &interval);
    }
}

struct error *
gtid_mysql_parse(struct text_piece text, struct gtid_intervals *intervals)
{
    struct text_piece entry;
    while (text_piece_next(&text, ',', &entry)) {
        if (entry.length > 0)
            TRY(parse_entry(entry, intervals));
    }
    sort_and_join(intervals);
    return NULL;
}

static void
print_uuid(const uint8_t uuid[16], struct buffer *buffer)
{
    static const char digits[] = "0123456789abcdef";
    char text[36];
    size_t used = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[used++] = '-';
        text[used++] = digits[uuid[i] >> 4];
        text[used++] = digits[uuid[i] & 15];
    }
    buffer_append(buffer, text, sizeof(text));
}

void
gtid_mysql_print(const struct gtid_intervals *intervals, struct buffer *buffer)
{
    const struct gtid_interval *before = NULL;
    for (size_t i = 0; i < intervals->count; i++) {
        const struct gtid_interval *interval = &intervals->items[i];
        if (before == NULL || memcmp(before->uuid, interval->uuid, 16) != 0) {
            if (before != NULL)
                buffer_append_char(buffer, ',');
            print_uuid(interval->uuid, buffer);
        }
        buffer_appendf(buffer, ":%lld", (long long)interval->first);
        if (interval->last > interval->first)
            buffer_appendf(buffer, "-%lld", (long long)interval->last);
        before = interval;
    }
}

bool
gtid_mysql_contains(const struct gtid_intervals *a, const struct gtid_intervals *b)
{
    size_t i = 0;
    for (size_t j = 0; j < b->count; j++) {
        const struct gtid_interval *wanted = &b->items[j];
        while (i < a->count && (memcmp(a->items[i].uuid, wanted->uuid, 16) < 0 ||
                                (memcmp(a->items[i].uuid, wanted->uuid, 16) == 0 &&
                                 a->items[i].last < wanted->first)))
            i++;
        if (i == a->count || memcmp(a->items[i].uuid, wanted->uuid, 16) != 0 ||
            a->items[i].first > wanted->first || a->items[i].last < wanted->last)
            return false;
    }
    return true;
}

void
gtid_mysql_union(const struct gtid_intervals *a, const struct gtid_intervals *b,
                 struct gtid_intervals *ret_union)
{
    size_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        bool takes_a = j == b->count || (i < a->count && compare(&a->items[i], &b->items[j]) <= 0);
        push_joined(ret_union, takes_a ? &a->items[i++] : &b->items[j++]);
    }
}

/* Cuts b's intervals out of one interval of a. *cursor only moves forward: no later interval of a
 * meets what it left behind. */
static void
subtract_from(struct gtid_interval interval, const struct gtid_intervals *b, size_t *cursor,
              struct gtid_intervals *ret_rest)
{
    for (; *cursor < b->count; (*cursor)++) {
        const struct gtid_interval *cut = &b->items[*cursor];
        int order = memcmp(cut->uuid, interval.uuid, 16);
        if (order < 0 || (order == 0 && cut->last < interval.first))
            continue;
        if (order > 0 || cut->first > interval.last)
            break;
        if (cut->first > interval.first) {
            struct gtid_interval before = interval;
            before.last = cut->first - 1;
            push(ret_rest, &before);
        }
        if (cut->last >= interval.last)
            return;
        interval.first = cut->last + 1;
    }
    push(ret_rest, &interval);
}

void
gtid_mysql_subtract(const struct gtid_intervals *a, const struct gtid_intervals *b,
                    struct gtid_intervals *ret_rest)
{
    size_t cursor = 0;
    for (size_t i = 0; i < a->count; i++)
        subtract_from(a->items[i], b, &cursor, ret_rest);
}

void
gtid_mysql_without(const struct gtid_intervals *a, const uint8_t uuid[16],
                   struct gtid_intervals *ret_rest)
{
    for (size_t i = 0; i < a->count; i++) {
        if (memcmp(a->items[i].uuid, uuid, 16) != 0)
            push(ret_rest, &a->items[i]);
    }
}
