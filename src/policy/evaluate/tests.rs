//! How the layers combine where the corpus is silent: unread layers, elements that are not understood, what is told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::observed::{Observed, ReadFailure};
use crate::policy::Decision::{self, Allowed, ExplicitlyDenied, ImplicitlyDenied, Undetermined};
use crate::policy::world::{KEY, ROLE, SESSION, World, delegation, named, world};
use crate::policy::{
    ArnPart, Caller, DoubtReason, Flaw, Grant, GrantConstraints, Guardrail, Layer, Mismatch, PolicyDocument,
    PolicyLevel, PolicySet, Truth,
};

const OBJECT: &str = "arn:aws:s3:::src/a";

fn failure() -> ReadFailure {
    ReadFailure {
        what: "it".into(),
        operation: "x:Get".into(),
        error_code: "AccessDenied".into(),
        permit: String::new(),
    }
}

fn allow_all() -> Value {
    json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
}

fn to(principal: Value) -> Value {
    json!([{"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*"}])
}

fn object() -> World {
    world("s3:ReplicateObject", OBJECT)
}

fn key() -> World {
    world("kms:Decrypt", KEY)
}

fn decision(world: &World) -> Decision {
    world.answer().decision
}

fn unread_identity(mut world: World) -> World {
    world.identity.unread.push(failure());
    world
}

fn unread_boundary(mut world: World) -> World {
    world.boundary = Observed::Unreadable(failure());
    world
}

fn unread_resource(mut world: World) -> World {
    world.resource = Observed::Unreadable(failure());
    world
}

fn grant() -> Grant {
    Grant {
        id: "g1".into(),
        name: Some("ours".into()),
        key: KEY.parse().unwrap(),
        grantee: ROLE.into(),
        retiring_principal: None,
        operations: ["Decrypt".to_owned()].into(),
        constraints: GrantConstraints::default(),
    }
}

fn granted(grant: Grant) -> World {
    let mut world = key().resource(json!([]));
    world.grants = Observed::Found(vec![grant]);
    world
}

#[test]
fn an_unread_layer_leaves_open_exactly_what_the_others_do_not_settle() {
    let deny = json!([{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]);
    let narrow = json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]);
    let direct = to(json!({"AWS": SESSION}));
    for (world, expected, why) in [
        (unread_identity(object()), Undetermined, "it might allow"),
        (
            unread_identity(object().role(allow_all())),
            Undetermined,
            "it might deny",
        ),
        (
            unread_identity(object().role(deny.clone())),
            ExplicitlyDenied,
            "a denial that was read decides",
        ),
        (
            unread_identity(object().boundary(narrow.clone())),
            ImplicitlyDenied,
            "the boundary lacks the action, whatever the role's policies say",
        ),
        (
            unread_identity(object().boundary(narrow.clone()).resource(direct.clone())),
            Undetermined,
            "the session is allowed past the boundary, but may be denied",
        ),
        (
            unread_identity(key().resource(json!([]))),
            ImplicitlyDenied,
            "a key that trusts nobody",
        ),
        (
            unread_identity(key().resource(delegation())),
            Undetermined,
            "a key that trusts the account",
        ),
        (
            unread_identity(object().of_account("444455556666")),
            ImplicitlyDenied,
            "across accounts a silent resource decides",
        ),
        (
            unread_boundary(object().role(allow_all())),
            Undetermined,
            "the boundary might not contain it",
        ),
        (
            unread_boundary(object()),
            ImplicitlyDenied,
            "a boundary grants nothing",
        ),
        (
            unread_boundary(object().resource(direct.clone())),
            Undetermined,
            "a boundary might deny",
        ),
        (
            unread_resource(object().role(allow_all())),
            Undetermined,
            "a bucket policy might deny",
        ),
        (
            unread_resource(object()),
            Undetermined,
            "a bucket policy might allow",
        ),
        (
            unread_resource(object().of_account("444455556666")),
            ImplicitlyDenied,
            "across accounts a silent role decides",
        ),
        (
            unread_resource(object().boundary(deny)),
            ExplicitlyDenied,
            "a denial in the boundary decides",
        ),
    ] {
        assert_eq!(decision(&world), expected, "{why}");
    }
}

#[test]
fn unread_documents_of_an_organisation_and_unread_grants_leave_the_answer_open() {
    let level = |policies| {
        vec![PolicyLevel {
            name: "root".into(),
            policies,
        }]
    };
    let unread = PolicySet {
        policies: vec![named("all", allow_all())],
        unread: vec![failure()],
    };
    let mut scp = object().role(allow_all());
    scp.scps = level(unread.clone());
    assert_eq!(decision(&scp), Undetermined);
    assert_eq!(scp.answer().doubts[0].layer, Layer::Scp);
    let mut rcp = object().role(allow_all());
    rcp.rcps = level(PolicySet {
        policies: vec![named("all", to(json!("*")))],
        ..unread
    });
    assert_eq!(decision(&rcp), Undetermined);
    assert_eq!(rcp.answer().doubts[0].layer, Layer::Rcp);
    let mut grants = granted(grant());
    grants.grants = Observed::Unreadable(failure());
    assert_eq!(decision(&grants), Undetermined);
    assert_eq!(grants.answer().layers.grants, Some(Undetermined));
    grants.request.action = "s3:ReplicateObject".into();
    assert_eq!(decision(&grants), ImplicitlyDenied, "grants have no say in S3");
}

#[test]
fn what_is_not_understood_matters_only_where_the_rest_of_the_statement_applies() {
    let with = |effect: &str, action: &str, extra: (&str, Value)| {
        let mut statement = json!({"Effect": effect, "Action": action, "Resource": "*"});
        statement[extra.0] = extra.1;
        json!([statement])
    };
    let operator = || ("Condition", json!({"StringIs": {"a": "b"}}));
    for (statements, alone, beside_allow) in [
        (with("Allow", "s3:*", operator()), Undetermined, Allowed),
        (with("Deny", "s3:*", operator()), ImplicitlyDenied, Undetermined),
        (with("Deny", "kms:*", operator()), ImplicitlyDenied, Allowed),
        (with("Allow", "s3:*", ("Foo", json!(1))), Undetermined, Allowed),
        (
            with("Deny", "s3:*", ("effect", json!("Deny"))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Permit", "s3:*", ("Sid", json!("x"))),
            Undetermined,
            Undetermined,
        ),
        (
            with("Permit", "kms:*", ("Sid", json!("x"))),
            ImplicitlyDenied,
            Allowed,
        ),
        (
            with("Deny", "s3:*", ("Condition", json!([]))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Deny", "s3:*", ("Condition", json!({"Bool": 1}))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Deny", "s3:*", ("Condition", json!({"Bool": {"a": null}}))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Deny", "s3:*", ("Condition", json!({"Bool": {"a": []}}))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Deny", "s3:*", ("Principal", json!("*"))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Deny", "s3:*", ("NotAction", json!("x:y"))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Deny", "s3:*", ("Resource", json!([]))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Deny", "s3:*", ("Resource", json!(7))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Deny", "s3:*", ("Action", json!({}))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Deny", "s3", ("Sid", json!("x"))),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            with("Deny", "kms", ("Sid", json!("x"))),
            ImplicitlyDenied,
            Allowed,
        ),
        (
            json!([{"Effect": "Deny", "Action": "s3:*"}]),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            json!([{"Effect": "Deny", "Resource": "*"}]),
            ImplicitlyDenied,
            Undetermined,
        ),
        (json!(["Deny"]), Undetermined, Undetermined),
        (
            json!([{"Action": "s3:*", "Resource": "*"}]),
            Undetermined,
            Undetermined,
        ),
    ] {
        let only = object().role(statements.clone());
        assert_eq!(decision(&only), alone, "{statements}");
        let mut both = statements.as_array().unwrap().clone();
        both.extend(allow_all().as_array().unwrap().clone());
        assert_eq!(
            decision(&object().role(json!(both))),
            beside_allow,
            "{statements}"
        );
        both.push(json!({"Effect": "Deny", "Action": "*", "Resource": "*"}));
        assert_eq!(
            decision(&object().role(json!(both))),
            ExplicitlyDenied,
            "{statements}"
        );
    }
}

#[test]
fn a_version_or_element_of_the_document_that_is_not_known_casts_doubt_on_all_its_statements() {
    for document in [
        json!({"Version": "2030-01-01", "Statement": allow_all()}),
        json!({"Version": 2012, "Statement": allow_all()}),
        json!({"Statements": [], "Statement": allow_all()}),
    ] {
        let mut world = object();
        let policy = crate::policy::NamedPolicy::new("p", PolicyDocument::from_value(document).unwrap());
        world.identity = PolicySet::complete(vec![policy]);
        assert_eq!(decision(&world), Undetermined);
    }
}

#[test]
fn a_doubt_names_its_statement_and_its_cause() {
    let world = object().role(json!([
        {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*", "Condition": {"Nope": {"a": "b"}}},
        {"Sid": "S", "Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringIs": {"a": "b"}}}
    ]));
    let answer = world.answer();
    assert_eq!(answer.doubts.len(), 1, "{:?}", answer.doubts);
    let doubt = &answer.doubts[0];
    assert_eq!(doubt.statement.as_ref().unwrap().sid.as_deref(), Some("S"));
    assert_eq!(
        doubt.reason,
        DoubtReason::Flaw(Flaw::UnknownOperator("StringIs".into()))
    );
}

#[test]
fn principals_of_unclear_meaning_never_allow_and_never_let_a_denial_pass() {
    let statement = |effect: &str, principal: &Value| json!([{"Effect": effect, "Principal": principal, "Action": "*", "Resource": "*"}]);
    for (principal, when_allowing, when_denying) in [
        (
            json!({"AWS": "arn:aws:iam::111122223333:role/*"}),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            json!({"AWS": "arn:aws:sts::111122223333:assumed-role/crr/*"}),
            ImplicitlyDenied,
            Undetermined,
        ),
        (
            json!({"AWS": "arn:aws:iam::111122223333:role/x*"}),
            ImplicitlyDenied,
            Allowed,
        ),
        (json!({"CanonicalUser": "79a5"}), ImplicitlyDenied, Undetermined),
        (json!({"Robot": "r2"}), Undetermined, Undetermined),
        (json!({}), Undetermined, Undetermined),
        (json!(["*"]), Undetermined, Undetermined),
        (json!({"AWS": 7}), Undetermined, Undetermined),
        (json!({"AWS": "AROAEXAMPLEEXAMPLE123"}), ImplicitlyDenied, Allowed),
        (json!({"Service": "s3.amazonaws.com"}), ImplicitlyDenied, Allowed),
        (
            json!({"Federated": "accounts.google.com"}),
            ImplicitlyDenied,
            Allowed,
        ),
        (
            json!({"AWS": "arn:aws-cn:iam::111122223333:root"}),
            ImplicitlyDenied,
            Allowed,
        ),
        (
            json!({"AWS": "arn:aws:iam::111122223333:root"}),
            ImplicitlyDenied,
            ExplicitlyDenied,
        ),
    ] {
        let allowing = object().resource(statement("Allow", &principal));
        assert_eq!(decision(&allowing), when_allowing, "{principal}");
        let denying = object().role(allow_all()).resource(statement("Deny", &principal));
        assert_eq!(decision(&denying), when_denying, "{principal}");
    }
    let missing = json!([{"Effect": "Deny", "Action": "*", "Resource": "*"}]);
    assert_eq!(
        decision(&object().role(allow_all()).resource(missing)),
        Undetermined
    );
}

#[test]
fn not_principal_spares_only_a_caller_that_is_listed_in_full_and_has_no_boundary() {
    let statement = |effect: &str, listed: Value| json!([{"Effect": effect, "NotPrincipal": listed, "Action": "*", "Resource": "*"}]);
    let full = json!({"AWS": [SESSION, ROLE, "111122223333"]});
    let denying = |listed: &Value| {
        object()
            .role(allow_all())
            .resource(statement("Deny", listed.clone()))
    };
    assert_eq!(decision(&denying(&full)), Allowed);
    assert_eq!(decision(&denying(&json!("*"))), Allowed);
    assert_eq!(decision(&denying(&full).boundary(allow_all())), ExplicitlyDenied);
    assert_eq!(decision(&unread_boundary(denying(&full))), Undetermined);
    for partial in [
        json!({"AWS": ROLE}),
        json!({"AWS": SESSION}),
        json!({"AWS": "111122223333"}),
        json!({"AWS": [ROLE, "111122223333"]}),
        json!({"AWS": [ROLE, SESSION]}),
        json!({"Robot": "r2"}),
    ] {
        assert_eq!(decision(&denying(&partial)), Undetermined, "{partial}");
        let reason = &denying(&partial).answer().doubts[0].reason;
        assert_eq!(*reason, DoubtReason::PartialNotPrincipal, "{partial}");
    }
    let others = json!({"AWS": "arn:aws:iam::444455556666:root"});
    assert_eq!(decision(&denying(&others)), ExplicitlyDenied);
    assert_eq!(decision(&unread_boundary(denying(&others))), ExplicitlyDenied);
    let allowing = object().resource(statement("Allow", others.clone()));
    assert_eq!(decision(&allowing), Undetermined, "AWS does not support it");
    assert_eq!(
        allowing.answer().doubts[0].reason,
        DoubtReason::Flaw(Flaw::Misplaced("NotPrincipal"))
    );
    assert_eq!(
        decision(&object().resource(statement("Allow", full))),
        ImplicitlyDenied
    );
    let mut service = trust(statement("Deny", json!({"Service": "s3.amazonaws.com"})));
    assert_eq!(decision(&service), ImplicitlyDenied);
    assert_eq!(
        decision(&service.boundary(allow_all())),
        ImplicitlyDenied,
        "a service has no boundary"
    );
    service = trust(statement("Allow", others));
    assert_eq!(decision(&service), Undetermined);
    assert_eq!(
        decision(&unread_boundary(trust(statement("Deny", json!({"AWS": ROLE}))))),
        ExplicitlyDenied
    );
}

fn trust(statements: Value) -> World {
    let mut world = world("sts:AssumeRole", ROLE).resource(statements);
    world.request.caller = Caller::Service("s3.amazonaws.com".into());
    world
}

#[test]
fn a_service_is_allowed_by_its_exact_name_and_bound_by_no_layer_of_the_role() {
    let assume = |principal: Value| {
        trust(json!([{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]))
    };
    let by_name = || assume(json!({"Service": "s3.amazonaws.com"}));
    assert_eq!(decision(&by_name()), Allowed);
    assert_eq!(
        decision(&assume(json!("*"))),
        Undetermined,
        "AWS does not say that services are among all users"
    );
    assert_eq!(
        decision(&assume(json!({"Service": "s3.us-east-1.amazonaws.com"}))),
        ImplicitlyDenied
    );
    let deny = json!([{"Effect": "Deny", "Action": "*", "Resource": "*"}]);
    let mut bound = unread_identity(unread_boundary(by_name()));
    bound.scps = vec![PolicyLevel {
        name: "root".into(),
        policies: PolicySet::complete(vec![named("p", deny.clone())]),
    }];
    assert_eq!(decision(&bound), Allowed);
    assert_eq!(
        (bound.answer().layers.identity, bound.answer().layers.scps),
        (None, None)
    );
    let mut rcp = by_name();
    rcp.rcps = vec![PolicyLevel {
        name: "root".into(),
        policies: PolicySet::complete(vec![named(
            "p",
            json!([{"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Resource": "*"}]),
        )]),
    }];
    assert_eq!(decision(&rcp), ExplicitlyDenied);
    let everyone = trust(json!([
        {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
    ]));
    assert_eq!(
        decision(&everyone),
        Undetermined,
        "whether everyone includes services is not documented"
    );
}

#[test]
fn a_role_may_assume_a_role_of_its_account_if_the_trust_policy_leaves_that_to_the_account() {
    let assume = |principal: &str| {
        world("sts:AssumeRole", "arn:aws:iam::111122223333:role/member")
            .role(allow_all())
            .resource(
                json!([{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}]),
            )
    };
    assert_eq!(decision(&assume("111122223333")), Allowed);
    assert_eq!(decision(&assume("444455556666")), ImplicitlyDenied);
}

#[test]
fn organisations_do_not_bind_service_linked_roles() {
    let mut world = object().role(allow_all());
    let role = "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/crr"
        .parse()
        .unwrap();
    world.request.caller = Caller::session_of(&role, "s");
    let silent = vec![PolicyLevel::default()];
    world.scps = silent.clone();
    world.rcps = silent;
    assert_eq!(decision(&world), Allowed);
    let role = "arn:aws:iam::111122223333:role/other/crr".parse().unwrap();
    world.request.caller = Caller::session_of(&role, "s");
    assert_eq!(decision(&world), ImplicitlyDenied);
    assert_eq!(
        world.answer().blocked_by,
        [
            Guardrail::Scp { level: String::new() },
            Guardrail::Rcp { level: String::new() }
        ]
    );
}

#[test]
fn a_grant_that_fits_allows_and_one_of_unclear_reach_leaves_the_answer_open() {
    let with = |change: fn(&mut Grant)| {
        let mut grant = grant();
        change(&mut grant);
        granted(grant)
    };
    let fits = granted(grant());
    assert_eq!(decision(&fits), Allowed);
    assert_eq!(fits.answer().deciding[0].to_string(), "grant `ours`");
    assert_eq!(decision(&with(|grant| grant.grantee = SESSION.into())), Allowed);
    assert_eq!(
        decision(&with(|grant| grant.grantee = format!("{ROLE}x"))),
        ImplicitlyDenied
    );
    assert_eq!(
        decision(&with(|grant| grant.operations = ["Encrypt".to_owned()].into())),
        ImplicitlyDenied
    );
    for account in ["111122223333", "arn:aws:iam::111122223333:root"] {
        let mut to_account = granted(grant());
        if let Observed::Found(grants) = &mut to_account.grants {
            grants[0].grantee = account.into();
        }
        assert_eq!(decision(&to_account), Undetermined);
        assert_eq!(to_account.answer().doubts[0].reason, DoubtReason::GrantToAccount);
    }
    assert_eq!(
        decision(&with(|grant| grant.grantee = "444455556666".into())),
        ImplicitlyDenied
    );
    let constrained = with(|grant| grant.constraints.unknown = vec!["SourceArn".into()]);
    assert_eq!(decision(&constrained), Undetermined);
    assert_eq!(
        constrained.answer().doubts[0].reason,
        DoubtReason::GrantConstraint("SourceArn".into())
    );
    let context = |value: &str| Some(BTreeMap::from([("aws:s3:arn".to_owned(), value.to_owned())]));
    let mut equal = granted(grant());
    if let Observed::Found(grants) = &mut equal.grants {
        grants[0].constraints.equals = context("arn:aws:s3:::src");
        grants[0].constraints.subset = context("arn:aws:s3:::src");
    }
    assert_eq!(decision(&equal), Allowed);
    let more = equal.with("kms:EncryptionContext:tenant", "t");
    assert_eq!(
        decision(&more),
        ImplicitlyDenied,
        "the context must be equal as a whole"
    );
    let mut unknown_but_other = with(|grant| grant.constraints.unknown = vec!["SourceArn".into()]);
    if let Observed::Found(grants) = &mut unknown_but_other.grants {
        grants[0].constraints.subset = context("arn:aws:s3:::other");
    }
    assert_eq!(
        decision(&unknown_but_other),
        ImplicitlyDenied,
        "no reading of it fits"
    );
}

#[test]
fn whether_a_boundary_limits_a_grant_is_not_known() {
    let narrow = json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]);
    let against = granted(grant()).boundary(narrow.clone());
    assert_eq!(decision(&against), Undetermined);
    assert_eq!(
        against.answer().doubts[0].reason,
        DoubtReason::GrantAgainstBoundary
    );
    assert_eq!(decision(&granted(grant()).boundary(allow_all())), Allowed);
    assert_eq!(decision(&unread_boundary(granted(grant()))), Undetermined);
    let mut without = granted(grant()).boundary(narrow);
    without.grants = Observed::Found(Vec::new());
    assert_eq!(decision(&without), ImplicitlyDenied);
}

#[test]
fn an_answer_that_rests_on_the_absence_of_a_key_says_which_and_one_that_does_not_is_silent() {
    let denied_unless = |extra: Value| {
        let mut statements = allow_all().as_array().unwrap().clone();
        statements.push(json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}));
        statements.push(extra);
        object().role(json!(statements))
    };
    let nothing = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"});
    let answer = denied_unless(nothing).answer();
    assert_eq!(answer.decision, ExplicitlyDenied);
    let keys: Vec<&str> = answer
        .absent_keys
        .iter()
        .map(|absent| absent.key.as_str())
        .collect();
    assert_eq!(keys, ["aws:SourceVpce"]);
    assert_eq!(answer.absent_keys[0].statement.index, 1);
    let anyway = denied_unless(json!({"Effect": "Deny", "Action": "*", "Resource": "*"})).answer();
    assert_eq!(anyway.absent_keys, [], "it is denied with the key too");
    let allowed = |condition: Value| {
        object()
            .role(json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}]))
            .answer()
    };
    for (condition, decision, key) in [
        (
            json!({"StringEqualsIfExists": {"aws:SourceVpce": "v"}}),
            Allowed,
            "aws:SourceVpce",
        ),
        (
            json!({"StringEquals": {"aws:SourceAccount": "v"}}),
            ImplicitlyDenied,
            "aws:SourceAccount",
        ),
        (json!({"Null": {"aws:SourceIp": "true"}}), Allowed, "aws:SourceIp"),
        (
            json!({"ForAllValues:StringEquals": {"aws:TagKeys": "x"}}),
            Allowed,
            "aws:TagKeys",
        ),
        (
            json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "x"}}),
            ImplicitlyDenied,
            "aws:TagKeys",
        ),
        (
            json!({"StringEquals": {"kms:ViaService": "${aws:SourceVpc}"}}),
            ImplicitlyDenied,
            "aws:sourcevpc",
        ),
    ] {
        let answer = allowed(condition.clone());
        assert_eq!(answer.decision, decision, "{condition}");
        let keys: Vec<&str> = answer
            .absent_keys
            .iter()
            .map(|absent| absent.key.as_str())
            .collect();
        assert_eq!(keys, [key], "{condition}");
    }
    let fails_anyway =
        allowed(json!({"StringEquals": {"aws:SourceAccount": "v", "kms:ViaService": "other"}}));
    assert_eq!(fails_anyway.absent_keys, []);
}

#[test]
fn a_variable_in_a_resource_without_a_value_matches_nothing_and_says_so() {
    let on = |effect: &str, element: &str, resource: &str| {
        let mut statement = json!({"Effect": effect, "Action": "*"});
        statement[element] = json!(resource);
        let mut statements = vec![statement];
        if effect == "Deny" {
            statements.extend(allow_all().as_array().unwrap().clone());
        }
        object().role(json!(statements)).answer()
    };
    let absent = on("Allow", "Resource", "arn:aws:s3:::${aws:PrincipalTag/b}/*");
    assert_eq!(absent.decision, ImplicitlyDenied);
    assert_eq!(absent.absent_keys[0].key, "aws:principaltag/b");
    assert_eq!(
        on("Deny", "NotResource", "arn:aws:s3:::${aws:PrincipalTag/b}/*").decision,
        ExplicitlyDenied
    );
    // The account part is literal; that must not void a denial, nor widen an Allow that excepts it.
    let early = "arn:aws:s3::${aws:PrincipalTag/none, ''}:src/a";
    assert_eq!(on("Allow", "Resource", early).decision, ImplicitlyDenied);
    assert_eq!(on("Deny", "Resource", early).decision, Undetermined);
    assert_eq!(on("Allow", "NotResource", early).decision, Undetermined);
    assert_eq!(on("Deny", "NotResource", early).decision, ExplicitlyDenied);
    assert_eq!(
        on("Deny", "Resource", "arn:aws:s3::${aws:PrincipalTag/none}:src/a").decision,
        Allowed
    );
    let of_other = "arn:aws:s3::${aws:PrincipalTag/none, ''}:other/a";
    assert_eq!(on("Deny", "Resource", of_other).decision, Allowed);
    for effect in ["Allow", "Deny"] {
        assert_eq!(
            on(effect, "Resource", "arn:aws:s3*src/a").decision,
            Undetermined,
            "{effect}"
        );
    }
    assert_eq!(
        on("Allow", "Resource", "arn:aws:s3*src/b").decision,
        ImplicitlyDenied
    );
}

#[test]
fn conditions_that_aws_does_not_document_never_allow_and_never_let_a_denial_pass() {
    let allow = |condition: &Value| json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}]);
    let deny = |condition: &Value| {
        json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
               {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}])
    };
    let world = |statements: Value| {
        let mut world = object().role(statements);
        world.request.context = world
            .request
            .context
            .with_set("kms:EncryptionContextKeys", ["aws:s3:arn"]);
        world.with("aws:PrincipalArn", ROLE)
    };
    for (condition, when_allowing, when_denying) in [
        (
            json!({"StringEquals": {"kms:EncryptionContextKeys": "aws:s3:arn"}}),
            Undetermined,
            Undetermined,
        ),
        (
            json!({"StringNotEquals": {"kms:EncryptionContextKeys": "x"}}),
            Undetermined,
            Undetermined,
        ),
        (
            json!({"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "x"}}),
            Undetermined,
            Undetermined,
        ),
        (
            json!({"StringNotEquals": {"kms:ViaService": "${kms:EncryptionContextKeys}"}}),
            Undetermined,
            Undetermined,
        ),
        (
            json!({"StringNotEquals": {"kms:ViaService": ["${aws:SourceVpc}", "s3.eu-west-1.amazonaws.com"]}}),
            ImplicitlyDenied,
            Allowed,
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam*"}}),
            Undetermined,
            Undetermined,
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "*"}}),
            Undetermined,
            Undetermined,
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:s3*"}}),
            ImplicitlyDenied,
            Allowed,
        ),
        (
            json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:s3*"}}),
            Allowed,
            ExplicitlyDenied,
        ),
        (
            json!({"Null": {"aws:SourceIp": "maybe"}}),
            Undetermined,
            Undetermined,
        ),
        (
            json!({"NullIfExists": {"aws:SourceIp": "true"}}),
            Undetermined,
            Undetermined,
        ),
    ] {
        assert_eq!(decision(&world(allow(&condition))), when_allowing, "{condition}");
        assert_eq!(decision(&world(deny(&condition))), when_denying, "{condition}");
    }
}

#[test]
fn of_a_key_with_several_possible_values_only_what_holds_for_all_of_them_is_certain() {
    let world = |effect: &str, condition: &Value| {
        let mut world = object().role(json!([
            {"Effect": "Allow", "Action": if effect == "Deny" { "*" } else { "iam:*" }, "Resource": "*"},
            {"Effect": effect, "Action": "*", "Resource": "*", "Condition": condition}
        ]));
        world.request.context = world.request.context.with_one_of("s3:TlsVersion", ["1.2", "1.3"]);
        world
    };
    for (condition, when_allowing, when_denying) in [
        (
            json!({"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
            ImplicitlyDenied,
            Allowed,
        ),
        (
            json!({"NumericLessThanIfExists": {"s3:TlsVersion": "1.2"}}),
            ImplicitlyDenied,
            Allowed,
        ),
        (
            json!({"NumericGreaterThanEquals": {"s3:TlsVersion": 1.2}}),
            Allowed,
            ExplicitlyDenied,
        ),
        (
            json!({"NumericLessThan": {"s3:TlsVersion": "1.3"}}),
            Undetermined,
            Undetermined,
        ),
        (
            json!({"Null": {"s3:TlsVersion": "false"}}),
            Allowed,
            ExplicitlyDenied,
        ),
        (
            json!({"StringEquals": {"s3:TlsVersion": "${s3:TlsVersion}"}}),
            Undetermined,
            Undetermined,
        ),
    ] {
        assert_eq!(
            decision(&world("Allow", &condition)),
            when_allowing,
            "{condition}"
        );
        assert_eq!(decision(&world("Deny", &condition)), when_denying, "{condition}");
    }
    let told = world("Deny", &json!({"NumericLessThan": {"s3:TlsVersion": "1.3"}})).told();
    assert!(
        told.contains("`s3:TlsVersion` in S3's request is not known here"),
        "{told}"
    );
}

#[test]
fn deciding_statements_are_those_that_take_part() {
    let deciding = |world: &World| -> Vec<String> {
        world
            .answer()
            .deciding
            .iter()
            .map(|statement| format!("{:?} {}", statement.layer, statement.index))
            .collect()
    };
    let bounded = object().role(allow_all()).boundary(allow_all());
    assert_eq!(deciding(&bounded), ["Identity 0", "Boundary 0"]);
    let own_account = object()
        .role(allow_all())
        .resource(to(json!({"AWS": "111122223333"})));
    assert_eq!(
        deciding(&own_account),
        ["Identity 0"],
        "a bucket policy adds nothing for its own account"
    );
    assert_eq!(
        deciding(&key().role(allow_all()).resource(delegation())),
        ["Identity 0", "Resource 0"]
    );
    let undelegated = key().role(allow_all()).resource(to(json!({"AWS": ROLE})));
    assert_eq!(
        deciding(&undelegated),
        ["Resource 0"],
        "the role's policies do not count"
    );
    let direct = object().boundary(allow_all()).resource(to(json!("*")));
    assert_eq!(
        deciding(&direct),
        ["Resource 0"],
        "a boundary does not limit a direct Allow"
    );
    let cross = object()
        .role(allow_all())
        .boundary(allow_all())
        .resource(to(json!({"AWS": "111122223333"})))
        .of_account("444455556666");
    assert_eq!(deciding(&cross), ["Identity 0", "Boundary 0", "Resource 0"]);
    let mut organised = object().role(allow_all());
    organised.scps = vec![PolicyLevel {
        name: "root".into(),
        policies: PolicySet::complete(vec![named("FullAWSAccess", allow_all())]),
    }];
    assert_eq!(deciding(&organised), ["Identity 0"]);
}

#[test]
fn guardrails_are_named_only_where_access_would_otherwise_be_granted() {
    let narrow = json!([{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]);
    let deny = json!([{"Effect": "Deny", "Action": "*", "Resource": "*"}]);
    assert_eq!(
        object().boundary(narrow.clone()).answer().blocked_by,
        [],
        "nothing grants it"
    );
    let bounded = object().role(allow_all()).boundary(narrow.clone()).answer();
    assert_eq!(
        bounded.blocked_by,
        [Guardrail::Boundary {
            policy: "limits".into()
        }]
    );
    let everything = key()
        .role(allow_all())
        .boundary(deny)
        .resource(json!([]))
        .answer();
    assert_eq!(everything.blocked_by.len(), 3, "{:?}", everything.blocked_by);
    assert!(matches!(everything.blocked_by[0], Guardrail::ExplicitDeny(_)));
    assert!(
        everything
            .blocked_by
            .contains(&Guardrail::KeyPolicyWithoutDelegation)
    );
    let named = key()
        .role(allow_all())
        .boundary(narrow)
        .resource(to(json!({"AWS": ROLE})))
        .answer();
    assert_eq!(
        named.blocked_by,
        [Guardrail::Boundary {
            policy: "limits".into()
        }],
        "the key policy names the role"
    );
    let sts = world("sts:AssumeRole", ROLE)
        .role(allow_all())
        .resource(json!([]))
        .answer();
    assert_eq!(sts.blocked_by, [], "a trust policy is no key policy");
}

#[test]
fn near_misses_come_nearest_first_and_only_from_layers_that_do_not_allow() {
    let world = key().resource(delegation()).role(json!([
        {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:us-east-1:111122223333:key/k"},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:ViaService": "x"}}},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b"},
        {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:us-east-1:111122223333:key/k"}
    ]));
    let answer = world.answer();
    let near: Vec<usize> = answer
        .near_misses
        .iter()
        .map(|miss| miss.statement.index)
        .collect();
    assert_eq!(near, [2, 1, 0]);
    assert_eq!(
        answer.near_misses[1].mismatches,
        [Mismatch::Resource {
            part: ArnPart::Region,
            named: vec!["arn:aws:kms:us-east-1:111122223333:key/k".into()]
        }]
    );
    assert!(
        answer
            .near_misses
            .iter()
            .all(|miss| miss.statement.layer == Layer::Identity)
    );
    assert_eq!(object().role(allow_all()).answer().near_misses, []);
}

#[test]
fn of_thousands_of_near_misses_the_nearest_are_kept() {
    let far = json!({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"});
    let mut statements = vec![far; 1000];
    statements.push(
        json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": "x"}}}),
    );
    let answer = key().resource(delegation()).role(json!(statements)).answer();
    assert_eq!(answer.near_misses.len(), 32);
    assert_eq!(answer.near_misses[0].statement.index, 1000);
}

#[test]
fn each_layer_has_its_own_verdict_and_the_resource_policy_its_levels() {
    let world = key().role(allow_all()).resource(delegation());
    let layers = world.answer().layers;
    assert_eq!(layers.identity, Some(Allowed));
    assert_eq!(
        (layers.boundary, layers.scps, layers.rcps, layers.grants),
        (None, None, None, None)
    );
    assert_eq!(layers.resource, Some(Allowed));
    assert_eq!(
        (layers.levels.direct, layers.levels.role, layers.levels.account),
        (Truth::No, Truth::No, Truth::Yes)
    );
    let layers = unread_boundary(unread_resource(unread_identity(key())))
        .answer()
        .layers;
    assert_eq!(
        (layers.identity, layers.boundary, layers.resource),
        (Some(Undetermined), Some(Undetermined), Some(Undetermined))
    );
    assert_eq!(layers.levels.direct, Truth::Unknown);
}

#[test]
fn an_answer_says_whether_it_is_certain() {
    for (world, allowed, denied) in [
        (object().role(allow_all()), true, false),
        (object(), false, true),
        (
            object().role(json!([{"Effect": "Deny", "Action": "*", "Resource": "*"}])),
            false,
            true,
        ),
        (unread_identity(object()), false, false),
    ] {
        let answer = world.answer();
        assert_eq!((answer.is_allowed(), answer.is_denied()), (allowed, denied));
    }
}

#[test]
fn a_denial_that_spares_the_caller_unless_it_is_bounded_is_open_while_the_boundary_is_unread() {
    let listed = json!({"AWS": [SESSION, ROLE, "111122223333"]});
    let deny = json!({"Effect": "Deny", "NotPrincipal": listed, "Action": "*", "Resource": "*"});
    let world = unread_boundary(object().role(allow_all()).resource(json!([deny])));
    let reasons: Vec<DoubtReason> = world
        .answer()
        .doubts
        .into_iter()
        .map(|doubt| doubt.reason)
        .collect();
    assert_eq!(
        reasons,
        [
            DoubtReason::Unread(failure()),
            DoubtReason::NotPrincipalAndUnreadBoundary
        ]
    );
    let policy = Observed::Found(named("key policy", json!([delegation()[0], deny])));
    let trust = crate::policy::key_trust(&key().request, &policy);
    assert_eq!(trust, crate::policy::KeyTrust::Unknown);
}

#[test]
fn an_excepted_caller_is_a_near_miss_of_its_own_and_one_that_is_not_excepted_none() {
    let mismatches = |listed: Value| {
        let statement = json!({"Effect": "Allow", "NotPrincipal": {"AWS": listed}, "Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": "x"}}});
        object().resource(json!([statement])).answer().near_misses[0]
            .mismatches
            .len()
    };
    assert_eq!(mismatches(json!([SESSION, ROLE, "111122223333"])), 2);
    assert_eq!(mismatches(json!("444455556666")), 1);
}

#[test]
fn a_statement_without_a_resource_is_one_of_a_trust_policy_or_not_understood() {
    let bare = json!([{"Effect": "Allow", "Action": "*"}]);
    assert_eq!(
        decision(&world("sts:AssumeRole", ROLE).resource(to(json!("*"))).role(bare)),
        Allowed
    );
    let bare = |principal: Value| json!([{"Effect": "Allow", "Principal": principal, "Action": "*"}]);
    assert_eq!(
        decision(&world("sts:AssumeRole", ROLE).resource(bare(json!("*")))),
        Allowed
    );
    assert_eq!(decision(&key().resource(bare(json!("*")))), Undetermined);
    let identity = json!([{"Effect": "Allow", "Action": "*"}]);
    assert_eq!(
        decision(
            &world("sts:AssumeRole", ROLE)
                .resource(delegation())
                .role(identity)
        ),
        ImplicitlyDenied
    );
    let identity = json!([{"Effect": "Allow", "Action": "*"}]);
    let trusting = to(json!({"AWS": "111122223333"}));
    assert_eq!(
        decision(&world("sts:AssumeRole", ROLE).resource(trusting).role(identity)),
        Undetermined
    );
}

#[test]
fn a_call_on_no_resource_in_particular_is_matched_only_by_the_whole_wildcard() {
    let on = |resource: &str| {
        world("s3:ListAllMyBuckets", "*")
            .role(json!([{"Effect": "Allow", "Action": "*", "Resource": resource}]))
    };
    assert_eq!(decision(&on("*")), Allowed);
    assert_eq!(decision(&on("arn:aws:s3:::*")), ImplicitlyDenied);
}

#[test]
fn a_statement_tells_its_name_and_effect() {
    let policy = named("p", json!([{"Sid": "S", "Effect": "Deny"}, {"Sid": 7}]));
    let [first, second] = policy.document.statements() else {
        panic!("two statements")
    };
    assert_eq!(
        (first.sid(), first.effect()),
        (Some("S"), Some(super::Effect::Deny))
    );
    assert_eq!((second.sid(), second.effect()), (None, None));
}

#[test]
fn what_has_no_part_in_a_decision_is_not_named_as_deciding() {
    let deciding = |world: &World| -> Vec<String> {
        let deciding = world.answer().deciding;
        deciding
            .iter()
            .map(|statement| format!("{:?} {}", statement.layer, statement.index))
            .collect()
    };
    let undelegated = granted(grant()).role(allow_all());
    assert_eq!(deciding(&undelegated), ["Grant 0"]);
    assert_eq!(deciding(&undelegated.boundary(allow_all())), ["Grant 0"]);
    let by_session = key().role(allow_all()).resource(to(json!({"AWS": SESSION})));
    assert_eq!(deciding(&by_session), ["Resource 0"]);
    let mut denied = object().role(allow_all());
    denied.scps = vec![PolicyLevel {
        name: "root".into(),
        policies: PolicySet::complete(vec![named(
            "p",
            json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]),
        )]),
    }];
    assert_eq!(deciding(&denied), ["Scp 1"]);
}

#[test]
fn a_grant_that_the_boundary_contains_is_not_in_doubt() {
    let unknown = json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Foo": 1});
    let world = granted(grant()).boundary(allow_all()).role(json!([unknown]));
    let answer = world.answer();
    assert_eq!(answer.decision, Undetermined);
    assert_eq!(answer.doubts.len(), 1, "{:?}", answer.doubts);
}

#[test]
fn a_key_policy_that_lets_the_account_in_may_still_nearly_allow_the_role_itself() {
    let use_key = |principal: &str| {
        json!({"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::src/*"}}})
    };
    let near = |principal: &str, account: &str| {
        let world = key()
            .resource(json!([delegation()[0], use_key(principal)]))
            .of_account(account);
        world.answer().near_misses.len()
    };
    assert_eq!(near(ROLE, "111122223333"), 1);
    assert_eq!(near("arn:aws:iam::111122223333:role/admin", "111122223333"), 0);
    assert_eq!(
        near(ROLE, "444455556666"),
        0,
        "across accounts, letting the account in is all that a key policy can do"
    );
    let boundary = json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]);
    let named = key()
        .resource(json!([to(json!({"AWS": ROLE}))[0], use_key(ROLE)]))
        .boundary(boundary)
        .answer();
    assert!(
        named
            .near_misses
            .iter()
            .all(|miss| miss.statement.layer == Layer::Boundary)
    );
}

#[test]
fn an_incomplete_arn_in_a_policy_of_the_role_is_completed_with_wildcards() {
    let on = |resource: &str| json!([{"Effect": "Allow", "Action": "*", "Resource": resource}]);
    let denying = |resource: &str| {
        let mut statements = allow_all().as_array().unwrap().clone();
        statements.push(json!({"Effect": "Deny", "Action": "*", "Resource": resource}));
        json!(statements)
    };
    for (resource, allowed, denied) in [
        ("arn:aws:s3", Allowed, ExplicitlyDenied),
        ("arn:aws:s3::", Allowed, ExplicitlyDenied),
        ("arn", Allowed, ExplicitlyDenied),
        ("arn:aws:sqs", ImplicitlyDenied, Allowed),
        ("arn:aws:s3:eu-west-1", ImplicitlyDenied, Allowed),
        ("src", ImplicitlyDenied, Allowed),
        ("", ImplicitlyDenied, Allowed),
    ] {
        assert_eq!(decision(&object().role(on(resource))), allowed, "{resource}");
        assert_eq!(decision(&object().role(denying(resource))), denied, "{resource}");
        let bounded = object().role(allow_all()).boundary(on(resource));
        assert_eq!(decision(&bounded), allowed, "{resource} in a boundary");
    }
    let excepting = json!([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3"}]);
    assert_eq!(decision(&object().role(excepting)), ImplicitlyDenied);
    // AWS says so of policies of identities only.
    let bucket_policy = |effect: &str| json!([{"Effect": effect, "Principal": {"AWS": SESSION}, "Action": "*", "Resource": "arn:aws:s3"}]);
    assert_eq!(decision(&object().resource(bucket_policy("Allow"))), Undetermined);
    let denied = object().role(allow_all()).resource(bucket_policy("Deny"));
    assert_eq!(decision(&denied), Undetermined);
    assert_eq!(
        denied.answer().doubts[0].reason,
        DoubtReason::ShortArn("arn:aws:s3".to_owned())
    );
}

#[test]
fn a_key_without_any_value_satisfies_every_for_all_values_and_is_null() {
    let allow = |condition: Value| json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}]);
    let with = |values: &[&str], condition: Value| {
        let mut world = object().role(allow(condition));
        world.request.context = world
            .request
            .context
            .with_set("aws:TagKeys", values.iter().copied())
            .with("aws:PrincipalTag/empty", "");
        decision(&world)
    };
    let all = || json!({"ForAllValues:StringEquals": {"aws:TagKeys": "x"}});
    assert_eq!(with(&[], all()), Allowed);
    assert_eq!(with(&[""], all()), Allowed);
    assert_eq!(with(&["x"], all()), Allowed);
    assert_eq!(with(&["x", "y"], all()), ImplicitlyDenied);
    let any = || json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "x"}});
    assert_eq!(with(&[], any()), ImplicitlyDenied);
    assert_eq!(with(&["y", "x"], any()), Allowed);
    let null = |wanted: &str| json!({"Null": {"aws:TagKeys": wanted}});
    assert_eq!(with(&[], null("true")), Allowed);
    assert_eq!(with(&["x"], null("true")), ImplicitlyDenied);
    assert_eq!(with(&[], null("false")), ImplicitlyDenied);
    let tag = |operator: &str, wanted: &str| json!({operator: {"aws:PrincipalTag/empty": wanted}});
    assert_eq!(with(&[], tag("ForAllValues:StringEquals", "x")), Allowed);
    assert_eq!(with(&[], tag("StringEquals", "x")), ImplicitlyDenied);
    assert_eq!(with(&[], tag("StringEquals", "")), Allowed);
    assert_eq!(with(&[], tag("Null", "false")), ImplicitlyDenied);
    let mut empty = object().role(allow(null("false")));
    empty.request.context = empty.request.context.with_set("aws:TagKeys", [""]);
    assert!(matches!(
        empty.answer().near_misses[0].mismatches[..],
        [Mismatch::ConditionKeyAbsent { .. }]
    ));
    let both = json!({"ForAllValues:StringEquals": {"aws:TagKeys": "x"}, "Null": {"aws:TagKeys": "false"}});
    assert_eq!(with(&[], both.clone()), ImplicitlyDenied);
    assert_eq!(with(&["x"], both), Allowed);
}

#[test]
fn an_action_without_a_service_never_lets_a_denial_pass() {
    for action in ["s3", "S3", "s3*", "s?", "s3?ReplicateObject", "S3*Replicate*"] {
        let statements = json!([
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": action, "Resource": "*"},
        ]);
        assert_eq!(decision(&object().role(statements)), Undetermined, "{action}");
    }
    let elsewhere = json!([
        {"Effect": "Allow", "Action": "S3:rePLICATE?bject", "Resource": "*"},
        {"Effect": "Deny", "Action": ["kms", "sqs*", "s3?Get*"], "Resource": "*"},
    ]);
    assert_eq!(decision(&object().role(elsewhere)), Allowed);
}
