//! Images: what is on the host under the name that a workload gives.

use super::{Input, suggest};
use crate::desired::Template;
use crate::finding::Finding;
use crate::model::{Image, ImageSource, ImageVerify};

/// The template of `image`, or a finding.
pub(super) fn template<'a>(
    input: &Input<'a>,
    image: &Image,
    findings: &mut Vec<Finding>,
) -> Option<&'a Template> {
    if let Some(verify @ (ImageVerify::Signature | ImageVerify::Voa)) = image.verify {
        let what = if verify == ImageVerify::Voa {
            "voa"
        } else {
            "signature"
        };
        let message = format!("image verification by `{what}` is not available on this host yet");
        findings.push(Finding::error(
            image.origin.clone(),
            "not-available",
            message,
        ));
    }
    let kind = match &image.source {
        ImageSource::Template(name) => {
            return input.templates.get(name).or_else(|| {
                findings.push(unknown(input, image, name.as_str()));
                None
            });
        }
        ImageSource::Url { .. } => "url",
        ImageSource::Oci(_) => "oci",
        ImageSource::Path(_) => "path",
        ImageSource::Ddi(_) => "ddi",
    };
    let message = format!("images by `{kind}` are not available on this host yet");
    findings.push(
        Finding::error(image.origin.clone(), "not-available", message)
            .help("write `template: tenant-container` and add files with rootfs-overlay/"),
    );
    None
}

fn unknown(input: &Input<'_>, image: &Image, name: &str) -> Finding {
    let sources = &input.policy.templates;
    let (message, help) = if sources.iter().any(|source| source.name.as_str() == name) {
        (
            format!("template `{name}` is in .gitops/config.yaml, but not on this host yet"),
            suggest(name, input.templates.keys().map(|known| known.as_str())),
        )
    } else {
        (
            format!("there is no template `{name}` on this host"),
            suggest(name, input.templates.keys().map(|known| known.as_str())),
        )
    };
    Finding::error(image.origin.clone(), "unknown-template", message).help(help)
}
