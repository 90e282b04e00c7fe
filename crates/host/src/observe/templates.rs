//! The templates that are on the host.

use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::desired::{DirectBoot, ResolvedImage, Template, Templates};
use bitbuilder_core::document::read_template;
use bitbuilder_core::finding::Severity;
use bitbuilder_core::model::{Name, TemplateKind, TemplateMetadata};
use bitbuilder_core::tree::{Blob, Entry, Tree};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// The templates of containers and machines below `/usr/lib/bitbuilder/templates/`. One that is damaged is left out, so that only the
/// tenants that use it are concerned: [`damaged_templates`] says why.
///
/// # Errors
/// When the directory itself is unreadable.
pub fn templates(root: &HostRoot) -> Result<Templates, HostError> {
    Ok(read(root)?.0)
}

/// Why templates of the host are left out, in the order of their names.
///
/// # Errors
/// As [`templates`].
pub fn damaged_templates(root: &HostRoot) -> Result<Vec<HostError>, HostError> {
    Ok(read(root)?.1)
}

fn read(root: &HostRoot) -> Result<(Templates, Vec<HostError>), HostError> {
    let directory = root.templates();
    let mut names = match fs::read_dir(&directory) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(HostError::file(&directory))?,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(HostError::file(&directory)(error)),
    };
    names.sort();
    let (mut templates, mut damaged) = (Templates::new(), Vec::new());
    for name in names {
        let name = name.to_string_lossy();
        // What an installation in progress has not finished.
        if name.starts_with('.') {
            continue;
        }
        match template(&directory.join(&*name), &name) {
            Ok(Some((name, template))) => drop(templates.insert(name, template)),
            Ok(None) => {}
            Err(error) => damaged.push(error),
        }
    }
    Ok((templates, damaged))
}

/// The template in `directory`; `None` when it is none of a container or machine.
fn template(directory: &Path, name: &str) -> Result<Option<(Name, Template)>, HostError> {
    let metadata = metadata(&directory.join("metadata.json"))?;
    if metadata.name.as_str() != name {
        let reason = format!("is of the template {}, not of {name}", metadata.name);
        return Err(HostError::damaged(&directory.join("metadata.json"), reason));
    }
    let has = |file: &str, what: &str| {
        let path = directory.join(file);
        match path.exists() {
            true => Ok(format!("/usr/lib/bitbuilder/templates/{name}/{file}")),
            false => Err(HostError::damaged(&path, what)),
        }
    };
    let (root, boot) = match metadata.kind {
        TemplateKind::Container => {
            has("rootfs/usr", "holds no root file system")?;
            (format!("/usr/lib/bitbuilder/templates/{name}/rootfs"), None)
        }
        TemplateKind::Machine => {
            let boot = DirectBoot {
                kernel: has("kernel", "is missing: it boots the disk")?,
                initrd: has("initrd", "is missing: it boots the disk")?,
            };
            (has("disk.raw", "is missing: it is the disk")?, Some(boot))
        }
        _ => return Ok(None),
    };
    let template = Template {
        image: ResolvedImage {
            name: name.to_owned(),
            digest: digest(&directory.join("digest"))?,
            root,
        },
        defaults: metadata.defaults,
        boot,
    };
    Ok(Some((metadata.name, template)))
}

fn metadata(path: &Path) -> Result<TemplateMetadata, HostError> {
    let content: Arc<[u8]> = fs::read(path).map_err(HostError::file(path))?.into();
    let blob = Blob {
        size: content.len() as u64,
        executable: false,
        oid: String::new(),
        content: Some(content),
    };
    let mut tree = Tree::default();
    tree.entries
        .insert("metadata.json".to_owned(), Entry::File(blob));
    let checked = read_template(&tree);
    checked.value.ok_or_else(|| {
        let mut findings = checked.findings.iter();
        let first = findings.find(|finding| finding.severity == Severity::Error);
        let reason = first.map_or_else(String::new, |finding| {
            format!("line {}: {}", finding.origin.line, finding.message)
        });
        HostError::damaged(path, reason)
    })
}

/// `sha256:<64 hex digits>`, as the build of the template wrote it; the digits.
fn digest(path: &Path) -> Result<String, HostError> {
    let text = fs::read_to_string(path).map_err(HostError::file(path))?;
    let hex = |digits: &&str| {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        digits.len() == 64 && digits.bytes().all(digit)
    };
    text.trim_end()
        .strip_prefix("sha256:")
        .filter(hex)
        .map(str::to_owned)
        .ok_or_else(|| HostError::damaged(path, "is not `sha256:` and 64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitbuilder_core::model::Bytes;

    fn install(root: &HostRoot, directory: &str, metadata: &str, digest: &str) {
        let directory = root.templates().join(directory);
        fs::create_dir_all(directory.join("rootfs/usr")).unwrap();
        fs::write(directory.join("metadata.json"), metadata).unwrap();
        fs::write(directory.join("digest"), digest).unwrap();
    }

    fn described(name: &str, kind: &str) -> String {
        format!(
            r#"{{"template":{{"type":"{kind}","version":"1","name":"{name}"}},
                "defaults":{{"resources":{{"memory":"512M"}}}}}}"#
        )
    }

    #[test]
    fn one_that_is_damaged_leaves_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let root = HostRoot::new(dir.path());
        assert!(templates(&root).unwrap().is_empty());
        let digest = format!("sha256:{}\n", "ab".repeat(32));
        install(&root, "good", &described("good", "container"), &digest);
        install(&root, "machine", &described("machine", "machine"), &digest);
        install(
            &root,
            "digest",
            &described("digest", "container"),
            "sha256:12\n",
        );
        install(&root, "moved", &described("other", "container"), &digest);
        install(&root, "broken", "{\"template\":", &digest);
        install(&root, ".new", "", "");
        fs::create_dir_all(root.templates().join("empty")).unwrap();

        let found = templates(&root).unwrap();
        assert_eq!(found.len(), 1);
        let good = &found[&Name::new("good").unwrap()];
        assert_eq!(good.image.digest, "ab".repeat(32));
        assert_eq!(good.image.root, "/usr/lib/bitbuilder/templates/good/rootfs");
        assert_eq!(good.defaults.memory, Some(Bytes(512 << 20)));
        let damaged: Vec<String> = damaged_templates(&root)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(damaged.len(), 5, "{damaged:?}");
        for (error, part) in damaged.iter().zip([
            "broken/metadata.json: line 1",
            "digest/digest: is not",
            "empty/metadata.json",
            "machine/kernel: is missing",
            "is of the template other",
        ]) {
            assert!(error.contains(part), "{error}");
        }
    }
}
