#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/memory.h"
#include "agent/mysql/db_private.h"

#define CHUNK_BYTES 16384
#define MOST_BYTES ((size_t)512 << 20)

/* Texts of one result, chunk by chunk; they never move. */
struct chunk {
    struct chunk *next;
    size_t used_bytes, size_bytes;
    char data[];
};
struct arena {
    struct chunk *chunks;
    size_t total_bytes;
    size_t cell_capacity;
};

static char *
arena_copy(struct arena *arena, const char *data, size_t length)
{
    struct chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size_bytes - chunk->used_bytes < length + 1) {
        size_t size = length + 1 > CHUNK_BYTES ? length + 1 : CHUNK_BYTES;
        chunk = xmalloc(sizeof(*chunk) + size);
        *chunk = (struct chunk){.next = arena->chunks, .size_bytes = size};
        arena->chunks = chunk;
        arena->total_bytes += size;
    }
    char *copy = chunk->data + chunk->used_bytes;
    if (length > 0)
        memcpy(copy, data, length);
    copy[length] = '\0';
    chunk->used_bytes += length + 1;
    return copy;
}

void
db_result_free(struct db_result *result)
{
    if (result == NULL)
        return;
    struct arena *arena = result->memory;
    if (arena != NULL) {
        for (struct chunk *chunk = arena->chunks, *next; chunk != NULL; chunk = next) {
            next = chunk->next;
            free(chunk);
        }
        free(arena);
    }
    free(result->fields);
    free(result->cells);
    free(result);
}

void
db_result_freep(struct db_result **result)
{
    db_result_free(*result);
}

static char *
field_text(struct arena *arena, const char *text, unsigned int length)
{
    return arena_copy(arena, text, text != NULL ? length : 0);
}

static void
read_fields(struct db_result *result, struct arena *arena, MYSQL_RES *rows)
{
    result->field_count = mysql_num_fields(rows);
    result->fields = xcalloc(result->field_count + 1, sizeof(*result->fields));
    for (size_t i = 0; i < result->field_count; i++) {
        const MYSQL_FIELD *from = mysql_fetch_field_direct(rows, (unsigned int)i);
        result->fields[i] = (struct db_field){
            .name = field_text(arena, from->name, from->name_length),
            .table = field_text(arena, from->table, from->table_length),
            .org_table = field_text(arena, from->org_table, from->org_table_length),
            .database = field_text(arena, from->db, from->db_length),
            .org_name = field_text(arena, from->org_name, from->org_name_length),
            .type = (uint32_t)from->type,
            .flags = from->flags,
            .charset = from->charsetnr,
            .column_length = (uint32_t)from->length,
            .decimals = from->decimals,
        };
    }
}

static void
add_row(struct db_result *result, struct arena *arena, MYSQL_ROW row, const unsigned long *lengths)
{
    size_t used = result->row_count * result->field_count;
    if (used + result->field_count > arena->cell_capacity) {
        arena->cell_capacity = (used + result->field_count) * 2;
        result->cells = xreallocarray(result->cells, arena->cell_capacity, sizeof(*result->cells));
    }
    struct db_cell *cells = result->cells + used;
    for (size_t i = 0; i < result->field_count; i++) {
        bool is_null = row[i] == NULL;
        cells[i].length_bytes = is_null ? 0 : lengths[i];
        cells[i].data = is_null ? NULL : arena_copy(arena, row[i], lengths[i]);
    }
    result->row_count++;
}

static struct error *
check_limits(struct db *db, const struct db_result *result, const struct arena *arena,
             uint64_t max_rows)
{
    if (result->row_count >= max_rows) {
        db_break(db);
        return error_new(ERROR_ABORTED, "Row count exceeded %llu", (unsigned long long)max_rows);
    }
    if (arena->total_bytes + arena->cell_capacity * sizeof(struct db_cell) > MOST_BYTES) {
        db_break(db);
        return error_new(ERROR_RESOURCE_EXHAUSTED, "result is larger than %zu MiB",
                         MOST_BYTES >> 20);
    }
    return NULL;
}

static struct error *
read_rows(struct db *db, struct db_turn *turn, uint64_t max_rows, struct db_result *result,
          MYSQL_RES *rows)
{
    struct arena *arena = result->memory;
    for (;;) {
        struct db_step step = {.kind = DB_STEP_FETCH_ROW, .rows = rows};
        if (!db_step_run(db, turn, &step)) {
            TRY(cancel_check(turn->cancel));
            return error_new(ERROR_UNAVAILABLE, "the server stopped sending rows");
        }
        if (step.ret_row == NULL)
            return mysql_errno(db->mysql) != 0 ? db_take_error(db) : NULL;
        TRY(check_limits(db, result, arena, max_rows));
        add_row(result, arena, step.ret_row, mysql_fetch_lengths(rows));
    }
}

struct error *
db_result_read(struct db *db, struct db_turn *turn, uint64_t max_rows,
               struct db_result **ret_result)
{
    CLEANUP(db_result_freep) struct db_result *result = xcalloc(1, sizeof(*result));
    struct arena *arena = xcalloc(1, sizeof(*arena));
    result->memory = arena;
    MYSQL_RES *rows = mysql_use_result(db->mysql);
    if (rows != NULL) {
        read_fields(result, arena, rows);
        struct error *error = read_rows(db, turn, max_rows, result, rows);
        mysql_free_result(rows);
        TRY(error);
        result->rows_affected = result->row_count;
    } else if (mysql_field_count(db->mysql) > 0) {
        return db_take_error(db);
    } else {
        result->rows_affected = mysql_affected_rows(db->mysql);
        result->insert_id = mysql_insert_id(db->mysql);
    }
    const char *info = mysql_info(db->mysql);
    result->info = info != NULL ? arena_copy(arena, info, strlen(info)) : NULL;
    *ret_result = result;
    result = NULL;
    return NULL;
}

const struct db_cell *
db_result_cell(const struct db_result *result, size_t row, size_t column)
{
    return &result->cells[row * result->field_count + column];
}

static bool
find_column(const struct db_result *result, const char *column, size_t *ret_index)
{
    for (size_t i = 0; i < result->field_count; i++) {
        if (strcasecmp(result->fields[i].name, column) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

const char *
db_result_text(const struct db_result *result, size_t row, const char *column)
{
    size_t index = 0;
    if (row >= result->row_count || !find_column(result, column, &index))
        return NULL;
    return db_result_cell(result, row, index)->data;
}
