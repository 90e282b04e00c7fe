//! `image`: where a root file system comes from.

use crate::document::checks::https;
use crate::document::decode::{At, Cx, words, written};
use crate::document::facts::Facts;
use crate::document::scalar::{Line, RepoPath, Sha256};
use crate::finding::Origin;
use crate::model::{Image, ImageSource, ImageVerify, Name};

words!(ImageVerify {
    "checksum" => ImageVerify::Checksum,
    "signature" => ImageVerify::Signature,
    "voa" => ImageVerify::Voa,
    "none" => ImageVerify::None,
});

written! {
    /// Root file system: exactly one of template, url, oci, path and ddi.
    struct ImageDoc {
        /// A template of the host.
        optional "template" template: Name,
        /// A download, https only; needs sha256.
        optional "url" url: Line,
        /// SHA-256 of the download in hex.
        optional "sha256" sha256: Sha256,
        /// An OCI reference, as `registry.example/web:1.2`.
        optional "oci" oci: Line,
        /// A file or directory of the repository.
        optional "path" path: RepoPath,
        /// A discoverable disk image in the repository.
        optional "ddi" ddi: RepoPath,
        /// How it is verified.
        optional "verify" verify: ImageVerify,
    }
}

/// The image that `doc` says; without one, the template `template`.
pub(super) fn image(
    doc: Option<At<ImageDoc>>,
    template: &str,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<Image> {
    let Some(At { value: doc, .. }) = doc else {
        return Some(Image {
            origin: Origin::file(cx.file()),
            source: ImageSource::Template(Name::new(template).ok()?),
            verify: None,
        });
    };
    one_source(&doc, cx)?;
    if let (Some(digest), None) = (&doc.sha256, &doc.url) {
        let help = "remove it; it is the digest of a download".to_owned();
        cx.error_help(digest.span, "needs-url", "`sha256` is for `url`", help);
    }
    let origin = cx.origin(doc.span);
    let verify = doc.verify.as_ref().map(|word| word.value);
    let source = if let Some(template) = doc.template {
        ImageSource::Template(template.value)
    } else if let Some(url) = doc.url {
        if doc.sha256.is_none() && !doc.clean {
            return None;
        }
        download(url, doc.sha256, cx)?
    } else if let Some(oci) = doc.oci {
        reference(oci, cx)?
    } else if let Some(path) = doc.path {
        ImageSource::Path(facts.file_or_directory(&path, cx)?)
    } else {
        ImageSource::Ddi(facts.file(&doc.ddi?, cx)?)
    };
    Some(Image {
        origin,
        source,
        verify,
    })
}

fn one_source(doc: &ImageDoc, cx: &mut Cx<'_>) -> Option<()> {
    let sources = [
        doc.template.as_ref().map(|at| at.span),
        doc.url.as_ref().map(|at| at.span),
        doc.oci.as_ref().map(|at| at.span),
        doc.path.as_ref().map(|at| at.span),
        doc.ddi.as_ref().map(|at| at.span),
    ];
    let mut written = sources.into_iter().flatten();
    let (first, second) = (written.next(), written.next());
    match (first, second) {
        (Some(_), None) => Some(()),
        (Some(_), Some(second)) => {
            let help = "keep one of `template`, `url`, `oci`, `path` and `ddi`".to_owned();
            cx.error_help(
                second,
                "image-source",
                "an image has exactly one source",
                help,
            );
            None
        }
        // A source that is there but wrong has its finding already.
        (None, _) if !doc.clean => None,
        (None, _) => {
            let help = "write one of `template`, `url`, `oci`, `path` and `ddi`, as in `template: tenant-container`".to_owned();
            cx.error_help(doc.span, "image-source", "the image has no source", help);
            None
        }
    }
}

fn download(url: At<Line>, digest: Option<At<Sha256>>, cx: &mut Cx<'_>) -> Option<ImageSource> {
    https(&url, "image-url", cx)?;
    let Some(digest) = digest else {
        let help = "add `sha256`, the first column of what `sha256sum FILE` prints".to_owned();
        cx.error_help(
            url.span,
            "image-digest",
            "a download needs its `sha256`",
            help,
        );
        return None;
    };
    Some(ImageSource::Url {
        url: url.value.0,
        sha256: digest.value.0,
    })
}

fn reference(oci: At<Line>, cx: &mut Cx<'_>) -> Option<ImageSource> {
    let text = oci.value.0;
    let fits = !text.starts_with(['-', '/', '.'])
        && text.contains('/')
        && !text.contains("//")
        && text.len() <= 512
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b));
    if fits {
        return Some(ImageSource::Oci(text));
    }
    let message = format!("`{text}` is not an OCI reference");
    let help =
        "write registry, name and tag or digest, as in `registry.example/web:1.2`".to_owned();
    cx.error_help(oci.span, "oci-reference", message, help);
    None
}
