//! `bbctl validate`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use bitbuilder_core::document::{is_document, read_system, read_tenant};
use bitbuilder_core::finding::{Finding, has_errors};
use bitbuilder_core::model::Name;
use bitbuilder_core::report::{
    findings_github, findings_json, findings_sarif, render_findings, sources,
};
use bitbuilder_core::tree::{Blob, Entry, Tree};
use bitbuilder_host::source::{Reading, TreeLimits, read_directory};
use clap::{Args, ValueEnum};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Check a repository without a host: every finding of every file at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl validate                   the repository in this directory
  bbctl validate ./shop --id shop  as the registry's tenant `shop`
  bbctl validate metadata.json     this one file
  bbctl validate --format github   in a workflow of GitHub Actions")]
pub(crate) struct Validate {
    /// A repository, or one `metadata.json` or `registry.json`.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// What it is; `auto` looks at what is there.
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
    /// The id that the registry has, or will have, for the tenant.
    #[arg(long, value_name = "TENANT", value_parser = crate::context::tenant)]
    id: Option<Name>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    output: Output,
}

/// Which repository it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Kind {
    /// `system` if there is tenants/registry.json or .gitops/, else `tenant`.
    #[default]
    Auto,
    /// The operator's repository.
    System,
    /// A tenant's repository.
    Tenant,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people: the text underlined, and what to write.
    #[default]
    Text,
    /// For programs.
    Json,
    /// Workflow commands of GitHub Actions.
    Github,
    /// SARIF 2.1.0.
    Sarif,
}

impl Validate {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let reading = read(&self.path)?;
        let kind = self.kind.of(&reading.tree);
        let findings = check(&reading, kind, self.id.as_ref());
        self.print(context, kind, &reading.tree, &findings)?;
        Ok(if has_errors(&findings) {
            Exit::Invalid
        } else {
            Exit::Success
        })
    }

    fn print(
        &self,
        context: &Context,
        kind: Kind,
        tree: &Tree,
        findings: &[Finding],
    ) -> Result<(), CommandError> {
        let format = if self.output.json {
            Format::Json
        } else {
            self.format
        };
        let ui = &context.ui;
        match format {
            Format::Json => ui.json(&findings_json(findings)),
            Format::Sarif => ui.json(&findings_sarif(findings)),
            Format::Github => ui.print(&findings_github(findings)),
            Format::Text => {
                ui.print(&render_findings(
                    findings,
                    &sources(tree, findings),
                    ui.color,
                ))?;
                if has_errors(findings) {
                    return Ok(());
                }
                ui.print(&format!("valid: {}\n", summary(kind, tree)))
            }
        }
    }
}

impl Kind {
    /// What `auto` means for `tree`.
    fn of(self, tree: &Tree) -> Self {
        let has = |path: &str| tree.entries.contains_key(path);
        let system =
            has("tenants/registry.json") || has(".gitops/config.yaml") && !has("metadata.json");
        match self {
            Self::Auto if system => Self::System,
            Self::Auto => Self::Tenant,
            known => known,
        }
    }
}

/// All findings of `reading`.
pub(crate) fn check(reading: &Reading, kind: Kind, id: Option<&Name>) -> Vec<Finding> {
    let mut findings = reading.findings.clone();
    if has_errors(&findings) {
        // What was not read would be reported as missing.
        return findings;
    }
    findings.extend(match kind {
        Kind::System => read_system(&reading.tree).findings,
        Kind::Auto | Kind::Tenant => read_tenant(&reading.tree, id).findings,
    });
    findings.sort();
    findings
}

fn read(path: &Path) -> Result<Reading, CommandError> {
    if !path.is_file() {
        return Ok(read_directory(path, &TreeLimits::default())?);
    }
    let place = match path.file_name().and_then(|name| name.to_str()) {
        Some("metadata.json") => "metadata.json",
        Some("registry.json") => "tenants/registry.json",
        _ => {
            let message = format!(
                "{}: of single files only metadata.json and registry.json can be checked",
                path.display()
            );
            let error = CommandError::usage(message);
            return Err(error.hint("name the directory of the repository"));
        }
    };
    let limit = TreeLimits::default().document;
    let file = File::open(path).map_err(CommandError::file(path))?;
    let mut content = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut content)
        .map_err(CommandError::file(path))?;
    let mut tree = Tree::default();
    let blob = Blob {
        size: content.len() as u64,
        executable: false,
        oid: String::new(),
        content: (content.len() as u64 <= limit).then(|| content.into()),
    };
    tree.entries.insert(place.to_owned(), Entry::File(blob));
    Ok(Reading {
        tree,
        findings: Vec::new(),
    })
}

fn summary(kind: Kind, tree: &Tree) -> String {
    let documents = tree
        .entries
        .keys()
        .filter(|path| is_document(path) && (path.ends_with(".json") || path.ends_with(".yaml")))
        .count();
    let word = match kind {
        Kind::System => "system repository",
        Kind::Auto | Kind::Tenant => "tenant repository",
    };
    let plural = if documents == 1 { "" } else { "s" };
    format!("{word}, {documents} document{plural}")
}
