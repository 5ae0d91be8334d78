//! `docs/CHECKS.md` inside the program: what each check means, for `explain` and for the rules of SARIF.

use crate::check::CheckId;

const DOCUMENT: &str = include_str!("../../docs/CHECKS.md");

/// What the document says of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chapter {
    /// The check's id.
    pub id: &'static str,
    /// The first sentences, in one paragraph.
    pub summary: &'static str,
    /// Everything, as Markdown, without the heading.
    pub text: &'static str,
}

impl Chapter {
    /// The chapter of a check.
    pub fn of(check: &str) -> Option<Self> {
        CheckId::ALL
            .iter()
            .map(|id| Self::about(id.as_str()))
            .find(|chapter| chapter.id == check)
    }

    /// All chapters, in the order in which findings are told.
    pub fn all() -> impl Iterator<Item = Self> {
        CheckId::ALL.iter().map(|id| Self::about(id.as_str()))
    }

    /// Everything up to the example, which only the whole document can show in its place.
    pub fn help(&self) -> &'static str {
        let help = self.text.split("\nStory: ").next();
        help.unwrap_or(self.text).trim()
    }

    fn about(id: &'static str) -> Self {
        let mut chapters = DOCUMENT.split("\n## ").skip(1);
        let text = chapters
            .find_map(|chapter| chapter.strip_prefix(id)?.strip_prefix('\n'))
            .unwrap_or_default()
            .trim();
        Self {
            id,
            summary: text.split("\n\n").next().unwrap_or_default(),
            text,
        }
    }
}

/// The ids that are most like a text, the most alike first.
pub fn alike(text: &str) -> Vec<&'static str> {
    let ids: Vec<&'static str> = CheckId::ALL.iter().map(|id| id.as_str()).collect();
    let mut found = crate::alike::alike(text, &ids, 0.45);
    found.truncate(3);
    let wanted = text.to_ascii_lowercase();
    // Whoever knows a part of a name need not know the rest.
    let parts = ids
        .iter()
        .filter(|id| wanted.len() >= 3 && id.contains(wanted.as_str()));
    for id in parts {
        if !found.contains(id) && found.len() < 5 {
            found.push(id);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_chapter_that_begins_with_what_it_means() {
        for chapter in Chapter::all() {
            assert!(
                chapter.summary.ends_with('.'),
                "{}: {}",
                chapter.id,
                chapter.summary
            );
            assert!(
                !chapter.summary.contains("**"),
                "{}: {}",
                chapter.id,
                chapter.summary
            );
            assert!(chapter.help().contains("**Repaired by.**"), "{}", chapter.id);
            assert!(!chapter.text.contains("\n## "), "{}", chapter.id);
        }
    }

    #[test]
    fn a_misspelt_or_half_known_name_is_found() {
        assert_eq!(
            alike("role-replica-key-acess").first(),
            Some(&"role-replica-key-access")
        );
        assert_eq!(alike("metrics").first(), Some(&"metrics-disabled"));
        assert!(alike("ownership").contains(&"object-ownership"));
        assert!(alike("zzzz").is_empty());
    }
}
