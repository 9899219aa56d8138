#include <criterion/criterion.h>

#include <string.h>

#include "agent/handlers/result.h"

static struct db_field
field(uint32_t type, uint32_t flags)
{
    return (struct db_field){.name = (char *)"c",
                             .table = (char *)"t",
                             .org_table = (char *)"t",
                             .database = (char *)"d",
                             .org_name = (char *)"c",
                             .type = type,
                             .flags = flags};
}

Test(result, types_follow_byte_and_flags)
{
    static const struct {
        uint32_t byte, flags;
        int type;
    } cases[] = {
        {1, 0, 257},       {1, 32, 770},     {2, 0, 259},       {2, 32, 772},      {9, 0, 261},
        {9, 32, 774},      {3, 0, 263},      {3, 32, 776},      {8, 0, 265},       {8, 32, 778},
        {4, 0, 1035},      {5, 32, 1036},    {7, 0, 2061},      {17, 0, 2061},     {10, 128, 2062},
        {11, 0, 2063},     {19, 0, 2063},    {12, 0, 2064},     {18, 0, 2064},     {13, 32, 785},
        {0, 0, 18},        {246, 0, 18},     {252, 0, 6163},    {252, 128, 10260}, {249, 0, 6163},
        {251, 128, 10260}, {253, 0, 6165},   {253, 128, 10262}, {15, 0, 6165},     {254, 0, 6167},
        {254, 128, 10264}, {254, 256, 2074}, {254, 2048, 2075}, {16, 32, 2073},    {247, 0, 2074},
        {248, 0, 2075},    {255, 128, 2077}, {245, 128, 2078},  {242, 128, 2083},  {6, 0, 0},
        {99, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq((int)result_type(cases[i].byte, cases[i].flags), cases[i].type);
}

Test(result, numbers_get_the_number_flag)
{
    struct db_field integer = field(3, 1), timestamp = field(7, 1), text = field(253, 0);
    Query__Field *message = result_field(&integer);
    cr_assert_eq(message->flags, 32769u);
    query__field__free_unpacked(message, NULL);
    message = result_field(&timestamp);
    cr_assert_eq(message->flags, 1u);
    query__field__free_unpacked(message, NULL);
    message = result_field(&text);
    cr_assert_eq(message->flags, 0u);
    query__field__free_unpacked(message, NULL);
}

Test(result, rows_are_lengths_and_one_blob_with_minus_one_for_null)
{
    struct db_field fields[3] = {field(253, 0), field(253, 0), field(253, 0)};
    struct db_cell cells[3] = {{"abc", 3}, {NULL, 0}, {"", 0}};
    struct db_result result = {
        .fields = fields, .field_count = 3, .cells = cells, .row_count = 1, .rows_affected = 9};
    Query__QueryResult *message = result_message(&result);
    cr_assert_eq(message->n_rows, 1u);
    cr_assert_eq(message->rows[0]->n_lengths, 3u);
    cr_assert_eq(message->rows[0]->lengths[0], 3);
    cr_assert_eq(message->rows[0]->lengths[1], -1);
    cr_assert_eq(message->rows[0]->lengths[2], 0);
    cr_assert_eq(message->rows[0]->values.len, 3u);
    cr_assert_eq(message->rows_affected, 0u);

    /* On the wire the lengths are zigzag: 3 is 6, -1 is 1, 0 is 0. */
    uint8_t packed[64];
    size_t size = query__row__pack(message->rows[0], packed);
    static const uint8_t expected[] = {0x0a, 3, 6, 1, 0, 0x12, 3, 'a', 'b', 'c'};
    cr_assert_eq(size, sizeof(expected));
    cr_assert_arr_eq(packed, expected, sizeof(expected));
    query__query_result__free_unpacked(message, NULL);
}

Test(result, statement_without_rows_tells_what_it_did)
{
    struct db_result result = {
        .rows_affected = 4, .insert_id = 17, .info = (char *)"Rows matched: 4"};
    Query__QueryResult *message = result_message(&result);
    cr_assert_eq(message->rows_affected, 4u);
    cr_assert_eq(message->insert_id, 17u);
    cr_assert(message->insert_id_changed);
    cr_assert_str_eq(message->info, "Rows matched: 4");
    cr_assert_eq(message->n_fields, 0u);
    query__query_result__free_unpacked(message, NULL);
}
