/* Random sets against a reference that is too simple to be wrong: one bit per transaction. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"
#include "replication/gtid.h"

#define UUIDS 3
#define NUMBERS 24 /* transactions 1..NUMBERS of each uuid */

struct bits {
    bool has[UUIDS][NUMBERS + 2];
};

static unsigned random_state = 12345;
static unsigned
next_random(unsigned below)
{
    random_state = random_state * 1103515245u + 12345u;
    return (random_state >> 16) % below;
}

/* Text in no particular order, with overlaps and repeats, and the bits it stands for. */
static char *
random_text(struct bits *bits)
{
    struct buffer text = BUFFER_INIT;
    memset(bits, 0, sizeof(*bits));
    buffer_append_text(&text, "MySQL56/");
    for (unsigned entries = next_random(5), i = 0; i < entries; i++) {
        unsigned uuid = next_random(UUIDS);
        buffer_appendf(&text, "%s%08x-0000-0000-0000-000000000000", i > 0 ? "," : "", uuid * 77);
        for (unsigned intervals = 1 + next_random(4), j = 0; j < intervals; j++) {
            unsigned first = 1 + next_random(NUMBERS);
            unsigned last = first + next_random(6);
            last = last > NUMBERS ? NUMBERS : last;
            buffer_appendf(&text, ":%u-%u", first, last);
            for (unsigned number = first; number <= last; number++)
                bits->has[uuid][number] = true;
        }
    }
    return buffer_take(&text);
}

static char *
canonical_text(const struct bits *bits)
{
    struct buffer text = BUFFER_INIT;
    const char *separator = "";
    buffer_append_text(&text, "MySQL56/");
    for (unsigned uuid = 0; uuid < UUIDS; uuid++) {
        bool is_first = true;
        for (unsigned number = 1; number <= NUMBERS; number++) {
            if (!bits->has[uuid][number])
                continue;
            unsigned last = number;
            while (bits->has[uuid][last + 1])
                last++;
            if (is_first)
                buffer_appendf(&text, "%s%08x-0000-0000-0000-000000000000", separator, uuid * 77);
            buffer_appendf(&text, ":%u", number);
            if (last > number)
                buffer_appendf(&text, "-%u", last);
            is_first = false;
            separator = ",";
            number = last;
        }
    }
    return buffer_take(&text);
}

static void
assert_is(struct position *take_position, const struct bits *expected)
{
    char *text = position_text(take_position), *wanted = canonical_text(expected);
    cr_assert_str_eq(text, wanted);
    free(text);
    free(wanted);
    position_free(take_position);
}

static struct position *
random_position(struct bits *bits)
{
    char *text = random_text(bits);
    struct position *position = NULL;
    struct error *error = position_parse(text, &position);
    cr_assert_null(error);
    free(text);
    return position;
}

static uint64_t
count_bits(const struct bits *bits)
{
    uint64_t count = 0;
    for (unsigned uuid = 0; uuid < UUIDS; uuid++)
        for (unsigned number = 1; number <= NUMBERS; number++)
            count += bits->has[uuid][number];
    return count;
}

static void
compare_once(void)
{
    struct bits a, b, both, rest;
    struct position *left = random_position(&a), *right = random_position(&b);
    bool is_contained = true;
    for (unsigned uuid = 0; uuid < UUIDS; uuid++) {
        for (unsigned number = 0; number < NUMBERS + 2; number++) {
            bool in_a = a.has[uuid][number], in_b = b.has[uuid][number];
            both.has[uuid][number] = in_a || in_b;
            rest.has[uuid][number] = in_a && !in_b;
            is_contained = is_contained && (in_a || !in_b);
        }
    }
    assert_is(position_copy(left), &a);
    assert_is(position_union(left, right), &both);
    assert_is(position_subtract(left, right), &rest);
    cr_assert_eq(position_contains(left, right), is_contained);
    cr_assert_eq(position_transaction_count(left), count_bits(&a));
    cr_assert_eq(position_equal(left, right), memcmp(&a, &b, sizeof(a)) == 0);
    position_free(left);
    position_free(right);
}

Test(gtid_properties, operations_agree_with_the_reference)
{
    for (int i = 0; i < 20000; i++)
        compare_once();
}

static void
laws_once(void)
{
    struct bits unused;
    struct position *a = random_position(&unused), *b = random_position(&unused);
    struct position *both = position_union(a, b), *swapped = position_union(b, a);
    struct position *rest = position_subtract(both, b), *back = position_union(rest, b);
    struct position *nothing = position_subtract(a, both);
    cr_assert(position_equal(both, swapped));
    cr_assert(position_contains(both, a) && position_contains(both, b));
    cr_assert(position_contains(a, rest));
    cr_assert(position_equal(back, both));
    cr_assert(position_is_empty(nothing));
    cr_assert_eq(position_transaction_count(rest) + position_transaction_count(b),
                 position_transaction_count(both));
    position_free(a);
    position_free(b);
    position_free(both);
    position_free(swapped);
    position_free(rest);
    position_free(back);
    position_free(nothing);
}

Test(gtid_properties, laws_of_sets_hold)
{
    for (int i = 0; i < 20000; i++)
        laws_once();
}

static struct position *
random_mariadb(uint64_t sequences[UUIDS])
{
    struct buffer text = BUFFER_INIT;
    struct position *position = NULL;
    memset(sequences, 0, UUIDS * sizeof(uint64_t));
    buffer_append_text(&text, "MariaDB/");
    for (unsigned i = 0, entries = next_random(6); i < entries; i++) {
        unsigned domain = next_random(UUIDS), sequence = 1 + next_random(5);
        buffer_appendf(&text, "%s%u-%u-%u", i > 0 ? "," : "", domain, next_random(3), sequence);
        sequences[domain] = sequence;
    }
    struct error *error = position_parse(buffer_text(&text), &position);
    cr_assert_null(error);
    buffer_done(&text);
    return position;
}

Test(gtid_properties, mariadb_domains_agree_with_the_reference)
{
    for (int i = 0; i < 20000; i++) {
        uint64_t a[UUIDS], b[UUIDS];
        struct position *left = random_mariadb(a), *right = random_mariadb(b);
        struct position *both = position_union(left, right),
                        *ahead = position_subtract(left, right);
        bool is_contained = true, is_ahead = false;
        for (unsigned domain = 0; domain < UUIDS; domain++) {
            is_contained = is_contained && a[domain] >= b[domain];
            is_ahead = is_ahead || a[domain] > b[domain];
        }
        cr_assert_eq(position_contains(left, right), is_contained);
        cr_assert_eq(!position_is_empty(ahead), is_ahead);
        cr_assert(position_contains(both, left) && position_contains(both, right));
        position_free(left);
        position_free(right);
        position_free(both);
        position_free(ahead);
    }
}

/* Many intervals: a quadratic operation would not come back in time. */
Test(gtid_properties, large_sets_take_linear_time, .timeout = 60)
{
    struct buffer odd = BUFFER_INIT, even = BUFFER_INIT;
    buffer_append_text(&odd, "MySQL56/00000000-0000-0000-0000-000000000001");
    buffer_append_text(&even, "MySQL56/00000000-0000-0000-0000-000000000001");
    for (unsigned i = 1; i < 400000; i += 2) {
        buffer_appendf(&odd, ":%u", i * 2);
        buffer_appendf(&even, ":%u", i * 2 + 1);
    }
    struct position *a = NULL, *b = NULL;
    cr_assert_null(position_parse(buffer_text(&odd), &a));
    cr_assert_null(position_parse(buffer_text(&even), &b));
    struct position *both = position_union(a, b), *rest = position_subtract(both, a);
    cr_assert_eq(position_transaction_count(both), 400000);
    cr_assert(position_equal(rest, b));
    cr_assert(!position_contains(a, b));
    position_free(a);
    position_free(b);
    position_free(both);
    position_free(rest);
    buffer_done(&odd);
    buffer_done(&even);
}
