"""The data of the backup figures: four tables, one of which holds 85 % of the bytes.

A row is what applications write: an id, a foreign key, a time, and a text of about 600 bytes, of which a
quarter is random (tokens, hashes, prices) and the rest are words that repeat. gzip -1 makes 2.5 to 3 of it,
as of most tables. Nothing goes to the binary log: replicas start from a backup."""

SHARES = (0.85, 0.05, 0.05, 0.05)
ROW_BYTES = 690  # of a row and its index entries on InnoDB's pages
ROWS_A_PAGE = 16384 // ROW_BYTES
BATCH = 20000


def _grow(tablet, database, table, wanted):
    """Doubles the table until it is large enough."""
    have = 1
    while have < wanted:
        more = min(have, wanted - have, BATCH)
        tablet.sql(
            f"SET sql_log_bin = 0; INSERT INTO {table} (page, at, token, message) SELECT id % 9973, "
            "id * 1000003, RANDOM_BYTES(140), CONCAT('user ', id, ' wrote ', HEX(RANDOM_BYTES(12)), "
            "REPEAT(CONCAT(' the word ', id % 977, ' in row ', id % 89, ','), 14))"
            f" FROM {table} LIMIT {more}", database=database, deadline=900)
        have += more


def fill(tablet, database, megabytes):
    """Rows of the largest table."""
    counts = [max(2, int(megabytes * 1e6 * share / ROW_BYTES)) for share in SHARES]
    for number, wanted in enumerate(counts):
        table = f"data{number}"
        tablet.sql(f"CREATE TABLE {table} (id INT PRIMARY KEY AUTO_INCREMENT, page INT, at BIGINT, "
                   "token VARBINARY(200), message VARCHAR(2000), KEY (page)) ENGINE=InnoDB; "
                   f"SET sql_log_bin = 0; INSERT INTO {table} (page, at, token, message) "
                   "VALUES (1, 2, RANDOM_BYTES(140), 'seed')", database=database)
        _grow(tablet, database, table, wanted)
    return counts[0]


def change(tablet, database, share, how):
    """Changes that share of the largest table's pages: one range of neighbours ("clustered"), or one page
    here and one there ("scattered")."""
    rows = int(tablet.sql("SELECT MAX(id) FROM data0", database=database)[0][0])
    which = f"id <= {int(rows * share)}" if how == "clustered" else f"(id DIV {ROWS_A_PAGE}) % {int(1 / share)} = 0"
    tablet.sql(f"UPDATE data0 SET at = at + 1 WHERE {which}", database=database, deadline=600)
