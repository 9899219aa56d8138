/* GTID sets and positions of both flavors, with Vitess's text forms ("MySQL56/…", "MariaDB/…",
 * "FilePos/file:pos"). Values; no connection. Sizes are bounded: text up to 16 MiB. */
#ifndef VTAGENT_REPLICATION_GTID_H
#define VTAGENT_REPLICATION_GTID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/error.h"

enum position_flavor { POSITION_NONE, POSITION_MYSQL56, POSITION_MARIADB, POSITION_FILE };

/* Opaque value; NULL is the nil position (text ""). Immutable: operations return new ones. */
struct position;

/* Text with flavor prefix; "" gives NULL. Errors: INVALID_ARGUMENT, "unknown GTIDSet flavor" as
 * INTERNAL (as Vitess), tagged GTIDs named. MySQL56 intervals are merged. */
struct error *position_parse(const char *text, struct position **ret_position) ERROR_MUST_CHECK;
/* Bare set as a server prints it (newlines allowed), with the flavor given. */
struct error *position_parse_set(enum position_flavor flavor, const char *text,
                                 struct position **ret_position) ERROR_MUST_CHECK;
struct position *position_copy(const struct position *position);
void position_free(struct position *position);
void position_freep(struct position **position);

enum position_flavor position_flavor_of(const struct position *position);
bool position_is_empty(const struct position *position); /* nil or no transactions */
char *position_text(const struct position *position);    /* with prefix; "" for nil; caller frees */
char *position_set_text(const struct position *position); /* without prefix */

/* Every transaction of b is in a. Nil and empty are contained in all. Different flavors: false.
 * MariaDB: per domain the sequence decides, the server id is ignored. */
bool position_contains(const struct position *a, const struct position *b);
bool position_equal(const struct position *a, const struct position *b);
struct position *position_union(const struct position *a, const struct position *b);
/* MySQL56: a minus b. MariaDB: the domains in which a is ahead of b. */
struct position *position_subtract(const struct position *a, const struct position *b);
/* MariaDB: the domains in which a and b are at the same sequence number, written by different
 * servers: two histories. Others: nil. */
struct position *position_diverged(const struct position *a, const struct position *b);
/* MySQL56: a without all transactions of one server uuid. Others: a copy. */
struct position *position_without_uuid(const struct position *position, const char *server_uuid);
/* Number of transactions (MySQL56), 0 else. For messages and progress. */
uint64_t position_transaction_count(const struct position *position);

bool uuid_is_valid(const char *text); /* 36 characters, dashes in place, hex */

#endif
