#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "agent/handlers/message.h"
#include "agent/handlers/schema.h"
#include "agent/handlers/table_filter.h"

static void
check_text(char *take_text, const char *expected)
{
    cr_assert_str_eq(take_text, expected);
    free(take_text);
}

Test(schema_text, auto_increment_is_left_out)
{
    check_text(schema_without_auto_increment(") ENGINE=InnoDB AUTO_INCREMENT=1234 DEFAULT"),
               ") ENGINE=InnoDB DEFAULT");
    check_text(schema_without_auto_increment("`a` int AUTO_INCREMENT,"), "`a` int AUTO_INCREMENT,");
    check_text(schema_without_auto_increment(" AUTO_INCREMENT=x AUTO_INCREMENT=7"),
               " AUTO_INCREMENT=x");
    check_text(schema_without_auto_increment(""), "");
}

Test(schema_text, names_are_replaced)
{
    check_text(schema_replace_all("`a`.`b`.`a`", "`a`", "X", 1), "X.`b`.`a`");
    check_text(schema_replace_all("`a`.`b`.`a`", "`a`", "X", SIZE_MAX), "X.`b`.X");
    check_text(schema_replace_all("nothing", "`a`", "X", SIZE_MAX), "nothing");
}

static Tabletmanagerdata__TableDefinition
table(const char *name, const char *schema, const char *type)
{
    Tabletmanagerdata__TableDefinition definition = TABLETMANAGERDATA__TABLE_DEFINITION__INIT;
    definition.name = (char *)name;
    definition.schema = (char *)schema;
    definition.type = (char *)type;
    return definition;
}

Test(schema_text, differences_name_the_side)
{
    Tabletmanagerdata__TableDefinition a = table("a", "x", "BASE TABLE"),
                                       b = table("b", "x", "BASE TABLE"),
                                       b2 = table("b", "y", "BASE TABLE"),
                                       c = table("c", "v", "VIEW");
    Tabletmanagerdata__TableDefinition *left_tables[] = {&a, &b}, *right_tables[] = {&b2, &c};
    Tabletmanagerdata__SchemaDefinition left = TABLETMANAGERDATA__SCHEMA_DEFINITION__INIT;
    Tabletmanagerdata__SchemaDefinition right = TABLETMANAGERDATA__SCHEMA_DEFINITION__INIT;
    left.n_table_definitions = right.n_table_definitions = 2;
    left.table_definitions = left_tables;
    right.table_definitions = right_tables;
    char *text = schema_differences("actual", &left, "expected", &right);
    cr_assert_not_null(strstr(text, "actual has an extra table named a"));
    cr_assert_not_null(strstr(text, "expected has an extra view named c"));
    cr_assert_not_null(strstr(text, "schema of b differs: x, y"));
    free(text);
    check_text(schema_differences("actual", &left, "expected", &left), "");
}

static struct table_filter *
filter_of(char *wanted, char *excluded)
{
    struct table_filter *filter = NULL;
    struct error *error = table_filter_new(&wanted, wanted != NULL ? 1 : 0, &excluded,
                                           excluded != NULL ? 1 : 0, &filter);
    cr_assert_null(error);
    return filter;
}

Test(table_filter, names_are_compared_without_case)
{
    struct table_filter *filter = filter_of((char *)"Users", NULL);
    cr_assert(table_filter_includes(filter, "users"));
    cr_assert(!table_filter_includes(filter, "users2"));
    table_filter_free(filter);
    filter = filter_of(NULL, NULL);
    cr_assert(table_filter_includes(filter, "anything"));
    table_filter_free(filter);
}

Test(table_filter, expressions_match_anywhere_and_excluding_wins)
{
    struct table_filter *filter = filter_of((char *)"/^user|order$/", (char *)"/_gho$/");
    cr_assert(table_filter_includes(filter, "users"));
    cr_assert(table_filter_includes(filter, "last_order"));
    cr_assert(!table_filter_includes(filter, "other"));
    cr_assert(!table_filter_includes(filter, "users_gho"));
    table_filter_free(filter);
    filter = filter_of((char *)"/ser", NULL);
    cr_assert(table_filter_includes(filter, "users"));
    table_filter_free(filter);
}

Test(table_filter, broken_expression_is_named)
{
    char *wanted = (char *)"/(/";
    struct table_filter *filter = NULL;
    struct error *error = table_filter_new(&wanted, 1, NULL, 0, &filter);
    cr_assert_not_null(error);
    cr_assert(str_starts_with(error->message, "cannot compile regexp ( for table: "));
    error_free(error);
    error = table_filter_new(NULL, 0, &wanted, 1, &filter);
    cr_assert(str_starts_with(error->message, "cannot compile regexp ( for excludeTable: "));
    error_free(error);
}
