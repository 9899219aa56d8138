#include <criterion/criterion.h>

#include "agent/base/memory.h"
#include "agent/web/accept.h"

#define CHROME "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
#define PROMETHEUS                                                                                 \
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"                       \
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,"             \
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"

Test(accept, weights_are_read)
{
    cr_assert_eq(accept_weight("text/plain", "text/plain", NULL), 1000);
    cr_assert_eq(accept_weight("a/b, Text/Plain ; q=0.25", "text/plain", NULL), 250);
    cr_assert_eq(accept_weight(CHROME, "text/plain", NULL), -1);
    cr_assert_eq(accept_weight("text/plain;q=7", "text/plain", NULL), -1);
    cr_assert_eq(accept_weight("text/plain;q=nan", "text/plain", NULL), -1);
    cr_assert_eq(accept_weight("text/plain;q=", "text/plain", NULL), 0);
    cr_assert_eq(accept_weight(NULL, "text/plain", NULL), -1);
    cr_assert_eq(accept_weight(",;,;q=1,,", "text/plain", NULL), -1);
}

Test(accept, people_get_html_and_scripts_what_they_ask_for)
{
    cr_assert_not(accept_wants_text(CHROME, NULL));
    cr_assert_not(accept_wants_text("*/*", NULL));
    cr_assert_not(accept_wants_text(NULL, NULL));
    cr_assert(accept_wants_text("text/plain", NULL));
    cr_assert(accept_wants_text("text/html;q=0.1, text/plain", NULL));
    cr_assert_not(accept_wants_text("text/html, text/plain", NULL));
    cr_assert_not(accept_wants_text("text/plain;q=0", NULL));
    cr_assert(accept_wants_text(CHROME, "format=text"));
    cr_assert(accept_wants_text(NULL, "a=b&format=text"));
    cr_assert_not(accept_wants_text(NULL, "format=textile"));
}

Test(accept, openmetrics_is_for_who_asks_for_this_version_of_it)
{
    cr_assert(accept_wants_openmetrics(PROMETHEUS));
    cr_assert(accept_wants_openmetrics("application/openmetrics-text; version=1.0.0"));
    cr_assert(accept_wants_openmetrics("application/openmetrics-text"));
    cr_assert_not(accept_wants_openmetrics("application/openmetrics-text; version=0.0.1"));
    cr_assert_not(accept_wants_openmetrics("text/plain, application/openmetrics-text;q=0.5"));
    cr_assert_not(accept_wants_openmetrics("*/*"));
    cr_assert_not(accept_wants_openmetrics(NULL));
}
