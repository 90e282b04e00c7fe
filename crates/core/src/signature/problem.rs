//! Why a signature does not count, for people.

use super::time::text;

/// Why a commit is not signed well enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// There is no signature.
    Unsigned,
    /// There is more than one.
    Several,
    /// It cannot be read.
    Malformed(String),
    /// It is of a kind that is not verified here: RSA, X.509.
    Unsupported(String),
    /// It does not belong to this content.
    Bad,
    /// It is made for something else than Git.
    Namespace(String),
    /// The key is in no list.
    Unknown(String),
    /// The key may not sign any more.
    Revoked(String),
    /// The key may sign, but not commits.
    NotForGit(String),
    /// The key may not sign yet.
    NotYetValid {
        /// Whose key.
        who: String,
        /// From then on.
        after: i64,
    },
    /// The key may not sign any more at the time of the commit.
    Expired {
        /// Whose key.
        who: String,
        /// Until then.
        before: i64,
    },
    /// The key has expired since, and the commit is older than what it follows.
    Backdated {
        /// Whose key.
        who: String,
        /// Until then.
        before: i64,
    },
    /// The commit is from tomorrow.
    Future(i64),
    /// Somebody else may sign, not who did.
    Foreign(String),
    /// An OpenPGP signature that is not good, in the words of the verifier.
    OpenPgp(String),
    /// The object is not what its id says, or is made to be two things.
    Damaged(String),
    /// It cannot be found out.
    Unverifiable(String),
}

/// How a person signs what is there already.
const SIGN: &str = "`git config gpg.format ssh`, `git config user.signingkey ~/.ssh/id_ed25519.pub`, then \
                    `git commit --amend -S`, or `git rebase --exec 'git commit --amend --no-edit -S' BASE` for several";
const ASK: &str =
    "let somebody sign who may, or ask the operator to name the key in `verify.signers`";

impl Problem {
    /// Stable identifier.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Several | Self::Malformed(_) | Self::Bad | Self::OpenPgp(_) => "signature-bad",
            Self::Unsupported(_) => "signature-unsupported",
            Self::Namespace(_) => "signature-namespace",
            Self::Unknown(_) => "signer-unknown",
            Self::Revoked(_) => "signer-revoked",
            Self::NotForGit(_) | Self::Foreign(_) => "signer-foreign",
            Self::NotYetValid { .. } => "signer-not-yet-valid",
            Self::Expired { .. } | Self::Backdated { .. } => "signer-expired",
            Self::Future(_) => "commit-time",
            Self::Damaged(_) => "object-damaged",
            Self::Unverifiable(_) => "signature-unverifiable",
        }
    }

    /// What to do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unsigned | Self::Several | Self::Malformed(_) | Self::Bad => SIGN,
            Self::OpenPgp(_) => {
                "sign again with a certificate that is valid, `git commit --amend -S`"
            }
            Self::Unsupported(_) => {
                "sign with an ed25519 or ecdsa key (`ssh-keygen -t ed25519`), or with OpenPGP"
            }
            Self::Namespace(_) => "let Git sign: `git commit --amend -S`",
            Self::Unknown(_) | Self::NotForGit(_) | Self::Foreign(_) => ASK,
            Self::Revoked(_) | Self::Expired { .. } | Self::Backdated { .. } => {
                "sign with a key that is valid, `git commit --amend -S`"
            }
            Self::NotYetValid { .. } => "sign again when the key is valid, `git commit --amend -S`",
            Self::Future(_) => {
                "set the clock of the machine right on which it was committed, then amend it"
            }
            Self::Damaged(_) => "do not trust the repository that it came from",
            Self::Unverifiable(_) => {
                "tell the operator; `bbctl doctor` on the host says what is missing"
            }
        }
    }
}

/// The end of a sentence that begins with the commit.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsigned => f.write_str("is not signed"),
            Self::Several => f.write_str("has two signatures"),
            Self::Malformed(why) => write!(f, "has a signature that cannot be read: {why}"),
            Self::Unsupported(what) => write!(f, "is signed with {what}, which is not accepted"),
            Self::Bad => f.write_str("has a signature that does not belong to its content"),
            Self::Namespace(name) => write!(f, "has a signature for `{name}`, not for `git`"),
            Self::Unknown(key) => write!(f, "is signed with a key that is not known here: {key}"),
            Self::Revoked(key) => write!(f, "is signed with a key that is revoked: {key}"),
            Self::NotForGit(who) => write!(f, "is signed by {who}, whose key is not for commits"),
            Self::NotYetValid { who, after } => {
                write!(
                    f,
                    "is signed by {who} before the key is valid, on {}",
                    text(*after)
                )
            }
            Self::Expired { who, before } => {
                write!(
                    f,
                    "is signed by {who} after the key expired, on {}",
                    text(*before)
                )
            }
            Self::Backdated { who, before } => write!(
                f,
                "is dated back: it is older than its parent, and the key of {who} expired on {}",
                text(*before)
            ),
            Self::Future(time) => write!(f, "is dated {}, which is in the future", text(*time)),
            Self::Foreign(who) => write!(f, "is signed by {who}, who may not sign here"),
            Self::OpenPgp(why) => write!(f, "has a signature that is not good: {why}"),
            Self::Damaged(why) => write!(f, "is damaged: {why}"),
            Self::Unverifiable(why) => write!(f, "cannot be verified: {why}"),
        }
    }
}
