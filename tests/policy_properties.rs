//! What must hold of the evaluator for every policy, not only for those that someone thought of.

#![expect(
    clippy::unwrap_used,
    reason = "what the strategies build is valid by construction"
)]

use proptest::prelude::*;
use proptest::sample::select;
use s3_replication_remediator::observed::{Observed, ReadFailure};
use s3_replication_remediator::policy::{
    Answer, Caller, Context, Decision, Grant, GrantConstraints, Layer, Layers, NamedPolicy, PolicyDocument,
    PolicyLevel, PolicySet, Request, evaluate, explain, key_trust, mistakes,
};
use serde_json::{Map, Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/crr";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/crr/s3-replication";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/k";
const CASES: u32 = 300;

#[derive(Debug, Clone)]
struct World {
    request: Request,
    identity: PolicySet,
    boundary: Observed<NamedPolicy>,
    resource: Observed<NamedPolicy>,
    scps: Vec<PolicyLevel>,
    rcps: Vec<PolicyLevel>,
    grants: Observed<Vec<Grant>>,
}

impl World {
    fn layers(&self) -> Layers<'_> {
        Layers {
            identity: &self.identity,
            boundary: &self.boundary,
            resource: &self.resource,
            scps: &self.scps,
            rcps: &self.rcps,
            grants: &self.grants,
        }
    }

    fn answer(&self) -> Answer {
        evaluate(&self.request, &self.layers())
    }

    fn verdict(&self) -> Decision {
        self.answer().decision
    }

    /// Every layer that a statement can be added to, by the name of its kind.
    fn with_statement(&self, place: Place, statement: &Value) -> Option<Self> {
        let mut world = self.clone();
        let policy = match place {
            Place::Identity => world.identity.policies.first_mut(),
            Place::Boundary => found(&mut world.boundary),
            Place::Resource => found(&mut world.resource),
            Place::Scp => world
                .scps
                .first_mut()
                .and_then(|level| level.policies.policies.first_mut()),
            Place::Rcp => world
                .rcps
                .first_mut()
                .and_then(|level| level.policies.policies.first_mut()),
        }?;
        let mut raw = policy.document.raw().clone();
        raw.get_mut("Statement")?.as_array_mut()?.push(statement.clone());
        policy.document = PolicyDocument::from_value(raw).ok()?;
        Some(world)
    }

    fn unread(&self) -> Vec<Self> {
        let change = |change: &dyn Fn(&mut Self)| {
            let mut world = self.clone();
            change(&mut world);
            world
        };
        let mut worlds = vec![
            change(&|world| world.identity.unread.push(failure())),
            change(&|world| {
                world.identity = PolicySet {
                    policies: Vec::new(),
                    unread: vec![failure()],
                }
            }),
            change(&|world| world.boundary = Observed::Unreadable(failure())),
            change(&|world| world.resource = Observed::Unreadable(failure())),
            change(&|world| world.grants = Observed::Unreadable(failure())),
        ];
        for index in 0..self.scps.len() {
            worlds.push(change(&|world| {
                if let Some(level) = world.scps.get_mut(index) {
                    level.policies.unread.push(failure());
                }
            }));
        }
        for index in 0..self.rcps.len() {
            worlds.push(change(&|world| {
                if let Some(level) = world.rcps.get_mut(index) {
                    level.policies.unread.push(failure());
                }
            }));
        }
        worlds
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Identity,
    Boundary,
    Resource,
    Scp,
    Rcp,
}

fn found(policy: &mut Observed<NamedPolicy>) -> Option<&mut NamedPolicy> {
    match policy {
        Observed::Found(policy) => Some(policy),
        Observed::Absent | Observed::Unreadable(_) => None,
    }
}

fn failure() -> ReadFailure {
    ReadFailure {
        what: "it".into(),
        operation: "x:Get".into(),
        error_code: "AccessDenied".into(),
        permit: String::new(),
    }
}

/// Statements of which about half apply to the requests below, some for unclear reasons.
fn statement(effect: BoxedStrategy<&'static str>, with_principal: bool) -> BoxedStrategy<Value> {
    let action = select(vec![
        "*",
        "s3:*",
        "s3:Replicate*",
        "kms:*",
        "kms:Decrypt",
        "kms:?ecrypt",
        "ec2:*",
    ]);
    let resource = select(vec![
        "*",
        "arn:aws:s3:::b/*",
        "arn:aws:s3:::b*",
        KEY,
        "arn:aws:s3:::${aws:PrincipalTag/none}/*",
        "arn:aws:kms:*",
        "arn:aws:s3*a",
    ]);
    let condition = select(vec![
        json!({}),
        json!({}),
        json!({}),
        json!({"StringEquals": {"aws:SourceVpce": "v"}}),
        json!({"StringNotEquals": {"aws:SourceVpce": "v"}}),
        json!({"StringLike": {"kms:ViaService": "s3.*"}}),
        json!({"StringIs": {"kms:ViaService": "s3.*"}}),
        json!({"StringEquals": {"kms:EncryptionContextKeys": "x"}}),
    ]);
    let principal = select(vec![
        json!("*"),
        json!({"AWS": ROLE}),
        json!({"AWS": SESSION}),
        json!({"AWS": "111122223333"}),
        json!({"AWS": "arn:aws:iam::111122223333:role/other"}),
        json!({"Service": "s3.amazonaws.com"}),
        json!({"CanonicalUser": "79a5"}),
    ]);
    let negated = (
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
    );
    (effect, action, resource, condition, principal, negated)
        .prop_map(
            move |(effect, action, resource, condition, principal, (_, not_action, not_principal))| {
                let mut statement = Map::new();
                statement.insert("Effect".into(), effect.into());
                statement.insert(
                    if not_action { "NotAction" } else { "Action" }.into(),
                    action.into(),
                );
                statement.insert("Resource".into(), resource.into());
                statement.insert("Condition".into(), condition);
                if with_principal {
                    let element = if not_principal {
                        "NotPrincipal"
                    } else {
                        "Principal"
                    };
                    statement.insert(element.into(), principal);
                }
                Value::Object(statement)
            },
        )
        .boxed()
}

fn any_effect() -> BoxedStrategy<&'static str> {
    prop_oneof![6 => Just("Allow"), 1 => Just("Deny")].boxed()
}

fn policy(with_principal: bool) -> BoxedStrategy<NamedPolicy> {
    prop::collection::vec(statement(any_effect(), with_principal), 0..4)
        .prop_map(|statements| {
            let document = json!({"Version": "2012-10-17", "Statement": statements});
            NamedPolicy::new("p", PolicyDocument::from_value(document).unwrap())
        })
        .boxed()
}

fn observed(with_principal: bool) -> BoxedStrategy<Observed<NamedPolicy>> {
    prop_oneof![
        3 => policy(with_principal).prop_map(Observed::Found),
        1 => Just(Observed::Absent),
    ]
    .boxed()
}

fn levels(with_principal: bool) -> BoxedStrategy<Vec<PolicyLevel>> {
    let full = json!({"Version": "2012-10-17", "Statement": [if with_principal {
        json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})
    } else {
        json!({"Effect": "Allow", "Action": "*", "Resource": "*"})
    }]});
    let full = NamedPolicy::new("full", PolicyDocument::from_value(full).unwrap());
    let level = (policy(with_principal), prop::bool::weighted(0.8)).prop_map(move |(policy, with_full)| {
        PolicyLevel {
            name: "level".into(),
            policies: PolicySet::complete(if with_full {
                vec![policy, full.clone()]
            } else {
                vec![policy]
            }),
        }
    });
    prop::collection::vec(level, 0..2).boxed()
}

fn grants() -> BoxedStrategy<Observed<Vec<Grant>>> {
    let grant = (
        select(vec![ROLE, SESSION, "111122223333", "arn:aws:iam::1:role/x"]),
        select(vec!["Decrypt", "Encrypt"]),
    )
        .prop_map(|(grantee, operation)| Grant {
            id: "g".into(),
            name: None,
            key: KEY.parse().unwrap(),
            grantee: grantee.into(),
            retiring_principal: None,
            operations: [operation.to_owned()].into(),
            constraints: GrantConstraints::default(),
        });
    prop_oneof![
        2 => Just(Observed::Absent),
        1 => prop::collection::vec(grant, 0..2).prop_map(Observed::Found),
    ]
    .boxed()
}

fn request() -> BoxedStrategy<Request> {
    let call = select(vec![
        ("s3:ReplicateObject", "arn:aws:s3:::b/a"),
        ("kms:Decrypt", KEY),
        ("kms:Decrypt", KEY),
        ("sts:AssumeRole", ROLE),
    ]);
    let account = select(vec!["111122223333", "111122223333", "444455556666"]);
    let service = prop::bool::weighted(0.1);
    (call, account, service)
        .prop_map(|((action, resource), account, service)| Request {
            caller: if service {
                Caller::Service("s3.amazonaws.com".into())
            } else {
                Caller::Role {
                    role: ROLE.parse().unwrap(),
                    session: SESSION.into(),
                }
            },
            action: action.into(),
            resource: resource.into(),
            resource_account: account.parse().unwrap(),
            context: Context::new()
                .with("aws:PrincipalArn", ROLE)
                .with("kms:ViaService", "s3.eu-west-1.amazonaws.com")
                .with_set("kms:EncryptionContextKeys", ["aws:s3:arn"]),
        })
        .boxed()
}

fn world() -> BoxedStrategy<World> {
    let identity = prop::collection::vec(policy(false), 0..3).prop_map(PolicySet::complete);
    (
        request(),
        identity,
        observed(false),
        observed(true),
        levels(false),
        levels(true),
        grants(),
    )
        .prop_map(
            |(request, identity, boundary, resource, scps, rcps, grants)| World {
                request,
                identity,
                boundary,
                resource,
                scps,
                rcps,
                grants,
            },
        )
        .boxed()
}

fn place() -> BoxedStrategy<Place> {
    select(vec![
        Place::Identity,
        Place::Boundary,
        Place::Resource,
        Place::Scp,
        Place::Rcp,
    ])
    .boxed()
}

/// How far from being allowed: an Allow may only lower it, a Deny only raise it. The two kinds of denial are equally far.
fn distance(verdict: Decision) -> u8 {
    match verdict {
        Decision::Allowed => 0,
        Decision::Undetermined => 1,
        Decision::ImplicitlyDenied | Decision::ExplicitlyDenied => 2,
    }
}

/// JSON of any shape, with the element names of policies mixed in.
fn json_of_any_shape() -> BoxedStrategy<Value> {
    let text = prop_oneof![
        select(vec![
            "Allow",
            "Deny",
            "*",
            "s3:*",
            "2012-10-17",
            "${*}",
            "${",
            "arn:aws:s3:::${a:b, 'c'}/*",
            "true",
            "10.0.0.0/8",
            "2026-05-04",
            "-1.5",
            "AROAEXAMPLEEXAMPLE123",
            ROLE,
            "111122223333",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let name = prop_oneof![
        8 => select(vec![
            "Version", "Statement", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal",
            "Condition", "AWS", "Service", "StringLike", "ForAnyValue:ArnLikeIfExists", "Null", "DateLessThan", "NotIpAddress",
            "NumericEquals", "BinaryEquals", "Bool", "aws:PrincipalArn", "kms:EncryptionContextKeys", "aws:SourceIp",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_deny_never_brings_a_request_nearer_to_being_allowed(
        world in world(), place in place(), deny in statement(Just("Deny").boxed(), true),
    ) {
        let deny = fitted(&deny, place);
        if let Some(denied) = world.with_statement(place, &deny) {
            prop_assert!(distance(denied.verdict()) >= distance(world.verdict()), "{deny}");
        }
    }

    #[test]
    fn a_deny_of_everything_in_any_layer_denies(world in world(), place in place()) {
        let deny = fitted(&json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}), place);
        let bound = matches!(world.request.caller, Caller::Role { .. });
        if bound && let Some(denied) = world.with_statement(place, &deny) {
            prop_assert_eq!(denied.verdict(), Decision::ExplicitlyDenied);
        }
    }

    #[test]
    fn adding_an_allow_never_takes_a_request_further_from_being_allowed(
        world in world(), place in place(), allow in statement(Just("Allow").boxed(), true),
    ) {
        let allow = fitted(&allow, place);
        if let Some(allowed) = world.with_statement(place, &allow) {
            prop_assert!(distance(allowed.verdict()) <= distance(world.verdict()), "{allow}");
        }
    }

    #[test]
    fn a_layer_that_becomes_unreadable_leaves_the_answer_or_makes_it_undetermined(world in world()) {
        let before = world.verdict();
        for unread in world.unread() {
            let after = unread.verdict();
            prop_assert!(
                after == Decision::Undetermined || distance(after) == distance(before),
                "{:?} became {:?} in {:?}", before, after, unread
            );
            prop_assert!(after != Decision::ExplicitlyDenied || before == Decision::ExplicitlyDenied);
        }
    }

    #[test]
    fn an_undetermined_answer_says_what_is_not_known_and_a_determined_one_has_no_doubt(world in world()) {
        let answer = world.answer();
        prop_assert_eq!(answer.decision == Decision::Undetermined, !answer.doubts.is_empty(), "{:?}", answer);
    }

    #[test]
    fn what_decided_is_named_wherever_something_did(world in world()) {
        let answer = world.answer();
        let decided = matches!(answer.decision, Decision::Allowed | Decision::ExplicitlyDenied);
        prop_assert_eq!(decided, !answer.deciding.is_empty(), "{:?}", answer);
        prop_assert!(!answer.is_allowed() || (answer.near_misses.is_empty() && answer.blocked_by.is_empty()));
    }

    #[test]
    fn an_absent_key_that_is_named_is_absent_and_some_policy_tests_it(world in world()) {
        // Whether some value of it would change the answer is another question: two statements may test the same key
        // in ways that exclude each other, which three-valued logic does not see.
        let answer = world.answer();
        let policies = world.identity.policies.iter().chain(world.boundary.found()).chain(world.resource.found());
        let texts: Vec<String> =
            policies.map(|policy| policy.document.raw().to_string().to_lowercase()).collect();
        for absent in &answer.absent_keys {
            prop_assert!(world.request.context.get(&absent.key).is_none(), "{}", absent.key);
            let key = absent.key.to_lowercase();
            let organisation = matches!(absent.statement.layer, Layer::Scp | Layer::Rcp);
            prop_assert!(organisation || texts.iter().any(|text| text.contains(&key)), "{}", absent.key);
        }
    }

    #[test]
    fn sentences_are_short_and_on_one_line(world in world()) {
        let answer = world.answer();
        let told = explain(&world.request, &answer);
        prop_assert!(!told.is_empty() && told.len() < 4_000 && !told.chars().any(char::is_control));
        for mistake in mistakes(&world.request, &world.layers(), &answer) {
            let told = mistake.to_string();
            prop_assert!(told.len() < 2_000 && !told.chars().any(char::is_control));
        }
    }

    #[test]
    fn json_of_any_shape_is_a_policy_or_an_error_and_never_a_panic(value in json_of_any_shape(), world in world()) {
        let statement = json!({"Version": "2012-10-17", "Statement": [value.clone()]});
        for value in [value, statement] {
            let Ok(document) = PolicyDocument::from_value(value.clone()) else { continue };
            prop_assert_eq!(document.raw(), &value);
            let printed = serde_json::to_string(&document).unwrap();
            prop_assert_eq!(&PolicyDocument::parse(&printed).unwrap(), &document);
            let mut world = world.clone();
            let policy = NamedPolicy::new("any", document);
            world.identity = PolicySet::complete(vec![policy.clone()]);
            world.resource = Observed::Found(policy);
            let answer = world.answer();
            prop_assert!(!explain(&world.request, &answer).is_empty());
            let _ = mistakes(&world.request, &world.layers(), &answer);
            let _ = key_trust(&world.request, &world.resource);
        }
    }

    #[test]
    fn text_of_any_kind_is_parsed_or_refused(text in "\\PC{0,40}") {
        let _ = PolicyDocument::parse(&text);
        let _ = PolicyDocument::parse_url_encoded(&text);
    }

    #[test]
    fn the_percent_encoded_form_reads_the_same(world in world()) {
        let Some(policy) = world.identity.policies.first() else { return Ok(()) };
        let plain = policy.document.raw().to_string();
        let encoded = percent_encoding::utf8_percent_encode(&plain, percent_encoding::NON_ALPHANUMERIC).to_string();
        prop_assert_eq!(&PolicyDocument::parse_url_encoded(&encoded).unwrap(), &policy.document);
        prop_assert_eq!(&PolicyDocument::parse(&plain).unwrap(), &policy.document);
    }
}

/// The statement in the form that a document of this kind takes.
fn fitted(statement: &Value, place: Place) -> Value {
    let mut statement = statement.clone();
    if let Some(elements) = statement.as_object_mut()
        && matches!(place, Place::Identity | Place::Boundary | Place::Scp)
    {
        elements.remove("Principal");
        elements.remove("NotPrincipal");
    }
    statement
}
