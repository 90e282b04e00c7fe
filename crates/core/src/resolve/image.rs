//! Images: what is on the host under the name that a workload gives.

use super::{Input, suggest};
use crate::desired::{DirectBoot, Template};
use crate::finding::Finding;
use crate::model::{Image, ImageSource, ImageVerify};

/// The template of a container's `image`, or a finding.
pub(super) fn container<'a>(
    input: &Input<'a>,
    image: &Image,
    findings: &mut Vec<Finding>,
) -> Option<&'a Template> {
    let template = template(input, image, "tenant-container", findings)?;
    if template.boot.is_none() {
        return Some(template);
    }
    findings.push(other_class(image, template, "a machine", "a container"));
    None
}

/// The template of a machine's `image` and what boots it, or a finding.
pub(super) fn machine<'a>(
    input: &Input<'a>,
    image: &Image,
    findings: &mut Vec<Finding>,
) -> Option<(&'a Template, &'a DirectBoot)> {
    let template = template(input, image, "tenant-machine", findings)?;
    if template.boot.is_none() {
        findings.push(other_class(image, template, "a container", "a machine"));
    }
    Some((template, template.boot.as_ref()?))
}

fn other_class(image: &Image, template: &Template, of: &str, wanted: &str) -> Finding {
    let name = &template.image.name;
    let message = format!("template `{name}` is of {of}, and this is {wanted}");
    Finding::error(image.origin.clone(), "template-class", message)
}

fn template<'a>(
    input: &Input<'a>,
    image: &Image,
    usual: &str,
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
    let files = match usual {
        "tenant-container" => " and add files with rootfs-overlay/",
        _ => "",
    };
    findings.push(
        Finding::error(image.origin.clone(), "not-available", message)
            .help(format!("write `template: {usual}`{files}")),
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
