//! Settings that somebody misspelt, or wrote so that they mean more than they seem to: the start is stopped.

use s3_replication_remediator::config::{Config, ConfigErrors};

fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Config::from_env(variables.iter().map(owned))
}

#[test]
fn a_guard_whose_name_is_misspelt_is_not_a_guard_that_is_not_there() {
    for name in [
        "REQUIRED_PERMISSIONS_BOUNDARY",
        "REQUIRED_PERMISSION_BOUNDARY_ARN",
        "RequiredPermissionsBoundaryArn",
        "PERMISSIONS_BOUNDARY_ARN",
        "REQUIRED_BOUNDARY_ARN",
        "OPT_OUT",
        "OptOutTag",
        "opt-out-tag",
        "OPT_IN",
        "optInTag",
        "OPTIN_TAG",
        "TrustedAccounts",
        "AllowedRoleArns",
        "mode",
    ] {
        let errors = config(&[(name, "x")]).expect_err(name);
        assert!(errors.to_string().contains("is not a setting; if `"), "{errors}");
    }
}

#[test]
fn a_tag_that_nothing_can_carry_marks_nothing_and_is_refused() {
    for value in [
        "s3-replication-remediator = ignore",
        "s3-replication-remediator =ignore",
        "s3-replication-remediator= ignore",
        "s3-replication-remediator\u{200b}=ignore",
        "s3-replication-remediator=ignore\u{feff}",
        "s3-replication-remediator=ig\u{ad}nore",
        "s3\u{2010}replication=ignore",
        "\"s3-replication-remediator\"=ignore",
        "s3-replication-remediator=ignore,other=ignore",
        "aws:replication=ignore",
        "AWS:replication=ignore",
        "Aws:=ignore",
        "=ignore",
        "ignore",
    ] {
        for name in ["OPT_OUT_TAG", "OPT_IN_TAG"] {
            let errors = config(&[(name, value)]).expect_err(value);
            assert!(!errors.to_string().contains('\u{200b}'), "{errors}");
        }
    }
}

#[test]
fn a_pattern_that_names_every_role_or_key_is_refused_however_it_is_written() {
    for pattern in [
        "*",
        "arn:aws:kms:*:111122223333:key/*",
        "arn:aws:kms:*:111122223333:key/*-*",
        "arn:aws:kms:*:*:key/????????-????-????-????-????????????",
        "arn:aws:kms:*:*:key/?*-?*-*",
        "arn:*:kms:*:*:*",
    ] {
        config(&[("ALLOWED_KEY_ARNS", pattern)]).expect_err(pattern);
    }
    for pattern in [
        "*",
        "arn:aws:iam::*:role/*",
        "arn:aws:iam::*:role/?*",
        "arn:aws:iam::*:role/*/*",
        "arn:*:iam::*:*",
    ] {
        config(&[("ALLOWED_ROLE_ARNS", pattern)]).expect_err(pattern);
    }
}

#[test]
fn what_a_list_holds_beside_arns_is_never_a_part_of_one() {
    let role = "arn:aws:iam::111122223333:role/crr";
    for list in [
        format!("{role};{role}"),
        format!("{role} {role}"),
        format!("{role}\n{role}"),
        format!("[\"{role}\"]"),
        format!("{role}\u{200b}"),
        format!("{role}\u{ff0c}{role}"),
        "arn:aws:iam:::role/crr".to_owned(),
        "arn:aws:iam::111122223333\u{ff0f}role/crr".to_owned(),
        "arn:aws:iam::\u{ff11}11122223333:role/crr".to_owned(),
    ] {
        config(&[("ALLOWED_ROLE_ARNS", list.as_str())]).expect_err(&list);
    }
    let allowed = config(&[("ALLOWED_ROLE_ARNS", &format!(" ,{role}, ,"))]).unwrap();
    assert_eq!(allowed.allowed_roles.len(), 1);
}
