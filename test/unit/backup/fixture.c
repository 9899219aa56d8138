#include "fixture.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/file.h"

char *fixture_folder;

void
fixture_open(void)
{
    fixture_folder = xstrdup("/tmp/vtagent-backup-XXXXXX");
    cr_assert_not_null(mkdtemp(fixture_folder));
}

void
fixture_close(void)
{
    cr_assert_null(file_remove_tree(fixture_folder));
    freep(&fixture_folder);
}

char *
fixture_path(const char *name)
{
    return xasprintf("%s/%s", fixture_folder, name);
}

static void
write_bytes(const char *name, const void *data, size_t size)
{
    char *path = fixture_path(name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    cr_assert_null(file_make_directories(path, 0770));
    *slash = '/';
    cr_assert_null(file_write_safely(path, data, size, 0660));
    freep(&path);
}

void
fixture_write(const char *name, const char *content)
{
    write_bytes(name, content, strlen(content));
}

void
fixture_fill_noise(uint8_t *data, size_t size, uint32_t seed)
{
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (i / 512) % 2 == 0 ? (uint8_t)(state >> 24) : (uint8_t)(i / 512);
    }
}

void
fixture_write_noise(const char *name, size_t size, uint32_t seed)
{
    uint8_t *data = xmalloc(size + 1);
    fixture_fill_noise(data, size, seed);
    write_bytes(name, data, size);
    free(data);
}

char *
fixture_read(const char *name)
{
    char *path = fixture_path(name);
    struct buffer text = BUFFER_INIT;
    struct error *error = file_read(path, 100 << 20, &text);
    freep(&path);
    if (error != NULL) {
        error_free(error);
        buffer_done(&text);
        return NULL;
    }
    return buffer_take(&text);
}

static bool
is_part(const char *a, const char *b)
{
    struct strv names = {.items = NULL};
    bool is_equal = file_is_directory(a) && file_is_directory(b);
    if (is_equal)
        cr_assert_null(file_list(a, &names));
    for (size_t i = 0; is_equal && i < names.count; i++) {
        char *left = xasprintf("%s/%s", a, names.items[i]);
        char *right = xasprintf("%s/%s", b, names.items[i]);
        if (file_is_directory(left)) {
            is_equal = is_part(left, right);
        } else {
            struct buffer left_text = BUFFER_INIT, right_text = BUFFER_INIT;
            cr_assert_null(file_read(left, 100 << 20, &left_text));
            struct error *error = file_read(right, 100 << 20, &right_text);
            is_equal = error == NULL && left_text.length_bytes == right_text.length_bytes &&
                       memcmp(buffer_text(&left_text), buffer_text(&right_text),
                              left_text.length_bytes) == 0;
            error_free(error);
            buffer_done(&left_text);
            buffer_done(&right_text);
        }
        if (!is_equal)
            fprintf(stderr, "'%s' differs from '%s'\n", left, right);
        freep(&left);
        freep(&right);
    }
    strv_done(&names);
    return is_equal;
}

bool
fixture_trees_are_equal(const char *a, const char *b)
{
    char *left = fixture_path(a), *right = fixture_path(b);
    bool is_equal = is_part(left, right) && is_part(right, left);
    freep(&left);
    freep(&right);
    return is_equal;
}

void
fixture_expect(struct error *error, enum error_code code, const char *part)
{
    cr_assert_not_null(error);
    if (!error_is(error, code) || strstr(error->message, part) == NULL)
        fprintf(stderr, "got %s: %s\n", error_code_name(error->code), error->message);
    cr_assert_eq(error->code, code);
    cr_assert_not_null(strstr(error->message, part));
    error_free(error);
}

static void
write_below(const char *server, const char *name, size_t size, uint32_t seed)
{
    char *path = xasprintf("%s/%s", server, name);
    fixture_write_noise(path, size, seed);
    freep(&path);
}

void
fixture_make_server(const char *name, struct backup_directories *ret)
{
    char *text = xasprintf("[mysqld]\ndatadir = %s/%s/data\n"
                           "innodb_data_home_dir = %s/%s/innodb/data\n"
                           "innodb-log-group-home-dir = %s/%s/innodb/logs\n"
                           "log-bin = %s/%s/bin-logs/vt-bin\n"
                           "relay-log = %s/%s/relay-logs/vt-relay\n",
                           fixture_folder, name, fixture_folder, name, fixture_folder, name,
                           fixture_folder, name, fixture_folder, name);
    char *file = xasprintf("%s/my.cnf", name);
    fixture_write(file, text);
    write_below(name, "data/mysql.ibd", 100000, 1);
    write_below(name, "data/auto.cnf", 56, 2);
    write_below(name, "data/undo_001", 70000, 3);
    write_below(name, "data/mysql/general_log.CSV", 0, 4);
    write_below(name, "data/mysql/general_log_1.sdi", 500, 5);
    write_below(name, "data/vt_ks/big.ibd", 3000000, 6);
    write_below(name, "data/vt_ks/small.ibd", 1, 7);
    write_below(name, "innodb/data/ibdata1", 1000000, 8);
    write_below(name, "innodb/data/ibtmp1", 1000, 9);
    write_below(name, "innodb/logs/#innodb_redo/#ib_redo1", 50000, 10);
    write_below(name, "bin-logs/vt-bin.000001", 100, 11);
    write_below(name, "bin-logs/vt-bin.index", 20, 12);
    write_below(name, "relay-logs/vt-relay.000001", 100, 13);
    char *empty = xasprintf("%s/%s/data/vt_empty", fixture_folder, name);
    cr_assert_null(file_make_directories(empty, 0770));
    char *mycnf = fixture_path(file);
    cr_assert_null(backup_directories_read(mycnf, ret));
    freep(&mycnf);
    freep(&empty);
    freep(&file);
    freep(&text);
}

struct backup_take_options
fixture_take_options(void)
{
    return (struct backup_take_options){
        .keyspace = "ks",
        .shard = "-80",
        .alias = "zone1-0000000102",
        .position = "MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77",
        .purged_position = "MySQL56/3e11fa47-71ca-11e1-9e33-c80aa9429562:1-50",
        .server_uuid = "7a0c1d5e-2b1f-11f0-9f5e-0242ac110002",
        .mysql_version = "Ver 8.0.40 MySQL Community Server - GPL",
        .hostname = "host",
        .concurrency = 3,
        .compression = "pgzip",
        .compression_level = 1,
        .start_time_ns = 1795413342000000000, /* 2026-11-23.055542 */
    };
}

/* CRC-32C bit by bit: a reference that shares nothing with the code under test. */
uint32_t
fixture_crc32c(const uint8_t *data, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

void
fixture_put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A page of MySQL's format with everything in place. */
void
fixture_make_mysql_page(uint8_t *page, uint32_t number, uint32_t flags)
{
    for (size_t i = 0; i < FIXTURE_PAGE_BYTES; i++)
        page[i] = (uint8_t)(i * 31 + number);
    fixture_put_u32(page + 4, number);
    fixture_put_u32(page + 16, 0);
    fixture_put_u32(page + 20, 4711);
    page[24] = 0x45, page[25] = 0xBF;
    fixture_put_u32(page + 34, 9);
    fixture_put_u32(page + 38, 9);
    fixture_put_u32(page + 54, flags);
    fixture_put_u32(page + FIXTURE_PAGE_BYTES - 4, 4711);
    uint32_t sum =
        fixture_crc32c(page + 4, 22) ^ fixture_crc32c(page + 38, FIXTURE_PAGE_BYTES - 8 - 38);
    fixture_put_u32(page, sum);
    fixture_put_u32(page + FIXTURE_PAGE_BYTES - 8, sum);
}
