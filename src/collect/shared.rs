//! Which reads the looks of one invocation share: buckets of one batch often have their role, keys and destinations in
//! common, and each fact is read once for all of them, even when several ask at the same time.
//!
//! What is shared was read in this invocation, so it is younger than all that its messages tell of, and it is soon read
//! anew. It also ends with each change of our own: while one is under way every look reads for itself, and what was read
//! before is forgotten. Whoever compares before writing reads past this, from the source itself.
//!
//! An answer is shared, and so is an access denial. Any other failure is transient, or concerns this call alone
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>): those who wait for the same call
//! hear of it, because asking again at once would only add to a throttled service's load; whoever comes later asks
//! again.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::arn::{KeyArn, KeyReference, RoleArn};
use crate::observed::Observed;
use crate::policy::{Grant, NamedPolicy};
use crate::snapshot::{
    DefaultEncryption, KeyMetadata, NotificationTarget, ObjectHead, ObjectOwnership, Payer, Replication,
    Tags, Versioning,
};
use crate::source::read::is_refusal;
use crate::source::{
    AttachedPolicy, BucketAt, BucketHead, BucketPage, ObjectVersion, Reader, RoleRecord, Source,
};

/// Answers of one kind that are kept; what comes beyond that is read by each look for itself. A configuration has at most
/// a thousand rules, so one look finds room, and a batch of such buckets costs no more memory than one look beside them.
const MOST: usize = 1_000;

/// How long a fact is believed without being read again. A batch takes a second or two; where AWS is slow, nobody is to
/// be helped because of what held a minute ago.
const FRESH: Duration = Duration::from_secs(10);

/// A source that is asked for each fact once. Make one for each invocation.
#[derive(Debug)]
pub struct Shared<'a, S> {
    source: &'a S,
    known: RefCell<Rc<Known>>,
    since: Cell<Instant>,
    /// Changes that are under way.
    changes: Cell<usize>,
}

/// What was read, or is being read.
#[derive(Debug, Default)]
struct Known {
    heads: Answers<BucketAt, BucketHead>,
    versioning: Answers<BucketAt, Observed<Versioning>>,
    encryption: Answers<BucketAt, Observed<DefaultEncryption>>,
    bucket_policies: Answers<BucketAt, Observed<NamedPolicy>>,
    ownership: Answers<BucketAt, Observed<ObjectOwnership>>,
    object_locks: Answers<BucketAt, Observed<()>>,
    payers: Answers<BucketAt, Observed<Payer>>,
    keys: Answers<(KeyReference, Reader), Observed<KeyMetadata>>,
    key_policies: Answers<(KeyArn, Reader), Observed<NamedPolicy>>,
    grants: Answers<(KeyArn, RoleArn, Reader), Observed<Vec<Grant>>>,
    key_tags: Answers<(KeyArn, Reader), Observed<Tags>>,
    roles: Answers<RoleArn, Observed<RoleRecord>>,
    inline_policy_names: Answers<RoleArn, Observed<Vec<String>>>,
    inline_policies: Answers<(RoleArn, String), Observed<NamedPolicy>>,
    attached_policies: Answers<RoleArn, Observed<Vec<AttachedPolicy>>>,
    managed_policies: Answers<String, Observed<NamedPolicy>>,
}

impl<'a, S> Shared<'a, S> {
    /// Nothing is known yet.
    pub fn new(source: &'a S) -> Self {
        Self {
            source,
            known: RefCell::default(),
            since: Cell::new(Instant::now()),
            changes: Cell::new(0),
        }
    }

    /// Lets something be changed. A change that is given up half-way may still be made by AWS, so that nothing is shared
    /// from then on.
    pub async fn changing<T>(&self, change: impl Future<Output = T>) -> T {
        self.changes.set(self.changes.get().saturating_add(1));
        self.forget();
        let changed = change.await;
        self.changes.set(self.changes.get().saturating_sub(1));
        changed
    }

    /// Nothing that is answered from now on was read before that.
    pub fn since(&self) -> Instant {
        match self.since.get() {
            since if since.elapsed() > FRESH => Instant::now(),
            since => since,
        }
    }

    fn forget(&self) {
        self.known.take();
        self.since.set(Instant::now());
    }

    async fn once<K: Clone + Eq + Hash, T: Cacheable>(
        &self,
        among: impl Fn(&Known) -> &Answers<K, T>,
        key: K,
        read: impl Future<Output = T>,
    ) -> T {
        if self.changes.get() > 0 {
            return read.await;
        }
        if self.since.get().elapsed() > FRESH {
            self.forget();
        }
        let known = Rc::clone(&self.known.borrow());
        let answers = among(&known);
        let cell = answers.cell(&key);
        let answer = cell.get_or_init(|| read).await.clone();
        if !answer.holds() {
            answers.forget(&key, &cell);
        }
        answer
    }
}

/// Answers of one kind, by what was asked.
#[derive(Debug)]
struct Answers<K, T>(RefCell<HashMap<K, Rc<OnceCell<T>>>>);

impl<K, T> Default for Answers<K, T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Clone + Eq + Hash, T> Answers<K, T> {
    /// Where the answer is, or will be.
    fn cell(&self, key: &K) -> Rc<OnceCell<T>> {
        let mut cells = self.0.borrow_mut();
        if let Some(cell) = cells.get(key) {
            return Rc::clone(cell);
        }
        let cell = Rc::default();
        if cells.len() < MOST {
            cells.insert(key.clone(), Rc::clone(&cell));
        }
        cell
    }

    /// The next one asks again, unless somebody does already.
    fn forget(&self, key: &K, failed: &Rc<OnceCell<T>>) {
        let mut cells = self.0.borrow_mut();
        if cells.get(key).is_some_and(|cell| Rc::ptr_eq(cell, failed)) {
            cells.remove(key);
        }
    }
}

/// What a read answers.
trait Cacheable: Clone {
    /// Would whoever asks a little later hear the same?
    fn holds(&self) -> bool;
}

impl<T: Clone> Cacheable for Observed<T> {
    fn holds(&self) -> bool {
        self.failure()
            .is_none_or(|failure| is_refusal(&failure.error_code))
    }
}

impl Cacheable for BucketHead {
    fn holds(&self) -> bool {
        self.exists.holds()
    }
}

/// What every bucket has for itself is only handed on.
impl<S: Source> Source for Shared<'_, S> {
    async fn buckets(&self, token: Option<&str>) -> Observed<BucketPage> {
        self.source.buckets(token).await
    }

    async fn head_bucket(&self, at: &BucketAt) -> BucketHead {
        self.once(|known| &known.heads, at.clone(), self.source.head_bucket(at))
            .await
    }

    async fn replication(&self, at: &BucketAt) -> Observed<Replication> {
        self.source.replication(at).await
    }

    async fn versioning(&self, at: &BucketAt) -> Observed<Versioning> {
        self.once(|known| &known.versioning, at.clone(), self.source.versioning(at))
            .await
    }

    async fn encryption(&self, at: &BucketAt) -> Observed<DefaultEncryption> {
        self.once(|known| &known.encryption, at.clone(), self.source.encryption(at))
            .await
    }

    async fn bucket_policy(&self, at: &BucketAt) -> Observed<NamedPolicy> {
        let read = self.source.bucket_policy(at);
        self.once(|known| &known.bucket_policies, at.clone(), read).await
    }

    async fn ownership(&self, at: &BucketAt) -> Observed<ObjectOwnership> {
        self.once(|known| &known.ownership, at.clone(), self.source.ownership(at))
            .await
    }

    async fn object_lock(&self, at: &BucketAt) -> Observed<()> {
        let read = self.source.object_lock(at);
        self.once(|known| &known.object_locks, at.clone(), read).await
    }

    async fn bucket_tags(&self, at: &BucketAt) -> Observed<Tags> {
        self.source.bucket_tags(at).await
    }

    async fn payer(&self, at: &BucketAt) -> Observed<Payer> {
        self.once(|known| &known.payers, at.clone(), self.source.payer(at))
            .await
    }

    async fn failure_notifications(&self, at: &BucketAt) -> Observed<Vec<NotificationTarget>> {
        self.source.failure_notifications(at).await
    }

    async fn head_object(&self, at: &BucketAt, key: &str, version_id: &str) -> Observed<ObjectHead> {
        self.source.head_object(at, key, version_id).await
    }

    async fn recent_versions(
        &self,
        at: &BucketAt,
        prefix: &str,
        limit: usize,
    ) -> Observed<Vec<ObjectVersion>> {
        self.source.recent_versions(at, prefix, limit).await
    }

    async fn describe_key(&self, key: &KeyReference, reader: &Reader) -> Observed<KeyMetadata> {
        let read = self.source.describe_key(key, reader);
        self.once(|known| &known.keys, (key.clone(), reader.clone()), read)
            .await
    }

    async fn key_policy(&self, key: &KeyArn, reader: &Reader) -> Observed<NamedPolicy> {
        let read = self.source.key_policy(key, reader);
        self.once(|known| &known.key_policies, (key.clone(), reader.clone()), read)
            .await
    }

    async fn grants(&self, key: &KeyArn, grantee: &RoleArn, reader: &Reader) -> Observed<Vec<Grant>> {
        let asked = (key.clone(), grantee.clone(), reader.clone());
        let read = self.source.grants(key, grantee, reader);
        self.once(|known| &known.grants, asked, read).await
    }

    async fn key_tags(&self, key: &KeyArn, reader: &Reader) -> Observed<Tags> {
        let read = self.source.key_tags(key, reader);
        self.once(|known| &known.key_tags, (key.clone(), reader.clone()), read)
            .await
    }

    async fn role(&self, role: &RoleArn) -> Observed<RoleRecord> {
        self.once(|known| &known.roles, role.clone(), self.source.role(role))
            .await
    }

    async fn inline_policy_names(&self, role: &RoleArn) -> Observed<Vec<String>> {
        let read = self.source.inline_policy_names(role);
        self.once(|known| &known.inline_policy_names, role.clone(), read)
            .await
    }

    async fn inline_policy(&self, role: &RoleArn, name: &str) -> Observed<NamedPolicy> {
        let asked = (role.clone(), name.to_owned());
        let read = self.source.inline_policy(role, name);
        self.once(|known| &known.inline_policies, asked, read).await
    }

    async fn attached_policies(&self, role: &RoleArn) -> Observed<Vec<AttachedPolicy>> {
        let read = self.source.attached_policies(role);
        self.once(|known| &known.attached_policies, role.clone(), read)
            .await
    }

    async fn managed_policy(&self, arn: &str) -> Observed<NamedPolicy> {
        let read = self.source.managed_policy(arn);
        self.once(|known| &known.managed_policies, arn.to_owned(), read)
            .await
    }
}
