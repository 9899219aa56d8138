#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"
#include "replication/gtid_private.h"

static const struct {
    const char *prefix;
    enum position_flavor flavor;
} flavors[] = {
    {"MySQL56/", POSITION_MYSQL56},
    {"MariaDB/", POSITION_MARIADB},
    {"FilePos/", POSITION_FILE},
};

static struct text_piece
trim(struct text_piece piece)
{
    while (piece.length > 0 && strchr(" \t\r\n", piece.data[0]) != NULL) {
        piece.data++;
        piece.length--;
    }
    while (piece.length > 0 && strchr(" \t\r\n", piece.data[piece.length - 1]) != NULL)
        piece.length--;
    return piece;
}

bool
text_piece_next(struct text_piece *rest, char separator, struct text_piece *ret_piece)
{
    if (rest->data == NULL)
        return false;
    const char *end = memchr(rest->data, separator, rest->length);
    size_t length = end != NULL ? (size_t)(end - rest->data) : rest->length;
    *ret_piece = trim((struct text_piece){rest->data, length});
    if (end == NULL)
        *rest = (struct text_piece){.data = NULL};
    else
        *rest = (struct text_piece){end + 1, rest->length - length - 1};
    return true;
}

bool
text_piece_number(struct text_piece piece, uint64_t most, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (piece.length == 0)
        return false;
    for (size_t i = 0; i < piece.length; i++) {
        unsigned digit = (unsigned)(piece.data[i] - '0');
        if (digit > 9 || number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

static struct position *
position_new(enum position_flavor flavor)
{
    struct position *position = xcalloc(1, sizeof(*position));
    position->flavor = flavor;
    return position;
}

void
position_free(struct position *position)
{
    if (position == NULL)
        return;
    free(position->intervals.items);
    free(position->domains.items);
    free(position->file);
    free(position);
}

void
position_freep(struct position **position)
{
    position_free(*position);
    *position = NULL;
}

static struct error *
parse_file(struct text_piece text, struct position *position)
{
    struct text_piece rest = trim(text), file, offset;
    if (!text_piece_next(&rest, ':', &file) || !text_piece_next(&rest, ':', &offset) ||
        rest.data != NULL || file.length == 0 ||
        !text_piece_number(offset, UINT64_MAX, &position->offset))
        return error_new(ERROR_INVALID_ARGUMENT,
                         "invalid FilePos position '%.*s', expecting file:pos",
                         text.length > 100 ? 100 : (int)text.length, text.data);
    position->file = xstrndup(file.data, file.length);
    return NULL;
}

static struct error *
parse_flavor(struct text_piece text, struct position *position)
{
    switch (position->flavor) {
    case POSITION_MYSQL56:
        return gtid_mysql_parse(text, &position->intervals);
    case POSITION_MARIADB:
        return gtid_mariadb_parse(text, &position->domains);
    case POSITION_FILE:
        return parse_file(text, position);
    case POSITION_NONE:
        break;
    }
    return error_new(ERROR_INTERNAL, "parse error: unknown GTIDSet flavor \"\"");
}

struct error *
position_parse_set(enum position_flavor flavor, const char *text, struct position **ret_position)
{
    size_t length = strlen(text);
    if (length > POSITION_MOST_TEXT)
        return error_new(ERROR_RESOURCE_EXHAUSTED, "position text is longer than %zu MiB",
                         POSITION_MOST_TEXT >> 20);
    CLEANUP(position_freep) struct position *position = position_new(flavor);
    TRY(parse_flavor((struct text_piece){text, length}, position));
    *ret_position = position;
    position = NULL;
    return NULL;
}

struct error *
position_parse(const char *text, struct position **ret_position)
{
    if (str_is_empty(text)) {
        *ret_position = NULL;
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(flavors); i++) {
        if (str_starts_with(text, flavors[i].prefix))
            return position_parse_set(flavors[i].flavor, text + strlen(flavors[i].prefix),
                                      ret_position);
    }
    const char *slash = strchr(text, '/');
    int length = slash == NULL || slash - text > 100 ? 0 : (int)(slash - text);
    return error_new(ERROR_INTERNAL, "parse error: unknown GTIDSet flavor \"%.*s\"", length, text);
}

struct position *
position_copy(const struct position *position)
{
    if (position == NULL)
        return NULL;
    struct position *copy = position_new(position->flavor);
    copy->file = xstrdup(position->file);
    copy->offset = position->offset;
    if (position->intervals.count > 0) {
        size_t count = position->intervals.count;
        copy->intervals = (struct gtid_intervals){
            xmemdup(position->intervals.items, count * sizeof(struct gtid_interval)), count, count};
    }
    if (position->domains.count > 0) {
        size_t count = position->domains.count;
        copy->domains = (struct gtid_domains){
            xmemdup(position->domains.items, count * sizeof(struct gtid_domain)), count, count};
    }
    return copy;
}

enum position_flavor
position_flavor_of(const struct position *position)
{
    return position != NULL ? position->flavor : POSITION_NONE;
}

bool
position_is_empty(const struct position *position)
{
    return position == NULL || (position->flavor != POSITION_FILE &&
                                position->intervals.count == 0 && position->domains.count == 0);
}

static void
print_set(const struct position *position, struct buffer *buffer)
{
    gtid_mysql_print(&position->intervals, buffer);
    gtid_mariadb_print(&position->domains, buffer);
    if (position->flavor == POSITION_FILE)
        buffer_appendf(buffer, "%s:%llu", position->file, (unsigned long long)position->offset);
}

char *
position_text(const struct position *position)
{
    struct buffer buffer = BUFFER_INIT;
    for (size_t i = 0; i < ARRAY_LENGTH(flavors); i++) {
        if (position != NULL && flavors[i].flavor == position->flavor)
            buffer_append_text(&buffer, flavors[i].prefix);
    }
    if (position != NULL)
        print_set(position, &buffer);
    return buffer_take(&buffer);
}

char *
position_set_text(const struct position *position)
{
    struct buffer buffer = BUFFER_INIT;
    if (position != NULL)
        print_set(position, &buffer);
    return buffer_take(&buffer);
}

static bool
file_is_at(const struct position *a, const struct position *b)
{
    int order = strcmp(a->file, b->file);
    return order > 0 || (order == 0 && a->offset >= b->offset);
}

bool
position_contains(const struct position *a, const struct position *b)
{
    if (position_is_empty(b))
        return true;
    if (a == NULL || a->flavor != b->flavor)
        return false;
    if (a->flavor == POSITION_FILE)
        return file_is_at(a, b);
    return gtid_mysql_contains(&a->intervals, &b->intervals) &&
           gtid_mariadb_contains(&a->domains, &b->domains);
}

static bool
domains_are_equal(const struct gtid_domains *a, const struct gtid_domains *b)
{
    bool is_equal = a->count == b->count;
    for (size_t i = 0; is_equal && i < a->count; i++)
        is_equal = a->items[i].domain == b->items[i].domain &&
                   a->items[i].server == b->items[i].server &&
                   a->items[i].sequence == b->items[i].sequence;
    return is_equal;
}

bool
position_equal(const struct position *a, const struct position *b)
{
    if (!position_contains(a, b) || !position_contains(b, a))
        return false;
    return position_is_empty(a) || domains_are_equal(&a->domains, &b->domains);
}

struct position *
position_union(const struct position *a, const struct position *b)
{
    if (a == NULL || b == NULL || a->flavor != b->flavor)
        return position_copy(a != NULL && (!position_is_empty(a) || b == NULL) ? a : b);
    if (a->flavor == POSITION_FILE)
        return position_copy(file_is_at(a, b) ? a : b);
    struct position *both = position_new(a->flavor);
    gtid_mysql_union(&a->intervals, &b->intervals, &both->intervals);
    gtid_mariadb_union(&a->domains, &b->domains, &both->domains);
    return both;
}

struct position *
position_subtract(const struct position *a, const struct position *b)
{
    if (a == NULL || b == NULL || a->flavor != b->flavor)
        return position_copy(a);
    if (a->flavor == POSITION_FILE)
        return file_is_at(b, a) ? NULL : position_copy(a);
    struct position *rest = position_new(a->flavor);
    gtid_mysql_subtract(&a->intervals, &b->intervals, &rest->intervals);
    gtid_mariadb_ahead(&a->domains, &b->domains, &rest->domains);
    return rest;
}

struct position *
position_diverged(const struct position *a, const struct position *b)
{
    if (a == NULL || b == NULL || a->flavor != POSITION_MARIADB || b->flavor != a->flavor)
        return NULL;
    struct position *diverged = position_new(POSITION_MARIADB);
    gtid_mariadb_diverged(&a->domains, &b->domains, &diverged->domains);
    return diverged;
}

struct position *
position_without_uuid(const struct position *position, const char *server_uuid)
{
    uint8_t uuid[16];
    struct text_piece text = {server_uuid, server_uuid != NULL ? strlen(server_uuid) : 0};
    if (position == NULL || position->flavor != POSITION_MYSQL56 || !gtid_uuid_parse(text, uuid))
        return position_copy(position);
    struct position *rest = position_new(POSITION_MYSQL56);
    gtid_mysql_without(&position->intervals, uuid, &rest->intervals);
    return rest;
}

uint64_t
position_transaction_count(const struct position *position)
{
    uint64_t count = 0;
    for (size_t i = 0; position != NULL && i < position->intervals.count; i++) {
        const struct gtid_interval *interval = &position->intervals.items[i];
        count += (uint64_t)(interval->last - interval->first) + 1;
    }
    return count;
}
