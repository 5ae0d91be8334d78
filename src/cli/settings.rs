//! The settings of the function as options: the same names, the same values, the same checks.
//!
//! An option goes before its environment variable, as in
//! <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-quickstart.html#cli-configure-quickstart-precedence>.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::config::{Config, ConfigErrors, SETTINGS, Setting};
use crate::shell::shell_quote;

/// What only the function can do, so that its settings mean nothing here. Wherever they are set, they are passed over.
pub const OF_THE_FUNCTION: [&str; 8] = [
    "NOTIFICATION_TOPIC_ARN",
    "LEDGER_TABLE",
    "REMIND_AFTER_HOURS",
    "EVENT_BUS_NAME",
    "CHAT_TOPIC_ARN",
    "SECURITY_HUB",
    "REPORT_REFUSED_PUTS",
    "QUEUE_URL",
];

/// What holds here where nothing is said: who sits at the keyboard may approve.
const MODE: &str = "approve";

/// The settings that were given as options: environment variable and value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(Vec<(String, String)>);

impl Given {
    /// The settings, checked: those given, those of the environment, and the defaults.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn config(
        &self,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, ConfigErrors> {
        let is_given = |name: &str| self.0.iter().any(|(given, _)| given == name);
        let environment =
            environment.filter(|(name, _)| !is_given(name) && !OF_THE_FUNCTION.contains(&name.as_str()));
        let default = ("MODE".to_owned(), MODE.to_owned());
        Config::from_env(
            std::iter::once(default)
                .chain(environment)
                .chain(self.0.iter().cloned()),
        )
    }

    /// The same options again, quoted for a shell and with a space before each.
    pub fn again(&self) -> String {
        self.0
            .iter()
            .map(|(name, value)| format!(" --{} {}", option(name), shell_quote(value)))
            .collect()
    }
}

/// The settings that mean something on the command line.
pub fn offered() -> impl Iterator<Item = Setting> {
    SETTINGS
        .into_iter()
        .filter(|setting| !OF_THE_FUNCTION.contains(&setting.name))
}

/// `OPT_IN_TAG` is `--opt-in-tag`.
fn option(setting: &str) -> String {
    setting.to_lowercase().replace('_', "-")
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0 = offered()
            .filter_map(|setting| {
                let value = matches.get_one::<String>(setting.name)?;
                Some((setting.name.to_owned(), value.clone()))
            })
            .collect();
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        let options = offered().map(|setting| {
            let default = match setting.name {
                "MODE" => MODE,
                _ => setting.default,
            };
            let default = match default {
                "" => String::new(),
                default => format!(" [default: {default}]"),
            };
            let doc = setting.doc.trim_end_matches('.');
            Arg::new(setting.name)
                .long(option(setting.name))
                .value_name("VALUE")
                .help(format!("{doc} [env: {}]{default}", setting.name))
                .help_heading("Settings, as of the function")
                .hide_short_help(true)
        });
        command.args(options)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;

    fn variables(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn an_option_goes_before_its_variable_even_where_it_is_empty() {
        let given = Given(variables(&[("TRUSTED_ACCOUNTS", ""), ("OPT_IN_TAG", "a=b")]));
        let environment = variables(&[("TRUSTED_ACCOUNTS", "444455556666"), ("OPT_IN_TAG", "c=d")]);
        let config = given.config(environment.into_iter()).unwrap();
        assert!(config.trusted_accounts.is_empty());
        assert_eq!(config.opt_in_tag.value, "b");
    }

    #[test]
    fn who_sits_at_the_keyboard_may_approve_unless_the_environment_says_otherwise() {
        let mode = |environment| {
            Given::default()
                .config(variables(environment).into_iter())
                .unwrap()
                .mode
        };
        assert_eq!(mode(&[]), Mode::Approve);
        assert_eq!(mode(&[("MODE", "")]), Mode::Approve);
        assert_eq!(mode(&[("MODE", "dry-run")]), Mode::DryRun);
    }

    #[test]
    fn what_only_the_function_can_do_is_passed_over() {
        let environment = variables(&[("NOTIFICATION_TOPIC_ARN", "no topic"), ("QUEUE_URL", "no queue")]);
        assert!(Given::default().config(environment.into_iter()).is_ok());
        for name in OF_THE_FUNCTION {
            assert!(SETTINGS.iter().any(|setting| setting.name == name), "{name}");
        }
    }

    #[test]
    fn a_wrong_setting_is_told_as_the_function_tells_it() {
        let error = Given(variables(&[("SAMPLE_OBJECTS", "5")]))
            .config(std::iter::empty())
            .unwrap_err();
        assert!(
            error.to_string().contains("needs INSPECT_OBJECTS=true"),
            "{error}"
        );
    }

    #[test]
    fn the_same_options_are_said_again_as_a_shell_takes_them() {
        let given = Given(variables(&[("OPT_IN_TAG", "fix me=it's")]));
        assert_eq!(given.again(), " --opt-in-tag 'fix me=it'\\''s'");
    }
}
