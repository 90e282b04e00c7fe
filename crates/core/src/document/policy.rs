//! `.gitops/config.yaml`: rules for the whole host, with defaults for what is not written.

use super::checks::{at_least, https, private4, unique_local};
use super::decode::{At, Cx, Table, Written, word, words, written};
use super::facts::Facts;
use super::node::Node;
use super::scalar::{GitRef, GitUrl, IfName, Int, Line, Subnet6};
use super::source::Span;
use super::value;
use super::webhooks::{WebhooksDoc, webhooks};
use crate::model::{
    Degraded, Drift, DriftPolicy, HealthPolicy, Millis, Name, Policy, Pools, Quota, Retention,
    Storage, Subnet4, Sync, TemplateSource, Verify, VerifyCommits,
};
use crate::notify::{Kind, Receiver, Target};
use std::net::{Ipv4Addr, Ipv6Addr};

words!(VerifyCommits {
    "required" => VerifyCommits::Required,
    "warn" => VerifyCommits::Warn,
    "off" => VerifyCommits::Off,
});

words!(DriftPolicy {
    "report" => DriftPolicy::Report,
    "repair" => DriftPolicy::Repair,
});

impl Written for Kind {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        Self::of(word(node, Self::WORDS, cx)?)
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "enum": Self::WORDS })
    }
}

words!(Quota {
    "btrfs" => Quota::Btrfs,
    "ext4-project" => Quota::Ext4Project,
    "xfs-project" => Quota::XfsProject,
    "none" => Quota::None,
});

words!(Degraded {
    "report" => Degraded::Report,
    "rollback" => Degraded::Rollback,
});

written! {
    /// `.gitops/config.yaml` of the system repository: rules for the whole host.
    struct PolicyDoc {
        /// When repositories are fetched.
        optional "sync" sync: SyncDoc,
        /// How commits are verified, unless the registry says otherwise for a tenant.
        optional "verify" verify: DefaultVerifyDoc,
        /// Pools that networks of tenants are taken from.
        optional "pools" pools: PoolsDoc,
        /// Quotas and encryption of tenant data.
        optional "storage" storage: StorageDoc,
        /// What is kept and for how long.
        optional "retention" retention: RetentionDoc,
        /// Who is told of events.
        optional "notifications" notifications: Vec<NotificationDoc>,
        /// Template repositories by name.
        optional "templates" templates: Table<TemplateDoc>,
        /// Rules for lifecycle scripts.
        optional "hooks" hooks: HooksDoc,
        /// What a generation that was deployed has to show.
        optional "health" health: HealthDoc,
        /// What is done when a tenant differs from its generation without a new commit.
        optional "drift" drift: DriftDoc,
        /// Where deliveries of forges are received; nowhere by default.
        optional "webhooks" webhooks: WebhooksDoc,
    }
}

written! {
    /// When repositories are fetched.
    struct SyncDoc {
        /// Between two fetches; 5min by default.
        optional "interval" interval: Millis,
        /// Random delay added to the interval; 30s by default.
        optional "jitter" jitter: Millis,
        /// Longest time of one fetch; 2min by default.
        optional "timeout" timeout: Millis,
    }
}

written! {
    /// How commits are verified.
    struct VerifyDoc {
        /// Whether a commit needs a good signature; required when `signers` are named, else off.
        optional "commits" commits: VerifyCommits,
        /// Fingerprints (`SHA256:...`, or of OpenPGP certificates), principals or key names of those who may sign.
        optional "signers" signers: Vec<At<Line>>,
    }
}

written! {
    /// How commits of tenants are verified, unless the registry says otherwise, and those of this repository.
    struct DefaultVerifyDoc {
        /// Whether a commit needs a good signature; required when `signers` are named, else off.
        optional "commits" commits: VerifyCommits,
        /// Fingerprints (`SHA256:...`, or of OpenPGP certificates), principals or key names of those who may sign.
        optional "signers" signers: Vec<At<Line>>,
        /// How the commits of the system repository are verified that follow the one in force; not at all by default.
        optional "system" system: VerifyDoc,
    }
}

written! {
    /// Pools that networks of tenants are taken from.
    struct PoolsDoc {
        /// Private IPv4 network that tenant subnets are cut from; 10.64.0.0/10 by default.
        optional "ipv4" ipv4: Subnet4,
        /// Unique local IPv6 network that tenant subnets (/64) are cut from; fd00:bb::/32 by default.
        optional "ipv6" ipv6: Subnet6,
        /// VXLAN network identifiers, `first-last`; 1048576-2097151 by default.
        optional "vni" vni: Range<1, 16_777_215>,
        /// VLAN ids, `first-last`; 1000-1999 by default.
        optional "vlan" vlan: Range<1, 4094>,
        /// UDP ports of WireGuard, `first-last`; 51820-52843 by default.
        optional "wireguard" wireguard: Range<1024, 65535>,
        /// Links that may carry VLANs of tenants; none by default.
        optional "trunks" trunks: Vec<At<IfName>>,
    }
}

written! {
    /// Quotas and encryption of tenant data.
    struct StorageDoc {
        /// How the disk limit of a tenant is enforced; none by default.
        optional "quota" quota: Quota,
        /// Whether tenant data is encrypted; false by default.
        optional "encrypt" encrypt: bool,
    }
}

written! {
    /// What is kept and for how long.
    struct RetentionDoc {
        /// Generations of a tenant that are kept, the current one included; 10 by default.
        optional "generations" generations: Int<2, 10_000>,
        /// How long the data of a removed tenant is kept; 30d by default.
        optional "removedTenants" removed_tenants: Millis,
    }
}

written! {
    /// Somebody who is told of events: a webhook or a command.
    struct NotificationDoc {
        /// URL that gets a POST, https only.
        optional "webhook" webhook: Line,
        /// Name of the credential that signs what a webhook gets: `bitbuilder.notify.NAME` in /etc/credstore.encrypted/.
        optional "secret" secret: Name,
        /// Name of a program in /etc/bitbuilder/notify.d/, which gets the event on standard input.
        optional "command" command: Name,
        /// Kinds of events; all when it is not written.
        optional "events" events: Vec<At<Kind>>,
    }
}

written! {
    /// A template repository.
    struct TemplateDoc {
        /// Git URL.
        required "repository" repository: GitUrl,
        /// Branch, tag or commit; `main` by default.
        optional "ref" reference: GitRef,
    }
}

written! {
    /// Rules for lifecycle scripts.
    struct HooksDoc {
        /// Longest time of one script; 1min by default.
        optional "timeout" timeout: Millis,
    }
}

written! {
    /// What a generation that was deployed has to show.
    struct HealthDoc {
        /// Time in which it has to be Healthy, for each try; 5min by default.
        optional "window" window: Millis,
        /// How often it is tried before the last good generation returns; 2 by default.
        optional "tries" tries: Int<1, 10>,
        /// What is done about one that was Healthy and is not any more; report by default.
        optional "degraded" degraded: Degraded,
        /// How long a commit of the branch `testing-<host>` is tried; 1h by default.
        optional "trial" trial: Millis,
    }
}

written! {
    /// What is done when a tenant differs from its generation without a new commit.
    struct DriftDoc {
        /// Whether a pass only says it or also puts it right; report by default.
        optional "policy" policy: DriftPolicy,
    }
}

/// A range of numbers, `first-last`, within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range<const MIN: u32, const MAX: u32>(u32, u32);

impl<const MIN: u32, const MAX: u32> super::scalar::Scalar for Range<MIN, MAX> {
    const EXPECTED: &'static str = "a range such as `1000-1999`";
    const RULE: &'static str = "range";

    fn parse(text: &str) -> Result<Self, super::scalar::Wrong> {
        let parsed = text.split_once('-').and_then(|(first, last)| {
            let number = |text: &str| text.parse::<u32>().ok().filter(|n| (MIN..=MAX).contains(n));
            Some((number(first)?, number(last)?)).filter(|(first, last)| first <= last)
        });
        parsed
            .map(|(first, last)| Self(first, last))
            .ok_or_else(|| {
                super::scalar::Wrong::new(format!("`{text}` is not a range within {MIN} to {MAX}"))
                    .help(format!("write first and last, as in `{MIN}-{MAX}`"))
            })
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "string", "pattern": "^[0-9]+-[0-9]+$" })
    }
}

/// The policy of a host whose repository has no `.gitops/config.yaml`.
pub fn default_policy() -> Policy {
    Policy {
        sync: Sync {
            interval: Millis(5 * 60 * 1000),
            jitter: Millis(30 * 1000),
            timeout: Millis(2 * 60 * 1000),
        },
        verify: Verify::off(),
        verify_system: Verify::off(),
        pools: Pools {
            ipv4: (Ipv4Addr::new(10, 64, 0, 0), 10),
            ipv6: (Ipv6Addr::new(0xfd00, 0xbb, 0, 0, 0, 0, 0, 0), 32),
            vni: (1 << 20, (2 << 20) - 1),
            vlan: (1000, 1999),
            wireguard: (51820, 52843),
            trunks: Vec::new(),
        },
        storage: Storage {
            quota: Quota::None,
            encrypt: false,
        },
        retention: Retention {
            generations: 10,
            removed_tenants: Millis(30 * 86_400_000),
        },
        notifications: Vec::new(),
        templates: Vec::new(),
        hook_timeout: Millis(60 * 1000),
        health: HealthPolicy::default(),
        drift: Drift {
            policy: DriftPolicy::Report,
        },
        webhooks: None,
    }
}

/// The policy that `doc` says, defaults filled in.
pub(crate) fn policy(doc: PolicyDoc, facts: &mut Facts<'_>, cx: &mut Cx<'_>) -> Policy {
    let mut policy = default_policy();
    if let Some(doc) = doc.sync {
        sync(&doc.value, &mut policy.sync, cx);
    }
    if let Some(At { value: doc, span }) = doc.verify {
        if let Some(system) = doc.system {
            policy.verify_system = verify(system.value, cx);
        }
        policy.verify = verification(doc.commits, doc.signers, span, cx);
    }
    if let Some(doc) = doc.pools {
        pools(doc.value, &mut policy.pools, cx);
    }
    if let Some(doc) = doc.storage {
        policy.storage.quota = value(doc.value.quota, policy.storage.quota);
        policy.storage.encrypt = value(doc.value.encrypt, policy.storage.encrypt);
    }
    if let Some(At { value: doc, .. }) = doc.retention {
        let retention = &mut policy.retention;
        retention.generations = doc.generations.map_or(retention.generations, |n| n.value.0);
        retention.removed_tenants = value(doc.removed_tenants, retention.removed_tenants);
    }
    let receivers = doc.notifications.map_or_else(Vec::new, |list| list.value);
    policy.notifications = notifications(receivers, cx);
    let templates = doc.templates.into_iter().flat_map(|table| table.value.0);
    policy.templates = templates
        .filter_map(|(name, doc)| template(&name, doc, cx))
        .collect();
    if let Some(timeout) = doc.hooks.and_then(|hooks| hooks.value.timeout) {
        at_least(&timeout, 1000, "1s", cx);
        policy.hook_timeout = timeout.value;
    }
    if let Some(doc) = &doc.health {
        health(&doc.value, &mut policy.health, cx);
    }
    if let Some(doc) = doc.drift {
        policy.drift.policy = value(doc.value.policy, policy.drift.policy);
    }
    let receiver = doc.webhooks;
    policy.webhooks = receiver.and_then(|doc| webhooks(doc.value, facts, cx));
    policy
}

fn health(doc: &HealthDoc, health: &mut HealthPolicy, cx: &mut Cx<'_>) {
    if let Some(window) = &doc.window {
        at_least(window, 1000, "1s", cx);
        health.window = window.value;
    }
    health.tries = doc.tries.as_ref().map_or(health.tries, |n| n.value.0);
    health.degraded = doc
        .degraded
        .as_ref()
        .map_or(health.degraded, |word| word.value);
    if let Some(trial) = &doc.trial {
        at_least(trial, 1000, "1s", cx);
        health.trial = trial.value;
    }
}

fn sync(doc: &SyncDoc, sync: &mut Sync, cx: &mut Cx<'_>) {
    if let Some(interval) = &doc.interval {
        at_least(interval, 10_000, "10s", cx);
        sync.interval = interval.value;
    }
    if let Some(timeout) = &doc.timeout {
        at_least(timeout, 1000, "1s", cx);
        sync.timeout = timeout.value;
    }
    sync.jitter = doc
        .jitter
        .as_ref()
        .map_or(sync.jitter, |jitter| jitter.value);
}

/// How commits are verified, from policy or registry.
pub(crate) fn verify(doc: VerifyDoc, cx: &mut Cx<'_>) -> Verify {
    verification(doc.commits, doc.signers, doc.span, cx)
}

/// Who names signers wants them to sign.
fn verification(
    commits: Option<At<VerifyCommits>>,
    signers: Option<At<Vec<At<Line>>>>,
    span: Span,
    cx: &mut Cx<'_>,
) -> Verify {
    let signers = signers.into_iter().flat_map(|list| list.value);
    let signers: Vec<String> = signers.map(|signer| signer.value.0).collect();
    let usual = if signers.is_empty() {
        VerifyCommits::Off
    } else {
        VerifyCommits::Required
    };
    let span = commits.as_ref().map_or(span, |word| word.span);
    let commits = value(commits, usual);
    if commits != VerifyCommits::Off && signers.is_empty() {
        cx.error_help(
            span,
            "no-signers",
            "commits are to be verified, but nobody may sign",
            "add `signers`, fingerprints as `ssh-keygen -lf key.pub` prints them".to_owned(),
        );
    }
    Verify { commits, signers }
}

fn pools(doc: PoolsDoc, pools: &mut Pools, cx: &mut Cx<'_>) {
    if let Some(ipv4) = doc.ipv4 {
        private4(ipv4.value, ipv4.span, cx);
        if ipv4.value.prefix > 24 {
            let message = format!(
                "the pool `{}` is smaller than one subnet of a tenant",
                ipv4.value
            );
            cx.error_help(
                ipv4.span,
                "pool-size",
                message,
                "write a prefix length of at most 24".to_owned(),
            );
        }
        pools.ipv4 = (ipv4.value.address, ipv4.value.prefix);
    }
    if let Some(At {
        value: Subnet6(address, prefix),
        span,
    }) = doc.ipv6
    {
        unique_local(address, span, cx);
        if prefix > 64 {
            let message = "the pool is smaller than one subnet of a tenant (/64)";
            cx.error_help(
                span,
                "pool-size",
                message,
                "write a prefix length of at most 64".to_owned(),
            );
        }
        pools.ipv6 = (address, prefix);
    }
    let small = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    if let Some(At {
        value: Range(first, last),
        ..
    }) = doc.vni
    {
        pools.vni = (first, last);
    }
    if let Some(At {
        value: Range(first, last),
        ..
    }) = doc.vlan
    {
        pools.vlan = (small(first), small(last));
    }
    if let Some(At {
        value: Range(first, last),
        ..
    }) = doc.wireguard
    {
        pools.wireguard = (small(first), small(last));
    }
    if let Some(trunks) = doc.trunks {
        pools.trunks = trunks.value.into_iter().map(|link| link.value.0).collect();
    }
}

/// Those who are told, each once.
fn notifications(docs: Vec<NotificationDoc>, cx: &mut Cx<'_>) -> Vec<Receiver> {
    let mut receivers: Vec<Receiver> = Vec::new();
    for doc in docs {
        let span = doc.span;
        let Some(receiver) = notification(doc, cx) else {
            continue;
        };
        if receivers.iter().any(|other| other.id() == receiver.id()) {
            let help = "write its `events` in one place".to_owned();
            cx.error_help(
                span,
                "duplicate-receiver",
                "this receiver is there already",
                help,
            );
            continue;
        }
        receivers.push(receiver);
    }
    receivers
}

fn notification(doc: NotificationDoc, cx: &mut Cx<'_>) -> Option<Receiver> {
    let wrong = |message: &str, help: &str, cx: &mut Cx<'_>| {
        cx.error_help(doc.span, "receiver", message, help.to_owned());
        None
    };
    if !doc.clean {
        return None;
    }
    let target = match (doc.webhook, doc.secret, doc.command) {
        (Some(webhook), Some(secret), None) => {
            https(&webhook, "webhook-url", cx)?;
            Target::Webhook {
                url: webhook.value.0,
                secret: secret.value,
            }
        }
        (None, None, Some(command)) => Target::Command {
            name: command.value,
        },
        (Some(_), None, None) => {
            let help = "add `secret: NAME`; `systemd-creds encrypt --name=bitbuilder.notify.NAME - \
                        /etc/credstore.encrypted/bitbuilder.notify.NAME` on the host stores it";
            return wrong("nothing says what the webhook is signed with", help, cx);
        }
        _ => {
            let help = "write `webhook` and `secret`, or `command`";
            return wrong("a receiver is a webhook or a command", help, cx);
        }
    };
    let events = doc.events.into_iter().flat_map(|list| list.value);
    Some(Receiver {
        target,
        events: events.map(|event| event.value).collect(),
    })
}

fn template(name: &At<String>, doc: TemplateDoc, cx: &mut Cx<'_>) -> Option<TemplateSource> {
    let name = super::key_name(name, cx);
    Some(TemplateSource {
        name: name?,
        repository: doc.repository?.value.0,
        reference: doc
            .reference
            .map_or_else(|| "main".into(), |text| text.value.0),
    })
}
