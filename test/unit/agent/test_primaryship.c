#include <criterion/criterion.h>

#include "agent/primaryship.h"

#define PRIMARY TOPODATA__TABLET_TYPE__PRIMARY
#define REPLICA TOPODATA__TABLET_TYPE__REPLICA

static void
expect(struct primaryship_facts facts, bool is_primary, int64_t term_ns)
{
    facts.now_ns = 99;
    struct primaryship decision = primaryship_decide(&facts);
    cr_assert_eq(decision.is_primary, is_primary);
    cr_assert_eq(decision.term_ns, term_ns);
    cr_assert_not_null(decision.why);
}

Test(primaryship, named_by_the_shard)
{
    expect((struct primaryship_facts){.is_named = true, .shard_term_ns = 5}, true, 99);
    expect((struct primaryship_facts){.is_named = true,
                                      .shard_term_ns = 5,
                                      .has_record = true,
                                      .record_type = PRIMARY,
                                      .record_term_ns = 4},
           true, 4);
    expect(
        (struct primaryship_facts){
            .is_named = true, .shard_term_ns = 5, .has_record = true, .record_type = REPLICA},
        true, 5);
}

Test(primaryship, not_named)
{
    expect((struct primaryship_facts){.shard_term_ns = 5}, false, 0);
    expect(
        (struct primaryship_facts){.shard_term_ns = 5, .has_record = true, .record_type = REPLICA},
        false, 0);
}

Test(primaryship, an_unfinished_promotion_wins_only_with_a_newer_term)
{
    struct primaryship_facts facts = {
        .shard_term_ns = 5, .has_record = true, .record_type = PRIMARY, .record_term_ns = 6};
    expect(facts, true, 6);
    facts.record_term_ns = 5;
    expect(facts, false, 0);
    facts.record_term_ns = 4;
    expect(facts, false, 0);
}
