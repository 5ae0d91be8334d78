//! What the program costs must grow as what it is given, and no faster: whoever writes rules, policies and messages
//! chooses their number. Allocations and bytes are counted, never time, so that a busy machine changes nothing.

#[cfg(test)]
mod decoders;
#[cfg(test)]
#[path = "../core"]
#[expect(dead_code, reason = "these tests need a part of what the account can do")]
mod shared {
    pub(crate) mod account;
}
#[cfg(test)]
#[expect(dead_code, reason = "only the benchmark names the stages")]
mod stages;
#[cfg(test)]
#[path = "../plan/world.rs"]
#[expect(dead_code, reason = "these tests need a part of what the account can do")]
mod world;

#[cfg(test)]
mod tests {
    use crate::stages::{Cost, Policies, account, costs, read};

    /// What everything together costs.
    fn cost(rules: usize, policies: usize, kind: Policies) -> Cost {
        *costs(&read(&account(rules, policies, kind))).last().unwrap()
    }

    #[track_caller]
    fn grows_at_most_as_much(times: u64, less: Cost, more: Cost) {
        // A tenth more, for tables that double.
        assert!(
            more.allocations * 10 <= less.allocations * times * 11,
            "{less:?} {more:?}"
        );
        assert!(more.peak * 10 <= less.peak * times * 11, "{less:?} {more:?}");
    }

    #[test]
    fn four_times_the_rules_cost_four_times_as_much() {
        for kind in [Policies::Granting, Policies::Missing, Policies::Hostile] {
            // From a hundred on no repair fits into a role any more, so that both do the same work.
            grows_at_most_as_much(4, cost(100, 3, kind), cost(400, 3, kind));
        }
    }

    #[test]
    fn ten_times_the_policies_cost_at_most_ten_times_as_much() {
        for kind in [Policies::Granting, Policies::Missing, Policies::Hostile] {
            grows_at_most_as_much(10, cost(20, 10, kind), cost(20, 100, kind));
        }
    }

    #[test]
    fn a_thousand_rules_fit_into_the_smallest_function_even_beside_hostile_policies() {
        const MEGABYTE: u64 = 1024 * 1024;
        let healthy = cost(1000, 3, Policies::Granting);
        assert!(healthy.peak < 32 * MEGABYTE, "{healthy:?}");
        assert!(healthy.allocations < 370_000, "{healthy:?}");
        // A tenth of the rules, because these take a second; the test above says that ten times as many take ten times
        // as much.
        let hostile = cost(100, 30, Policies::Hostile).peak * 10;
        assert!(hostile < 80 * MEGABYTE, "{hostile}");
    }

    #[test]
    fn one_rule_that_is_well_costs_two_thousand_allocations_and_no_more() {
        let cost = cost(1, 1, Policies::Granting);
        assert!(cost.allocations < 2_000, "{cost:?}");
    }

    #[test]
    fn the_repair_of_one_rule_costs_twelve_thousand_allocations_and_no_more() {
        let cost = cost(1, 1, Policies::Missing);
        assert!(cost.allocations < 12_000, "{cost:?}");
    }

    #[test]
    fn the_repair_of_ten_rules_costs_at_most_as_much_as_ten_repairs() {
        // Each with its statements, which the review tries one by one.
        grows_at_most_as_much(10, cost(1, 1, Policies::Missing), cost(10, 1, Policies::Missing));
    }
}
