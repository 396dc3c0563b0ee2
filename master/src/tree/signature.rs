//! Who signed a commit (requirement G2).
//!
//! When signers are configured, a head is accepted only with exactly one SSH signature, made for git by one of them,
//! over the raw bytes of the commit object. Everything else is a refusal: no signature, another kind, another key, an
//! object that is not what its id says. Which keys may sign is said in the settings, never in the tree.

use git2::{ObjectType, Oid, Repository};
use russh::keys::ssh_key::{PublicKey, SshSig};

use super::TreeError;

/// What ssh signatures of git are made for.
const NAMESPACE: &str = "git";

/// Reads a public key as `authorized_keys` and `.pub` files hold it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn signer(text: &str) -> Result<PublicKey, String> {
    if text.contains("PGP") {
        return Err(
            "OpenPGP keys are not supported: sign commits with an ssh key (git config gpg.format ssh)"
                .to_owned(),
        );
    }
    PublicKey::from_openssh(text.trim()).map_err(|error| format!("not an ssh public key: {error}"))
}

/// Checks that one of the signers signed the commit; without signers everything is accepted.
pub(super) fn check(repository: &Repository, commit: Oid, signers: &[String]) -> Result<(), TreeError> {
    if signers.is_empty() {
        return Ok(());
    }
    verify(repository, commit, signers).map_err(|reason| TreeError::Unsigned {
        rev: commit.to_string(),
        reason,
    })
}

fn verify(repository: &Repository, commit: Oid, signers: &[String]) -> Result<(), String> {
    let odb = repository.odb().map_err(|error| error.to_string())?;
    let object = odb.read(commit).map_err(|error| error.to_string())?;
    if object.kind() != ObjectType::Commit {
        return Err("it is not a commit".to_owned());
    }
    let (payload, signature) = split(object.data())?;
    if !signature.contains("SSH SIGNATURE") {
        return Err("its signature is not an ssh signature".to_owned());
    }
    let signature = SshSig::from_pem(signature.trim())
        .map_err(|error| format!("its signature cannot be read: {error}"))?;
    for text in signers {
        if signer(text)?.verify(NAMESPACE, &payload, &signature).is_ok() {
            return Ok(());
        }
    }
    Err("its signature is by none of the signers in the settings".to_owned())
}

/// A commit's bytes without its signature, and the signature.
fn split(raw: &[u8]) -> Result<(Vec<u8>, String), String> {
    let mut payload = Vec::with_capacity(raw.len());
    let mut signature: Option<Vec<u8>> = None;
    let (mut headers, mut inside) = (true, false);
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        if !headers {
            payload.extend_from_slice(line);
            continue;
        }
        headers = line != b"\n";
        let more = line.strip_prefix(b" ");
        if let (true, Some(more), Some(signature)) = (inside, more, signature.as_mut()) {
            signature.extend_from_slice(more);
            continue;
        }
        inside = false;
        if let Some(first) = line.strip_prefix(b"gpgsig ") {
            if signature.is_some() {
                return Err("it has more than one signature".to_owned());
            }
            signature = Some(first.to_vec());
            inside = true;
        } else if line.starts_with(b"gpgsig") {
            return Err("it has a signature of another kind".to_owned());
        } else {
            payload.extend_from_slice(line);
        }
    }
    let signature = signature.ok_or("it is not signed")?;
    let signature = String::from_utf8(signature).map_err(|_| "its signature is no text")?;
    Ok((payload, signature))
}

#[cfg(test)]
mod tests {
    use russh::keys::ssh_key::private::{Ed25519Keypair, PrivateKey};
    use russh::keys::ssh_key::{HashAlg, LineEnding};

    use super::super::git;
    use super::super::tests::Repo;
    use super::*;

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
    }

    fn public(seed: u8) -> String {
        key(seed).public_key().to_openssh().unwrap()
    }

    /// A commit of the repository's tree whose signature `sign` makes from its bytes.
    fn commit(repo: &Repo, sign: impl FnOnce(&[u8]) -> Option<String>) -> Oid {
        repo.commit(&[("a", "1")]);
        let repository = Repository::open(repo.path()).unwrap();
        let head = repository.head().unwrap().peel_to_commit().unwrap();
        let author = head.author();
        let bytes = repository
            .commit_create_buffer(&author, &author, "signed", &head.tree().unwrap(), &[&head])
            .unwrap();
        match sign(&bytes) {
            Some(signature) => {
                let text = std::str::from_utf8(&bytes).unwrap();
                repository
                    .commit_signed(text, &signature, Some("gpgsig"))
                    .unwrap()
            }
            None => head.id(),
        }
    }

    fn signed(seed: u8, namespace: &'static str) -> impl FnOnce(&[u8]) -> Option<String> {
        move |bytes| {
            let signature = key(seed).sign(namespace, HashAlg::Sha512, bytes).unwrap();
            Some(signature.to_pem(LineEnding::LF).unwrap())
        }
    }

    fn refusal(repo: &Repo, commit: Oid, signers: &[String]) -> String {
        git::open(repo.path(), &commit.to_string(), signers)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_signers_commit_is_accepted() {
        let repo = Repo::new();
        let commit = commit(&repo, signed(1, "git"));
        let rev = commit.to_string();
        for signers in [
            vec![],
            vec![public(1)],
            vec![public(2), format!("{} me@example.org", public(1))],
        ] {
            assert_eq!(
                super::super::Source::rev(&git::open(repo.path(), &rev, &signers).unwrap()),
                rev
            );
        }
    }

    /// What `git commit -S` with `gpg.format ssh` really writes.
    #[test]
    fn a_commit_made_by_git_is_accepted() {
        let repo = Repo::new();
        let repository = Repository::open(repo.path()).unwrap();
        let keys = [include_str!("fixtures/signed_commit.pub").to_owned()];
        let raw = include_bytes!("fixtures/signed_commit");
        let write = |raw: &[u8]| repository.odb().unwrap().write(ObjectType::Commit, raw).unwrap();
        check(&repository, write(raw), &keys).unwrap();
        for index in 0..raw.len() {
            let mut changed = raw.to_vec();
            changed[index] ^= 1;
            let id = write(&changed);
            let refused = check(&repository, id, &keys).is_err();
            // A change that leaves payload and signature the same, as read, changes nothing.
            let text = split(&changed)
                .ok()
                .map(|(payload, signature)| (payload, SshSig::from_pem(signature.trim())));
            let whole = split(raw).map(|(payload, signature)| (payload, SshSig::from_pem(signature.trim())));
            assert!(refused || text.as_ref() == whole.ok().as_ref(), "byte {index}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let repo = Repo::new();
        let other = [public(2)];
        let mine = [public(1)];
        let by_me = commit(&repo, signed(1, "git"));
        assert!(refusal(&repo, by_me, &other).contains("none of the signers"));
        let for_mail = commit(&repo, signed(1, "file"));
        assert!(refusal(&repo, for_mail, &mine).contains("none of the signers"));
        let unsigned = commit(&repo, |_| None);
        assert!(refusal(&repo, unsigned, &mine).contains("it is not signed"));
        let tampered = commit(&repo, |_| signed(1, "git")(b"something else"));
        assert!(refusal(&repo, tampered, &mine).contains("none of the signers"));
        let openpgp = commit(&repo, |_| {
            Some("-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----".to_owned())
        });
        assert!(refusal(&repo, openpgp, &mine).contains("not an ssh signature"));
        let nonsense = commit(&repo, |_| {
            Some("-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----".to_owned())
        });
        assert!(refusal(&repo, nonsense, &mine).contains("cannot be read"));
        assert!(refusal(&repo, by_me, &["nonsense".to_owned()]).contains("not an ssh public key"));
    }

    #[test]
    fn the_signature_is_taken_out_of_the_bytes() {
        let raw = b"tree 1\ngpgsig A\n B\nencoding x\n\ngpgsig in the text\n more\n";
        let (payload, signature) = split(raw).unwrap();
        assert_eq!(payload, b"tree 1\nencoding x\n\ngpgsig in the text\n more\n");
        assert_eq!(signature, "A\nB\n");
        for raw in [
            &b"tree 1\ngpgsig A\ngpgsig B\n\n"[..],
            b"tree 1\ngpgsig-sha256 A\n\n",
            b"tree 1\n\n gpgsig A\n",
            b"",
        ] {
            assert!(split(raw).is_err());
        }
    }
}
