#include <criterion/criterion.h>

#include "agent/tablet/record.h"

static const struct tablet_alias alias = {.cell = "zone1", .uid = 100};

static struct tablet_facts
example_facts(void)
{
    return (struct tablet_facts){.alias = &alias,
                                 .hostname = "host",
                                 .keyspace = "ks",
                                 .shard = "-80",
                                 .mysql_hostname = "db",
                                 .database_override = "",
                                 .http_port = 15000,
                                 .grpc_port = 15999,
                                 .mysql_port = 3306,
                                 .type = TOPODATA__TABLET_TYPE__REPLICA,
                                 .start_time_ns = 5000000007,
                                 .collation = 255};
}

static Topodata__Tablet *
make(const struct tablet_facts *facts)
{
    Topodata__Tablet *record = NULL;
    cr_assert_null(tablet_record_new(facts, &record));
    return record;
}

Test(record, shows_every_fact)
{
    struct tablet_facts facts = example_facts();
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = make(&facts);
    cr_assert_str_eq(record->alias->cell, "zone1");
    cr_assert_eq(record->alias->uid, 100);
    cr_assert_str_eq(record->hostname, "host");
    cr_assert_str_eq(record->mysql_hostname, "db");
    cr_assert_eq(record->mysql_port, 3306);
    cr_assert_eq(tablet_record_port(record, "vt"), 15000);
    cr_assert_eq(tablet_record_port(record, "grpc"), 15999);
    cr_assert_eq(tablet_record_port(record, "mysql"), 0);
    cr_assert_eq(record->key_range->start.len, 0);
    cr_assert_eq(record->key_range->end.len, 1);
    cr_assert_null(record->primary_term_start_time);
    cr_assert_null(record->tablet_shutdown_time);
    cr_assert_eq(record->tablet_start_time->seconds, 5);
    cr_assert_eq(record->tablet_start_time->nanoseconds, 7);
    cr_assert_eq(record->default_conn_collation, 255);
}

Test(record, a_clean_stop_takes_the_addresses_out_and_keeps_the_rest)
{
    struct tablet_facts facts = example_facts();
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = make(&facts);
    facts.shutdown_time_ns = 9000000000;
    cr_assert_null(tablet_record_fill(record, &facts));
    cr_assert_str_eq(record->hostname, "");
    cr_assert_str_eq(record->mysql_hostname, "");
    cr_assert_eq(record->n_port_map, 0);
    cr_assert_null(record->tablet_start_time);
    cr_assert_eq(record->tablet_shutdown_time->seconds, 9);
    cr_assert_eq(record->mysql_port, 3306);
    cr_assert_eq(record->type, TOPODATA__TABLET_TYPE__REPLICA);
    facts.shutdown_time_ns = 0; /* the next start clears it */
    cr_assert_null(tablet_record_fill(record, &facts));
    cr_assert_null(record->tablet_shutdown_time);
    cr_assert_str_eq(record->hostname, "host");
}

Test(record, term_and_tags)
{
    struct strv names = {0}, values = {0};
    strv_add(&names, "a");
    strv_add(&values, "1");
    struct tablet_facts facts = example_facts();
    facts.tag_names = &names;
    facts.tag_values = &values;
    facts.type = TOPODATA__TABLET_TYPE__PRIMARY;
    facts.term_start_ns = 1234567890123456789;
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = make(&facts);
    cr_assert_eq(tablet_time_ns(record->primary_term_start_time), 1234567890123456789);
    cr_assert_eq(record->n_tags, 1);
    cr_assert_str_eq(record->tags[0]->key, "a");
    facts.tag_names = NULL;
    facts.term_start_ns = 0;
    cr_assert_null(tablet_record_fill(record, &facts));
    cr_assert_eq(record->n_tags, 0);
    cr_assert_null(record->primary_term_start_time);
    strv_done(&names);
    strv_done(&values);
}

Test(record, an_unsharded_keyspace_has_no_key_range)
{
    struct tablet_facts facts = example_facts();
    facts.shard = "0";
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = make(&facts);
    cr_assert_null(record->key_range);
    facts.shard = "8-x-";
    Topodata__Tablet *none = NULL;
    struct error *error = tablet_record_new(&facts, &none);
    cr_assert(error_is(error, ERROR_INVALID_ARGUMENT));
    error_free(error);
}

Test(record, copies_are_equal_and_ours)
{
    struct tablet_facts facts = example_facts();
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = make(&facts);
    CLEANUP(tablet_record_freep) Topodata__Tablet *copy = tablet_record_copy(record);
    cr_assert(tablet_record_equal(record, copy));
    copy->mysql_port++;
    cr_assert(!tablet_record_equal(record, copy));
    cr_assert(tablet_record_is_ours(record, "host", 15000));
    cr_assert(!tablet_record_is_ours(record, "other", 15000));
    cr_assert(!tablet_record_is_ours(record, "host", 15001));
}

Test(record, unknown_fields_survive)
{
    struct tablet_facts facts = example_facts();
    CLEANUP(tablet_record_freep) Topodata__Tablet *record = make(&facts);
    uint8_t bytes[512];
    size_t size = topodata__tablet__pack(record, bytes);
    bytes[size++] = 0xa2; /* field 100, bytes, "x" */
    bytes[size++] = 0x06;
    bytes[size++] = 0x01;
    bytes[size++] = 'x';
    CLEANUP(tablet_record_freep)
    Topodata__Tablet *newer = topodata__tablet__unpack(NULL, size, bytes);
    cr_assert_not_null(newer);
    cr_assert_null(tablet_record_fill(newer, &facts));
    cr_assert_eq(topodata__tablet__get_packed_size(newer), size);
}

Test(record, collations)
{
    cr_assert_eq(tablet_collation_of("utf8mb4", false), 255);
    cr_assert_eq(tablet_collation_of("utf8mb4", true), 45);
    cr_assert_eq(tablet_collation_of("utf8", true), 33);
    cr_assert_eq(tablet_collation_of("", false), 255);
    cr_assert_eq(tablet_collation_of("utf8mb4_unknown", true), 45);
}
