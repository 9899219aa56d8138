#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"
#include "replication/gtid_private.h"

static void
push(struct gtid_domains *list, const struct gtid_domain *domain)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity != 0 ? list->capacity * 2 : 4;
        list->items = xreallocarray(list->items, list->capacity, sizeof(*list->items));
    }
    list->items[list->count++] = *domain;
}

static struct error *
parse_entry(struct text_piece entry, struct gtid_domain *domain)
{
    struct text_piece rest = entry, pieces[3];
    uint64_t numbers[3] = {0};
    static const uint64_t most[3] = {UINT32_MAX, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        if (!text_piece_next(&rest, '-', &pieces[i]) ||
            !text_piece_number(pieces[i], most[i], &numbers[i]))
            goto refused;
    }
    if (rest.data != NULL)
        goto refused;
    domain->domain = (uint32_t)numbers[0];
    domain->server = (uint32_t)numbers[1];
    domain->sequence = numbers[2];
    return NULL;
refused:
    return error_new(ERROR_INVALID_ARGUMENT,
                     "invalid MariaDB GTID '%.*s', expecting domain-server-sequence",
                     entry.length > 100 ? 100 : (int)entry.length, entry.data);
}

/* Stable, because of equal domains the one that comes later in the text counts. */
static void
merge_sort(struct gtid_domain *items, struct gtid_domain *scratch, size_t count)
{
    if (count < 2)
        return;
    size_t half = count / 2, i = 0, j = half, out = 0;
    merge_sort(items, scratch, half);
    merge_sort(items + half, scratch, count - half);
    while (i < half || j < count) {
        bool takes_left = j == count || (i < half && items[i].domain <= items[j].domain);
        scratch[out++] = takes_left ? items[i++] : items[j++];
    }
    memcpy(items, scratch, count * sizeof(*items));
}

static void
sort_and_keep_last(struct gtid_domains *list)
{
    struct gtid_domain *scratch = xcalloc(list->count + 1, sizeof(*scratch));
    merge_sort(list->items, scratch, list->count);
    free(scratch);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        bool is_replaced =
            i + 1 < list->count && list->items[i + 1].domain == list->items[i].domain;
        if (!is_replaced)
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

struct error *
gtid_mariadb_parse(struct text_piece text, struct gtid_domains *domains)
{
    struct text_piece entry;
    while (text_piece_next(&text, ',', &entry)) {
        struct gtid_domain domain;
        if (entry.length == 0)
            continue;
        TRY(parse_entry(entry, &domain));
        if (domains->count == POSITION_MOST_ENTRIES)
            return error_new(ERROR_RESOURCE_EXHAUSTED, "GTID set has more than %zu domains",
                             POSITION_MOST_ENTRIES);
        push(domains, &domain);
    }
    sort_and_keep_last(domains);
    return NULL;
}

void
gtid_mariadb_print(const struct gtid_domains *domains, struct buffer *buffer)
{
    for (size_t i = 0; i < domains->count; i++) {
        const struct gtid_domain *item = &domains->items[i];
        buffer_appendf(buffer, "%s%u-%u-%llu", i > 0 ? "," : "", item->domain, item->server,
                       (unsigned long long)item->sequence);
    }
}

bool
gtid_mariadb_contains(const struct gtid_domains *a, const struct gtid_domains *b)
{
    struct gtid_domains ahead = {.items = NULL};
    gtid_mariadb_ahead(b, a, &ahead);
    free(ahead.items);
    return ahead.count == 0;
}

void
gtid_mariadb_union(const struct gtid_domains *a, const struct gtid_domains *b,
                   struct gtid_domains *ret_union)
{
    size_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        if (j == b->count || (i < a->count && a->items[i].domain < b->items[j].domain)) {
            push(ret_union, &a->items[i++]);
        } else if (i == a->count || b->items[j].domain < a->items[i].domain) {
            push(ret_union, &b->items[j++]);
        } else {
            bool takes_a = a->items[i].sequence >= b->items[j].sequence;
            push(ret_union, takes_a ? &a->items[i] : &b->items[j]);
            i++;
            j++;
        }
    }
}

void
gtid_mariadb_ahead(const struct gtid_domains *a, const struct gtid_domains *b,
                   struct gtid_domains *ret_ahead)
{
    size_t j = 0;
    for (size_t i = 0; i < a->count; i++) {
        while (j < b->count && b->items[j].domain < a->items[i].domain)
            j++;
        bool is_known = j < b->count && b->items[j].domain == a->items[i].domain;
        if (!is_known || a->items[i].sequence > b->items[j].sequence)
            push(ret_ahead, &a->items[i]);
    }
}

void
gtid_mariadb_diverged(const struct gtid_domains *a, const struct gtid_domains *b,
                      struct gtid_domains *ret_diverged)
{
    size_t j = 0;
    for (size_t i = 0; i < a->count; i++) {
        while (j < b->count && b->items[j].domain < a->items[i].domain)
            j++;
        if (j < b->count && b->items[j].domain == a->items[i].domain &&
            a->items[i].sequence == b->items[j].sequence &&
            a->items[i].server != b->items[j].server)
            push(ret_diverged, &a->items[i]);
    }
}
