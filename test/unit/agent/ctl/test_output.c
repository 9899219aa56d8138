#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/ctl/json.h"
#include "agent/ctl/parallel.h"
#include "agent/ctl/print.h"
#include "agent/ctl/progress.h"
#include "fake.h"

static char *
literal(const char *text)
{
    return (char *)(uintptr_t)text;
}

static char *
table_text(const struct table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    table_print(table, stream);
    fclose(stream);
    return text;
}

Test(output, columns_are_as_wide_as_their_widest_cell)
{
    struct table table = {0};
    table_add(&table, "A", "LONGER", "C", NULL);
    table_add(&table, "wide cell", "x", "", NULL);
    table_add(&table, "\xc3\xa9", "y", "z", NULL);
    char *text = table_text(&table);
    cr_assert_str_eq(text, "A          LONGER  C\n"
                           "wide cell  x       \n"
                           "\xc3\xa9          y       z\n");
    free(text);
    table_done(&table);
    text = table_text(&table);
    cr_assert_str_eq(text, "");
    free(text);
}

static Topodata__Tablet
sample(void)
{
    static Topodata__TabletAlias alias = TOPODATA__TABLET_ALIAS__INIT;
    static Topodata__Tablet__PortMapEntry web = TOPODATA__TABLET__PORT_MAP_ENTRY__INIT;
    static Topodata__Tablet__PortMapEntry grpc = TOPODATA__TABLET__PORT_MAP_ENTRY__INIT;
    static Topodata__Tablet__PortMapEntry *ports[] = {&grpc, &web};
    alias.cell = literal("vitess");
    alias.uid = 100;
    web.key = literal("vt");
    web.value = 15002;
    grpc.key = literal("grpc");
    grpc.value = 16002;
    Topodata__Tablet tablet = TOPODATA__TABLET__INIT;
    tablet.alias = &alias;
    tablet.keyspace = literal("teru_keyspace");
    tablet.shard = literal("0");
    tablet.type = TOPODATA__TABLET_TYPE__REPLICA;
    tablet.hostname = literal("10.1.45.220");
    tablet.mysql_hostname = literal("10.1.45.220");
    tablet.mysql_port = 3306;
    tablet.port_map = ports;
    tablet.n_port_map = 2;
    return tablet;
}

Test(output, the_line_of_a_tablet_is_that_of_2018)
{
    Topodata__Tablet tablet = sample();
    char *line = tablet_line(&tablet);
    cr_assert_str_eq(line, "vitess-0000000100 teru_keyspace 0 replica 10.1.45.220:15002 "
                           "10.1.45.220:3306 []");
    free(line);
    Topodata__Tablet__TagsEntry tag = TOPODATA__TABLET__TAGS_ENTRY__INIT;
    Topodata__Tablet__TagsEntry *tags[] = {&tag};
    tag.key = literal("zone");
    tag.value = literal("a \"b\"");
    tablet.tags = tags;
    tablet.n_tags = 1;
    tablet.hostname = literal("::1");
    tablet.mysql_hostname = literal("");
    tablet.type = TOPODATA__TABLET_TYPE__PRIMARY;
    line = tablet_line(&tablet);
    cr_assert_str_eq(line, "vitess-0000000100 teru_keyspace 0 primary [::1]:15002 [::1]:3306 "
                           "[zone: \"a \\\"b\\\"\"]");
    free(line);
    tablet.hostname = literal("");
    line = tablet_web_address(&tablet);
    cr_assert_str_eq(line, "-");
    free(line);
}

Test(output, messages_become_json_as_vitess_prints_it)
{
    Topodata__Tablet tablet = sample();
    struct buffer json = BUFFER_INIT;
    json_append_message(&json, &tablet.base, 0);
    const char *text = buffer_text(&json);
    cr_assert(str_starts_with(text, "{\n  \"alias\": {\n    \"cell\": \"vitess\",\n"
                                    "    \"uid\": 100\n  },\n"));
    cr_assert_not_null(
        strstr(text, "  \"port_map\": {\n    \"grpc\": 16002,\n    \"vt\": 15002\n  }"));
    cr_assert_not_null(strstr(text, "\"type\": \"REPLICA\""));
    cr_assert_not_null(strstr(text, "\"key_range\": null"));
    cr_assert_not_null(strstr(text, "\"tags\": {}"));
    buffer_done(&json);
}

Test(output, json_of_schemas_has_sizes_as_texts)
{
    Tabletmanagerdata__TableDefinition table = TABLETMANAGERDATA__TABLE_DEFINITION__INIT;
    Tabletmanagerdata__TableDefinition *tables[] = {&table};
    char *columns[] = {literal("id"), literal("v")};
    table.name = literal("t\n");
    table.columns = columns;
    table.n_columns = 2;
    table.data_length = 18446744073709551615ull;
    Tabletmanagerdata__SchemaDefinition schema = TABLETMANAGERDATA__SCHEMA_DEFINITION__INIT;
    schema.table_definitions = tables;
    schema.n_table_definitions = 1;
    struct buffer json = BUFFER_INIT;
    json_append_message(&json, &schema.base, 0);
    const char *text = buffer_text(&json);
    cr_assert_not_null(strstr(text, "\"name\": \"t\\n\""));
    cr_assert_not_null(strstr(text, "\"columns\": [\n        \"id\",\n        \"v\"\n      ]"));
    cr_assert_not_null(strstr(text, "\"data_length\": \"18446744073709551615\""));
    cr_assert_not_null(strstr(text, "\"fields\": []"));
    buffer_done(&json);
    json_append_message(&json, NULL, 0);
    cr_assert_str_eq(buffer_text(&json), "null");
    buffer_done(&json);
}

Test(output, base64)
{
    const char *expected[] = {"\"\"", "\"AA==\"", "\"AAE=\"", "\"AAEC\"", "\"AAECAw==\""};
    uint8_t bytes[] = {0, 1, 2, 3};
    for (size_t length = 0; length <= 4; length++) {
        struct buffer json = BUFFER_INIT;
        ProtobufCBinaryData data = {length, bytes};
        json_append_bytes(&json, &data);
        cr_assert_str_eq(buffer_text(&json), expected[length]);
        buffer_done(&json);
    }
}

Test(output, percentages_and_durations)
{
    cr_assert_float_eq(progress_percent("copied 12.5% of 3 files"), 12.5, 1e-9);
    cr_assert_float_eq(progress_percent("100%"), 100, 1e-9);
    cr_assert_lt(progress_percent("no number %"), 0);
    cr_assert_lt(progress_percent("150% of what"), 0);
    cr_assert_lt(progress_percent("nothing"), 0);
    cr_assert_float_eq(progress_megabytes("12.3%, 100 of 800 MB, copying"), 100, 1e-9);
    cr_assert_lt(progress_megabytes("3 of 5 files"), 0);
    cr_assert_lt(progress_megabytes(" of 5 MB"), 0);
    cr_assert_lt(progress_megabytes("nothing"), 0);
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0s"}, {15400, "15s"}, {200000, "3m20s"}, {3723000, "1h02m"}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *text = progress_duration(cases[i].ms);
        cr_assert_str_eq(text, cases[i].text);
        free(text);
    }
}

static void
count_up(size_t index, void *data)
{
    size_t *numbers = data;
    numbers[index] = index + 1;
}

Test(output, parallel_runs_each_once)
{
    size_t numbers[50] = {0};
    parallel_run(50, count_up, numbers);
    for (size_t i = 0; i < 50; i++)
        cr_assert_eq(numbers[i], i + 1);
    parallel_run(0, count_up, numbers);
    parallel_join(NULL);
}
