/* The status page in HTML: what it says, and that nothing from outside becomes markup. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/memory.h"
#include "agent/web/html.h"
#include "agent/web/status.h"
#include "picture.h"

#define HOSTILE "<script>alert('x')</script>\"&"
#define FILL(to) fill(to, sizeof(to))

static struct pages_picture *picture;

static void
fill(char *to, size_t size)
{
    (void)snprintf(to, size, "%.*s", (int)size - 1, HOSTILE);
}

static void
set_up(void)
{
    picture = picture_of_replica();
}

static size_t
count(const char *text, const char *piece)
{
    size_t found = 0;
    for (const char *at = strstr(text, piece); at != NULL; at = strstr(at + 1, piece))
        found++;
    return found;
}

static void
has(const char *html, const char *piece)
{
    cr_assert_not_null(strstr(html, piece), "no %s in %s", piece, strstr(html, "<main>"));
}

static void
has_not(const char *html, const char *piece)
{
    cr_assert_null(strstr(html, piece), "there is %s", piece);
}

/* ---- Escaping ---- */

static char *
escaped(const char *text)
{
    struct buffer html = BUFFER_INIT;
    html_text(&html, text);
    return buffer_take(&html);
}

static void
escapes(const char *text, const char *wanted)
{
    CLEANUP(freep) char *html = escaped(text);
    cr_assert_str_eq(html, wanted);
}

Test(html, markup_becomes_text)
{
    escapes("a<b>&\"'c", "a&lt;b&gt;&amp;&quot;&#39;c");
    escapes("Grüße – 日本", "Grüße – 日本");
    escapes("line\none\ttwo", "line one two");
}

Test(html, what_is_no_text_is_replaced)
{
    escapes("a\x01\x7F"
            "b",
            "a\xEF\xBF\xBD\xEF\xBF\xBD"
            "b");
    escapes("\xFF\xC3", "\xEF\xBF\xBD\xEF\xBF\xBD");
    escapes("\xC0\xBCscript>", "\xEF\xBF\xBD\xEF\xBF\xBDscript&gt;"); /* an overlong '<' */
    escapes("\xC2\x85", "\xEF\xBF\xBD");                              /* a control character */
    escapes("a\xE2\x80\xAEtxt.exe", "a\xEF\xBF\xBDtxt.exe");          /* turned around */
    escapes("\xE2\x81\xA6", "\xEF\xBF\xBD");
    escapes("\xE2\x80\x93", "\xE2\x80\x93");
}

static void
make_hostile(void)
{
    static struct tablet_identity identity;
    static struct shard_look look;
    struct health_facts *facts = &picture->health.facts;
    identity = *picture->identity;
    identity.hostname = identity.mysql_hostname = identity.database = (char *)HOSTILE;
    picture->identity = &identity;
    picture->is_started = false;
    picture->start_step = HOSTILE;
    FILL(picture->view.snapshot.reason);
    FILL(picture->view.publish_error);
    FILL(picture->view.history[0].text);
    picture->view.history_count = 1;
    picture->health.judgement.problem_count = 1;
    picture->health.judgement.problems[0].cause = HEALTH_SERVER;
    FILL(picture->health.judgement.problems[0].text);
    facts->replication.is_replica = true;
    FILL(facts->replication.source);
    FILL(facts->replication.error);
    FILL(facts->server.version);
    facts->position = (char *)HOSTILE;
    facts->backups = (struct health_backups){.listed_ms = 1, .measured_ms = 1, .count = 1};
    FILL(facts->backups.error);
    FILL(facts->backups.list[0].name);
    FILL(facts->backups.list[0].problem);
    picture->has_storage = true;
    picture->jobs.views[0] = picture_running_job();
    FILL(picture->jobs.views[0].parameters);
    FILL(picture->jobs.views[0].phase);
    FILL(picture->jobs.views[0].backup_name);
    FILL(picture->jobs.views[0].last_line);
    picture->jobs.views[1] = (struct job_view){.id = "verify-1", .state = JOB_FAILED};
    FILL(picture->jobs.views[1].error);
    picture->jobs.count = 2;
    look = (struct shard_look){.looked_ms = 1, .count = 1};
    FILL(look.error);
    FILL(look.rows[0].alias);
    FILL(look.rows[0].type);
    FILL(look.rows[0].address);
    FILL(look.rows[0].state);
    FILL(look.rows[0].job);
    picture->shard = &look;
}

/* The page has one script of its own, and no other way to run one. */
Test(status, nothing_from_outside_becomes_markup, .init = set_up)
{
    make_hostile();
    CLEANUP(freep) char *html = picture_html(picture);
    cr_assert_eq(count(html, "<script"), 1);
    cr_assert_eq(count(html, "alert('x')"), 0);
    cr_assert_geq(count(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"), 22);
    has_not(html, " onload=");
    has_not(html, " style=");
}

Test(status, no_outside_resource_is_named, .init = set_up)
{
    CLEANUP(freep) char *html = picture_html(picture);
    has_not(html, " src=");
    has_not(html, "@import");
    has_not(html, "url(h");
    cr_assert_eq(count(html, "http://"), 1); /* the name space of the icon */
    has(html, "xmlns=%22http://www.w3.org/2000/svg%22");
}

/* ---- What it says ---- */

Test(status, who_and_how_in_one_sentence, .init = set_up)
{
    CLEANUP(freep) char *html = picture_html(picture);
    has(html, "<title>zone1-0000000100: replica, serving, replicating</title>");
    has(html, "<h1>zone1-0000000100</h1>");
    has(html, "ks/-80 on host");
    has(html, "<span>replica, serving, replicating</span>");
    has(html, "<header class=\"ok\">");
    has(html, "name=\"viewport\"");
    has(html, "<noscript><meta http-equiv=\"refresh\"");
    has_not(html, "id=\"problems\"");
}

Test(status, problems_come_first, .init = set_up)
{
    struct health_judgement *judgement = &picture->health.judgement;
    judgement->problem_count = 2;
    judgement->problems[0] = (struct health_problem){
        .cause = HEALTH_DISK_FULL, .is_fatal = true, .text = "the disk is full"};
    judgement->problems[1] = (struct health_problem){.cause = HEALTH_TOPOLOGY, .text = "no etcd"};
    picture->view.snapshot.is_serving = false;
    CLEANUP(freep) char *html = picture_html(picture);
    has(html, "<header class=\"bad\">");
    has(html, "<b>disk-full</b> the disk is full");
    has(html, "<b>topology</b> no etcd");
    cr_assert_lt(strstr(html, "the disk is full"), strstr(html, "<section"));
}

Test(status, a_problem_that_the_sentence_tells_is_not_told_twice, .init = set_up)
{
    struct health_judgement *judgement = &picture->health.judgement;
    judgement->problem_count = 1;
    judgement->problems[0] = (struct health_problem){
        .cause = HEALTH_DISK_FULL, .is_fatal = true, .text = "the disk is full"};
    picture->view.snapshot.is_serving = false;
    snprintf(picture->view.snapshot.reason, sizeof(picture->view.snapshot.reason),
             "the disk is full");
    CLEANUP(freep) char *html = picture_html(picture);
    cr_assert_eq(count(strstr(html, "<main>"), "the disk is full"), 1);
}

Test(status, a_backup_is_no_alarm, .init = set_up)
{
    picture->view.snapshot.is_serving = false;
    picture->view.state = STATE_BACKUP;
    cr_assert_eq(status_tone(picture), TONE_BUSY);
    picture->view.state = STATE_DEMOTED;
    cr_assert_eq(status_tone(picture), TONE_IDLE);
    picture->view.state = STATE_FOLLOWING;
    cr_assert_eq(status_tone(picture), TONE_BAD);
    picture->is_started = false;
    cr_assert_eq(status_tone(picture), TONE_BUSY);
}

Test(status, a_running_job_has_a_bar_and_the_time_it_still_takes, .init = set_up)
{
    picture->jobs.views[0] = picture_running_job();
    picture->jobs.count = 1;
    CLEANUP(freep) char *html = picture_html(picture);
    has(html, "max=\"100\" value=\"50\"");
    has(html, "<span>5.2 MB of 10 MB</span>");
    has(html, "<span>1.0 MB/s</span>");
    has(html, "5 s left");
    has_not(html, "id=\"ended\"");
    picture->jobs.views[0].total_bytes = 0;
    picture->jobs.views[0].remaining_seconds = -1;
    CLEANUP(freep) char *unknown = picture_html(picture);
    has(unknown, "<progress aria-label=\"progress\"></progress>");
    has_not(unknown, " left</span>");
}

Test(status, nothing_to_restore_is_no_alarm, .init = set_up)
{
    picture->jobs.views[0] = (struct job_view){
        .id = "restore-1", .kind = JOB_RESTORE, .state = JOB_FAILED, .error_code = ERROR_UNKNOWN};
    picture->jobs.count = 1;
    CLEANUP(freep) char *alarm = picture_html(picture);
    cr_assert_eq(count(alarm, "class=\"icon bad\""), 1);
    picture->jobs.views[0].error_code = ERROR_NOT_FOUND;
    CLEANUP(freep) char *html = picture_html(picture);
    cr_assert_eq(count(html, "class=\"icon bad\""), 0);
}

Test(status, backups_show_what_is_known_of_each, .init = set_up)
{
    struct health_backups *backups = &picture->health.facts.backups;
    picture->has_storage = true;
    picture->now_ns = INT64_C(100000000000);
    picture->health.now_ms = 21000;
    *backups = (struct health_backups){.measured_ms = 9000, .listed_ms = 9000, .count = 3};
    backups->list[0] = (struct health_backup){.name = "third",
                                              .time_ns = INT64_C(40000000000),
                                              .is_complete = true,
                                              .stored_bytes = 1400000000,
                                              .proof = "tables",
                                              .verified = "full",
                                              .verified_ns = INT64_C(90000000000)};
    backups->list[1] = (struct health_backup){.name = "second",
                                              .is_complete = true,
                                              .verified = "full",
                                              .has_failed = true,
                                              .problem = "object 3 is damaged"};
    backups->list[2] = (struct health_backup){.name = "first", .problem = "no MANIFEST"};
    CLEANUP(freep) char *html = picture_html(picture);
    has(html, "read 12 s ago");
    has(html, "60 s ago</time><span class=\"name\">third</span>");
    has(html, "proven <i>tables</i>");
    has(html, "verified <i>full, 10 s ago</i>");
    has(html, "1.4 GB");
    has(html, "check failed");
    has(html, "object 3 is damaged");
    has(html, "incomplete");
    has(html, "no MANIFEST");
}

Test(status, a_storage_that_never_answered_is_told_apart_from_an_empty_one, .init = set_up)
{
    struct health_backups *backups = &picture->health.facts.backups;
    picture->has_storage = true;
    CLEANUP(freep) char *silent = picture_html(picture);
    has(silent, "The storage has not answered yet.");
    backups->listed_ms = backups->measured_ms = 1;
    CLEANUP(freep) char *empty = picture_html(picture);
    has(empty, "There is none.");
    picture->has_storage = false;
    CLEANUP(freep) char *none = picture_html(picture);
    has_not(none, "id=\"backups\"");
}

Test(status, the_shard_is_shown_with_the_age_of_what_is_known, .init = set_up)
{
    static struct shard_look look;
    look = (struct shard_look){.looked_ms = 1000, .count = 2, .left_out = 3};
    look.rows[0] = (struct shard_look_row){.alias = "zone1-0000000100",
                                           .type = "replica",
                                           .address = "host:15000",
                                           .state = "replica, serving, 0.3 s behind db",
                                           .has_document = true,
                                           .is_serving = true,
                                           .lag_ms = 300,
                                           .time_ns = 2000000000};
    look.rows[1] = (struct shard_look_row){.alias = "zone1-0000000101",
                                           .type = "replica",
                                           .address = "other:15000",
                                           .state = "no health document",
                                           .lag_ms = -1};
    picture->shard = &look;
    picture->health.now_ms = 5000;
    CLEANUP(freep) char *html = picture_html(picture);
    has(html, "from etcd, 4 s ago");
    has(html, "zone1-0000000100 <span class=\"pill\">this</span>");
    has(html, "<a href=\"//other:15000/debug/status\">zone1-0000000101</a>");
    has(html, "0.3 s</td>");
    has(html, "no health document");
    has(html, "and 3 more");
}

Test(status, what_a_silent_server_once_said_is_not_told_as_if_it_were_so, .init = set_up)
{
    struct health_replication *replication = &picture->health.facts.replication;
    replication->is_replica = true;
    replication->io_state = replication->sql_state = REPLICATION_RUNNING;
    CLEANUP(freep) char *html = picture_html(picture);
    has(html, "IO running");
    picture->health.facts.server.answers = false;
    CLEANUP(freep) char *silent = picture_html(picture);
    has(silent, "IO unknown");
    has(silent, "SQL unknown");
}

Test(status, the_lag_of_the_last_hour_is_a_line_with_gaps, .init = set_up)
{
    static struct lag_history history;
    history = (struct lag_history){.newest = 0};
    picture->health.facts.replication.is_replica = true;
    picture->health.lag_history = &history;
    picture->health.now_ms = 5000000;
    CLEANUP(freep) char *none = picture_html(picture);
    has(none, "No lag is known in the last hour.");
    lag_history_note(&history, 4000000, 4200);
    lag_history_note(&history, 4010000, 100);
    lag_history_note(&history, 4500000, 0);
    CLEANUP(freep) char *html = picture_html(picture);
    cr_assert_eq(count(html, "<polyline"), 2);
    has(html, "<span>5.0 s</span><span>2.5 s</span><span>0</span>");
    has(html, "aria-label=\"Lag of the last hour: 0.0 s at the end, 4.2 s at worst\"");
}

/* ---- The state machine ---- */

Test(state_machine, every_row_of_the_table_is_there_and_the_state_is_marked, .init = set_up)
{
    CLEANUP(buffer_done) struct buffer body = BUFFER_INIT;
    size_t row_count, refusal_count;
    const struct state_row *rows = states_rows(&row_count);
    states_refusals(&refusal_count);
    cr_assert_eq(page_state_machine(picture, &body).status, 200);
    const char *html = buffer_text(&body);
    cr_assert_eq(count(html, "<span class=\"event\">"), row_count + refusal_count);
    cr_assert_eq(count(html, "class=\"pill\">now"), 1);
    has(html, "<section id=\"state-following\" class=\"now\">");
    cr_assert_eq(count(html, "<g class=\"box"), STATE_COUNT);
    cr_assert_eq(count(html, "<g class=\"box now\""), 1);
    for (size_t i = 0; i < row_count; i++) {
        CLEANUP(freep) char *comment = escaped(rows[i].comment);
        has(html, comment);
    }
}

Test(diagram, each_way_is_drawn_once)
{
    CLEANUP(buffer_done) struct buffer body = BUFFER_INIT;
    diagram_add(&body, STATE_RESTORE);
    cr_assert_eq(count(buffer_text(&body), "class=\"way hot\""), 2); /* follow, drain */
    cr_assert_gt(count(buffer_text(&body), "class=\"way\""), 20);
    cr_assert_null(strstr(buffer_text(&body), "nan"));
    cr_assert_null(strstr(buffer_text(&body), "inf"));
}
