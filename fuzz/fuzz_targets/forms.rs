//! Any report that was kept, and any configuration that somebody is about to put, in the forms of the command line: none
//! can be led astray by what stands in it. It needs the AWS SDK, and so takes long to build.
//!
//! The two are separated by a line `---`.
//!
//! `cargo +nightly fuzz run --features cli forms fuzz/corpus/forms fuzz/seeds/forms`

#![no_main]

use libfuzzer_sys::fuzz_target;
use s3_replication_remediator::cli::arguments::Format;
use s3_replication_remediator::cli::configuration::Configuration;
use s3_replication_remediator::cli::look::Looked;
use s3_replication_remediator::cli::output::{Answers, File};
use serde_json::Value;

fn is_forbidden(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}')
}

fuzz_target!(|text: &str| {
    let (kept, configuration) = text.split_once("\n---\n").unwrap_or((text, ""));
    let file = match Configuration::parse(configuration) {
        Ok(configuration) => Some(File {
            path: "r.json".to_owned(),
            configuration,
        }),
        Err(error) => {
            assert!(!error.to_string().contains(is_forbidden), "{error}");
            None
        }
    };
    let looked = match serde_json::from_str::<Looked>(kept) {
        Ok(looked) => looked,
        Err(_) => match serde_json::from_str(kept) {
            Ok(report) => Looked {
                report,
                text: String::new(),
                picture: Default::default(),
            },
            Err(_) => return,
        },
    };
    let Ok(answers) = Answers::new(vec![looked], text.len() % 2 == 0, file) else {
        return;
    };
    for form in [Format::Json, Format::Sarif] {
        let written = answers.written(form).expect("what was read can be written");
        serde_json::from_str::<Value>(&written).expect("JSON");
    }
    let page = answers.written(Format::Html).expect("a page");
    assert!(!page.contains(is_forbidden));
    assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
    let markdown = answers.written(Format::Markdown).expect("Markdown");
    assert!(!markdown.contains(is_forbidden), "{markdown}");
    let _ = answers.written(Format::Text).expect("a text");
});
