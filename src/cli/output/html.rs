//! One page for a browser: what replicates where, where it breaks, why, and what to do. It needs nothing but itself.
//!
//! <https://html.spec.whatwg.org/multipage/syntax.html>. The template escapes whatever it is given; before that, all that
//! is invisible or changes the direction of text is made visible. The page runs no script and fetches nothing, and says
//! so to the browser (<https://www.w3.org/TR/CSP3/>), for the case that all else should fail.

use askama::Template;
use serde_json::Value;

use super::{Answers, UnwritableAnswers};
use crate::cli::picture::{Kind, Picture, Route, State};
use crate::cli::report::{Backlog, Change, Finding, Report, Severity, Verdict};
use crate::notify::escape::visible;

/// Beyond this the map of many buckets would be a thicket; the list stays.
const MOST_ON_MAP: usize = 40;

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    title: String,
    time: String,
    totals: Vec<(Verdict, usize)>,
    sections: Vec<Section>,
    is_list: bool,
    map: Option<Map>,
}

/// All that there is to say about one bucket.
struct Section {
    id: String,
    report: Report,
    routes: Vec<Drawn>,
    left_out: usize,
}

/// A route as it is drawn.
struct Drawn {
    route: Route,
    /// The first of the rules' ids; a rule of a thousand names nobody reads.
    rules: Vec<String>,
    more: usize,
}

/// Buckets on the left, destinations on the right, lines between.
struct Map {
    height: usize,
    left: Vec<Node>,
    right: Vec<Node>,
    lines: Vec<Line>,
}

struct Node {
    y: usize,
    name: String,
    shown: String,
    class: &'static str,
    href: Option<String>,
}

struct Line {
    path: String,
    class: &'static str,
}

/// The page.
///
/// # Errors
/// The template cannot be filled, or a report is not understood.
pub fn render(answers: &Answers) -> Result<String, UnwritableAnswers> {
    let mut sections = Vec::new();
    for looked in &answers.looked {
        let mut report = looked.report.clone();
        make_visible(&mut report);
        let mut picture = serde_json::to_value(&looked.picture)?;
        make_visible(&mut picture);
        let picture: Picture = serde_json::from_value(picture)?;
        sections.push(Section {
            id: String::new(),
            report: serde_json::from_value(report)?,
            routes: picture.routes.into_iter().map(Drawn::new).collect(),
            left_out: picture.left_out,
        });
    }
    sections.sort_by_key(|section| std::cmp::Reverse(section.report.verdict));
    for (at, section) in sections.iter_mut().enumerate() {
        section.id = format!("b{}", at + 1);
    }
    let title = match sections.as_slice() {
        [only] => format!("S3 replication of {}", only.report.bucket.name),
        _ => format!("S3 replication of {} buckets", sections.len()),
    };
    let totals = Verdict::ALL.map(|verdict| (verdict, answers.count(verdict)));
    let page = Page {
        title,
        time: sections
            .iter()
            .map(|section| section.report.time.clone())
            .max()
            .unwrap_or_default(),
        totals: totals.into_iter().filter(|(_, count)| *count > 0).collect(),
        is_list: sections.len() > 1,
        map: map(&sections),
        sections,
    };
    Ok(page.render()? + "\n")
}

/// Every text in it with what is invisible made visible; line ends stay.
fn make_visible(value: &mut Value) {
    match value {
        Value::String(text) => {
            let lines: Vec<String> = text.lines().map(visible).collect();
            *text = lines.join("\n");
        }
        Value::Array(items) => items.iter_mut().for_each(make_visible),
        Value::Object(fields) => fields.values_mut().for_each(make_visible),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Drawn {
    fn new(route: Route) -> Self {
        const SHOWN: usize = 6;
        Self {
            rules: route.rules.iter().take(SHOWN).cloned().collect(),
            more: route.rules.len().saturating_sub(SHOWN),
            route,
        }
    }
}

impl Section {
    fn class(&self) -> &'static str {
        class(&self.report.verdict)
    }

    fn place(&self) -> String {
        let bucket = &self.report.bucket;
        let place = [
            bucket.region.clone(),
            bucket.account_id.as_ref().map(|id| format!("account {id}")),
            Some(format!("mode {}", self.report.mode)),
        ];
        place.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    fn counts(&self) -> String {
        let counts = [Severity::Error, Severity::Warning, Severity::Advice].map(|severity| {
            let count = self.report.count(severity);
            match (count, severity) {
                (0, _) => None,
                (1, _) | (_, Severity::Advice) => Some(format!("{count} {}", severity.as_str())),
                (_, _) => Some(format!("{count} {}s", severity.as_str())),
            }
        });
        let unread = self.report.unread.len();
        let unread = (unread > 0).then(|| format!("{unread} unread"));
        let counts: Vec<String> = counts.into_iter().flatten().chain(unread).collect();
        counts.join(", ")
    }

    fn destinations(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for stop in self.routes.iter().filter_map(|drawn| drawn.route.stops.last()) {
            if drawn_destination(&stop.name, &self.report) && !names.contains(&stop.name.as_str()) {
                names.push(&stop.name);
            }
        }
        names.join(", ")
    }

    /// The style of a finding, by its number.
    fn severity_class(&self, number: &usize) -> &'static str {
        let finding = number.checked_sub(1).and_then(|at| self.report.findings.get(at));
        finding.map_or(State::Off.class(), severity_class)
    }

    /// What the outcome says, where something was tried.
    fn done(&self) -> Option<&crate::cli::report::Outcome> {
        self.report
            .outcome
            .as_ref()
            .filter(|outcome| outcome.status != "planned")
    }

    fn commands(&self) -> Vec<(&'static str, &str)> {
        let commands = &self.report.commands;
        let backlog = self.report.backlog.as_ref().and_then(Backlog::next);
        [
            ("Apply the plan", commands.apply.as_deref()),
            ("Take it back", commands.undo.as_deref()),
            ("Look again", Some(commands.check.as_str())),
        ]
        .into_iter()
        .filter_map(|(name, command)| Some((name, command?)))
        .chain(backlog)
        .collect()
    }
}

/// A way without a destination ends in the source itself.
fn drawn_destination(name: &str, report: &Report) -> bool {
    name != report.bucket.name
}

fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => State::Fine.class(),
        Verdict::AtRisk => State::AtRisk.class(),
        Verdict::Undetermined => State::Unknown.class(),
        Verdict::Broken => State::Broken.class(),
    }
}

/// The drawing that stands for it.
fn icon(kind: Kind) -> &'static str {
    match kind {
        Kind::Source => "source",
        Kind::SourceKey => "source-key",
        Kind::Role => "role",
        Kind::ReplicaKey => "replica-key",
        Kind::Destination => "destination",
    }
}

fn severity_class(finding: &Finding) -> &'static str {
    match finding.severity {
        Severity::Error => State::Broken.class(),
        Severity::Warning => State::AtRisk.class(),
        Severity::Advice => State::Off.class(),
    }
}

/// A sentence of ours, in which names stand in backticks: each part, and whether it is such a name.
fn parts(text: &str) -> Vec<(bool, &str)> {
    let parts: Vec<&str> = text.split('`').collect();
    // Of an odd number of backticks none can be trusted to mean anything.
    if parts.len().is_multiple_of(2) {
        return vec![(false, text)];
    }
    let parts = parts
        .into_iter()
        .enumerate()
        .map(|(at, part)| (at % 2 == 1, part));
    parts.filter(|(_, part)| !part.is_empty()).collect()
}

/// Only these lead anywhere: pages that we name ourselves.
fn is_manual(source: &str) -> bool {
    source.starts_with("https://docs.aws.amazon.com/")
}

/// The lines of a diff with the name of their style.
fn diff(change: &Change) -> Vec<(&'static str, &str)> {
    let lines = change
        .diff
        .lines()
        .filter(|line| !line.starts_with("---") && !line.starts_with("+++"));
    lines
        .map(|line| match line.bytes().next() {
            Some(b'+') => ("add", line),
            Some(b'-') => ("cut", line),
            Some(b'@') => ("at", line),
            _ => ("", line),
        })
        .collect()
}

/// The map of several buckets; none where it would show nothing or too much.
fn map(sections: &[Section]) -> Option<Map> {
    const ROW: usize = 34;
    const LEFT: usize = 400;
    const RIGHT: usize = 560;
    if !(2..=MOST_ON_MAP).contains(&sections.len()) {
        return None;
    }
    let y = |row: usize| 24 + row * ROW;
    let mut right: Vec<Node> = Vec::new();
    let mut lines: Vec<(State, Line)> = Vec::new();
    for (row, section) in sections.iter().enumerate() {
        let routes = section.routes.iter().map(|drawn| drawn.route.clone()).collect();
        let picture = Picture { routes, left_out: 0 };
        for (stop, state) in picture.destinations() {
            let at = match right.iter().position(|node| node.name == stop.name) {
                Some(at) => at,
                None => {
                    right.push(Node::new(&stop.name, y(right.len()), State::Off.class(), None));
                    right.len() - 1
                }
            };
            let (from, to) = (y(row), y(at));
            let (a, b) = (LEFT + 70, RIGHT - 70);
            let path = format!("M{LEFT} {from} C{a} {from} {b} {to} {RIGHT} {to}");
            lines.push((
                state,
                Line {
                    path,
                    class: state.class(),
                },
            ));
        }
    }
    // The worst on top.
    lines.sort_by_key(|(state, _)| *state);
    let left = sections.iter().enumerate().map(|(row, section)| {
        let href = Some(format!("#{}", section.id));
        let (name, verdict) = (&section.report.bucket.name, section.report.verdict.as_str());
        Node {
            // For whoever sees no colours.
            name: format!("{name}, {verdict}"),
            ..Node::new(name, y(row), section.class(), href)
        }
    });
    Some(Map {
        height: 24 + ROW * sections.len().max(right.len()),
        left: left.collect(),
        lines: lines.into_iter().map(|(_, line)| line).collect(),
        right,
    })
}

impl Node {
    fn new(name: &str, y: usize, class: &'static str, href: Option<String>) -> Self {
        const SHOWN: usize = 44;
        let shown = match name.chars().count() > SHOWN {
            true => format!("{}…", name.chars().take(SHOWN - 1).collect::<String>()),
            false => name.to_owned(),
        };
        Self {
            y,
            name: name.to_owned(),
            shown,
            class,
            href,
        }
    }
}
