//! What a look costs beside the reads, from one rule to a thousand and from one policy to a hundred: CPU time,
//! allocations, and the most memory at once.
//!
//! `cargo bench --no-default-features --bench growth` prints the table of `docs/PERFORMANCE.md`; `-- --stages` each
//! stage by itself, `-- --only Missing,10,1` one line.

#[cfg(test)]
#[path = "../tests/core"]
#[expect(
    dead_code,
    unused_imports,
    reason = "a benchmark needs a part of what the account can do"
)]
mod shared {
    pub(crate) mod account;
}
#[cfg(test)]
#[path = "../tests/growth/stages.rs"]
mod stages;
#[cfg(test)]
#[path = "../tests/plan/world.rs"]
#[expect(dead_code, reason = "a benchmark needs a part of what the account can do")]
mod world;

use rustix::time::{ClockId, clock_gettime};
use stages::{Cost, Policies, account, costs, read};

fn cpu_ms() -> f64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec as f64 * 1e3 + spent.tv_nsec as f64 / 1e6
}

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
fn main() {
    let by_stage = std::env::args().any(|argument| argument == "--stages");
    let only = std::env::args()
        .skip_while(|argument| argument != "--only")
        .nth(1);
    println!("| role's policies | rules | policies | CPU ms | allocations | peak KiB |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for kind in [Policies::Granting, Policies::Missing, Policies::Hostile] {
        for policies in [1, 10, 100] {
            for rules in [1, 10, 100, 1000] {
                if only
                    .as_ref()
                    .is_some_and(|only| *only != format!("{kind:?},{rules},{policies}"))
                {
                    continue;
                }
                let snapshot = read(&account(rules, policies, kind));
                let start = cpu_ms();
                let costs = costs(&snapshot);
                let mut best = cpu_ms() - start;
                // The shortest of several: whatever else the machine does only ever makes it longer.
                for _ in 0..if best < 20.0 { 20 } else { 2 } {
                    let start = cpu_ms();
                    let _ = stages::costs(&snapshot);
                    best = best.min(cpu_ms() - start);
                }
                let line = |cost: &Cost, cpu: String| {
                    println!(
                        "| {} | {rules} | {policies} | {cpu} | {} | {} |",
                        if by_stage {
                            cost.stage.to_owned()
                        } else {
                            format!("{kind:?}").to_lowercase()
                        },
                        cost.allocations,
                        cost.peak / 1024,
                    );
                };
                if by_stage {
                    for cost in costs.iter().take(costs.len() - 1) {
                        line(cost, String::new());
                    }
                }
                if let Some(all) = costs.last() {
                    line(all, format!("{best:.2}"));
                }
            }
        }
    }
}
