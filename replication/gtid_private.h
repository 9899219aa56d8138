/* The inside of positions: one flat, sorted array per flavor, so that every set operation is one
 * merge of two arrays. */
#ifndef VTAGENT_REPLICATION_GTID_PRIVATE_H
#define VTAGENT_REPLICATION_GTID_PRIVATE_H

#include <stdint.h>

#include "agent/base/buffer.h"
#include "replication/gtid.h"

#define POSITION_MOST_TEXT ((size_t)16 << 20)
#define POSITION_MOST_ENTRIES ((size_t)1 << 20)

struct gtid_interval {
    uint8_t uuid[16];
    int64_t first, last; /* both included, first >= 1 */
};
/* Sorted by uuid, then first; neither overlapping nor adjacent within a uuid. */
struct gtid_intervals {
    struct gtid_interval *items;
    size_t count, capacity;
};

struct gtid_domain {
    uint32_t domain, server;
    uint64_t sequence;
};
/* Sorted by domain, one entry each. */
struct gtid_domains {
    struct gtid_domain *items;
    size_t count, capacity;
};

struct position {
    enum position_flavor flavor;
    struct gtid_intervals intervals; /* POSITION_MYSQL56 */
    struct gtid_domains domains;     /* POSITION_MARIADB */
    char *file;                      /* POSITION_FILE */
    uint64_t offset;
};

/* Text without NUL, as a piece of a longer one. */
struct text_piece {
    const char *data;
    size_t length;
};
/* The next piece before `separator`, blanks around it trimmed; false at the end. */
bool text_piece_next(struct text_piece *rest, char separator, struct text_piece *ret_piece);
/* Decimal digits only, and it fits. */
bool text_piece_number(struct text_piece piece, uint64_t most, uint64_t *ret_number);

struct error *gtid_mysql_parse(struct text_piece text,
                               struct gtid_intervals *intervals) ERROR_MUST_CHECK;
void gtid_mysql_print(const struct gtid_intervals *intervals, struct buffer *buffer);
bool gtid_mysql_contains(const struct gtid_intervals *a, const struct gtid_intervals *b);
void gtid_mysql_union(const struct gtid_intervals *a, const struct gtid_intervals *b,
                      struct gtid_intervals *ret_union);
void gtid_mysql_subtract(const struct gtid_intervals *a, const struct gtid_intervals *b,
                         struct gtid_intervals *ret_rest);
void gtid_mysql_without(const struct gtid_intervals *a, const uint8_t uuid[16],
                        struct gtid_intervals *ret_rest);
bool gtid_uuid_parse(struct text_piece text, uint8_t ret_uuid[16]);

struct error *gtid_mariadb_parse(struct text_piece text,
                                 struct gtid_domains *domains) ERROR_MUST_CHECK;
void gtid_mariadb_print(const struct gtid_domains *domains, struct buffer *buffer);
bool gtid_mariadb_contains(const struct gtid_domains *a, const struct gtid_domains *b);
void gtid_mariadb_union(const struct gtid_domains *a, const struct gtid_domains *b,
                        struct gtid_domains *ret_union);
void gtid_mariadb_ahead(const struct gtid_domains *a, const struct gtid_domains *b,
                        struct gtid_domains *ret_ahead);
/* The domains where both are at the same sequence number, written by different servers: in one
 * history a number is given once. */
void gtid_mariadb_diverged(const struct gtid_domains *a, const struct gtid_domains *b,
                           struct gtid_domains *ret_diverged);

#endif
