"""The walkthrough, through the command line, in both spellings."""
import pytest

from vtharness.story import Story


@pytest.mark.parametrize("spelling", ["2018", "today"])
def test_a_shard_comes_from_nothing_to_backed_up_and_restores_itself(run, any_flavor, spelling):
    told = []
    Story(run, any_flavor, spelling, lambda *step: told.append(step)).tell()
    assert len(told) > 15


def test_a_clean_stop_deregisters_the_tablet_and_a_start_brings_it_back(run, flavor):
    story = Story(run, flavor)
    story.two_etcds()
    tablet = story.cluster.add(100).start()
    story.cluster.wait_registered(tablet)
    assert tablet.agent.stop() == 0
    record = tablet.record()
    assert record.hostname == "" and record.mysql_hostname == "" and not record.port_map
    assert record.tablet_shutdown_time.seconds > 0
    tablet.start_agent()
    story.cluster.wait_registered(tablet)
    record = tablet.record()
    assert record.hostname == "127.0.0.1" and record.port_map["grpc"] == tablet.grpc_port
    assert record.tablet_shutdown_time.seconds == 0
    tablet.stop()
    assert tablet.supervisor.popen.returncode == 0
    assert run.leftovers() == [story.cluster.glob.process.pid, story.cluster.cell.process.pid]
