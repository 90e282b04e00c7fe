//! Signatures of OpenSSH, its PROTOCOL.sshsig, as `ssh-keygen -Y sign` and `git commit -S` make them.

use bitbuilder_core::signature::Problem;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, Error, HashAlg, LineEnding, PublicKey, SshSig};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// The one version of the format that there is. The signature does not cover it.
const VERSION: u32 = 1;
/// Characters of a line of armor.
const LINE: usize = 70;

/// Whether `armor` is a signature of this kind.
pub(super) fn is_ssh(armor: &[u8]) -> bool {
    armor.starts_with(BEGIN.as_bytes())
}

/// Who signed `payload`, and as what: fingerprint and namespace of a signature that is good.
pub(super) fn check(payload: &[u8], armor: &[u8]) -> Result<(String, String), Problem> {
    let signature = read(armor)?;
    let key = signature.public_key();
    accepted(key)?;
    let public = PublicKey::new(key.clone(), "");
    public
        .verify(signature.namespace(), payload, &signature)
        .map_err(|_| Problem::Bad)?;
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    Ok((fingerprint, signature.namespace().to_owned()))
}

/// The armor's lines may have any length: programs differ. The decoder wants those of ssh-keygen, and passes over lengths
/// and versions that the signature does not cover: what is not written as it would be written is no signature.
fn read(armor: &[u8]) -> Result<SshSig, Problem> {
    let malformed = |why: &str| Problem::Malformed(why.to_owned());
    let armor = std::str::from_utf8(armor).map_err(|_| malformed("it is not text"))?;
    let body = armor.trim_ascii().strip_prefix(BEGIN);
    let body = body.and_then(|body| body.strip_suffix(END));
    let body = body.ok_or_else(|| malformed("its armor is not whole"))?;
    let base64: Vec<char> = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let lines = base64.chunks(LINE).map(|line| line.iter().chain(&['\n']));
    let body: String = lines.flatten().collect();
    let written = format!("{BEGIN}\n{body}{END}\n");
    let signature = SshSig::from_pem(&written).map_err(|error| match error {
        Error::AlgorithmUnknown | Error::AlgorithmUnsupported { .. } => {
            Problem::Unsupported("an unknown kind of key or hash".to_owned())
        }
        error => malformed(&error.to_string()),
    })?;
    let again = signature.to_pem(LineEnding::LF);
    if signature.version() != VERSION || !again.is_ok_and(|again| again.trim() == written.trim()) {
        return Err(malformed("its encoding is not the usual one"));
    }
    Ok(signature)
}

/// Which keys are verified here; RSA is not: its implementation has no constant time, and ed25519 is the default.
fn accepted(key: &KeyData) -> Result<(), Problem> {
    let kind = match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => return Ok(()),
        Algorithm::Ecdsa {
            curve: EcdsaCurve::NistP256 | EcdsaCurve::NistP384,
        } => return Ok(()),
        Algorithm::Rsa { .. } => "an RSA key".to_owned(),
        other => format!("a key of kind {other}"),
    };
    Err(Problem::Unsupported(kind))
}
