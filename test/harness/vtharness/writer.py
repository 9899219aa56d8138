"""A client that writes all the time, and remembers what was acknowledged to it."""
import threading
import time

from vtharness import sql, wire
from vtharness.wait import wait_for

FIRST = 1_000_000


class Writer(threading.Thread):
    """Writes through whoever is primary; `acknowledged` holds the ids. A write without an answer is
    given up after some seconds."""

    def __init__(self, cluster, patience=20):
        super().__init__(daemon=True)
        self.cluster, self.patience, self.acknowledged, self._ends = cluster, patience, [], threading.Event()
        self.target = None
        self.start()

    def run(self):
        number = FIRST
        while not self._ends.is_set():
            number += 1
            try:
                self.cluster.tablets[self.target].sql(
                    f"INSERT INTO t (id, v) VALUES ({number}, 'w')", user="vt_app",
                    database=self.cluster.database, deadline=self.patience)
                self.acknowledged.append(number)
            except (sql.SqlError, KeyError):
                self.target = self._find()
                time.sleep(0.05)

    def _find(self):
        try:
            return self.cluster.shard_record().primary_alias.uid
        except (wire.RpcError, KeyError):
            return None

    def wait_more(self, count=20, deadline=60):
        """Writes are acknowledged from now on, so many of them."""
        before = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) >= before + count, "writes are acknowledged", deadline)

    def end(self):
        self._ends.set()
        self.join(60)
        return self.acknowledged


def lost(tablet, numbers):
    """Acknowledged ids that the tablet does not have."""
    have = {int(row[0]) for row in tablet.sql(f"SELECT id FROM t WHERE id > {FIRST}",
                                              database=tablet.cluster.database)}
    return sorted(set(numbers) - have)
