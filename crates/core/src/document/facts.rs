//! What the documents of one repository know of each other.

use super::decode::{At, Cx};
use crate::finding::Origin;
use crate::model::{Auto, Name, Subnet4, Topology};
use crate::tree::{Entry, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Names, places and files that documents refer to; filled in the order in which documents are read.
#[derive(Debug)]
pub(crate) struct Facts<'t> {
    pub(crate) tree: &'t Tree,
    /// Workloads by name: their directory.
    pub(crate) workloads: BTreeMap<Name, String>,
    /// Networks by name, with the subnet that is written.
    pub(crate) networks: BTreeMap<Name, Option<Subnet4>>,
    /// Files that a document refers to.
    pub(crate) used: BTreeSet<String>,
    /// Who has which fixed address.
    addresses: BTreeMap<(Name, Ipv4Addr), Origin>,
    /// Who has which MAC address.
    macs: BTreeMap<String, Origin>,
    /// Size of a volume and who says it; volumes of one name are one volume of the tenant.
    volumes: BTreeMap<Name, (u64, Origin)>,
}

impl<'t> Facts<'t> {
    pub(crate) fn new(tree: &'t Tree, workloads: BTreeMap<Name, String>) -> Self {
        Self {
            tree,
            workloads,
            networks: BTreeMap::new(),
            used: BTreeSet::new(),
            addresses: BTreeMap::new(),
            macs: BTreeMap::new(),
            volumes: BTreeMap::new(),
        }
    }

    /// Takes over the networks of `topology`; without any there is `default`.
    pub(crate) fn learn(&mut self, topology: &Topology) {
        for network in &topology.networks {
            let subnet = match network.subnet {
                Auto::Auto => None,
                Auto::Value(subnet) => Some(subnet),
            };
            self.networks.insert(network.name.clone(), subnet);
        }
        if let (true, Ok(name)) = (self.networks.is_empty(), Name::new("default")) {
            self.networks.insert(name, None);
        }
    }

    /// Reports a name that is no workload.
    pub(crate) fn workload(&self, name: &At<Name>, cx: &mut Cx<'_>) -> bool {
        let known = self.workloads.contains_key(&name.value);
        if !known {
            let known = self.workloads.keys().map(Name::as_str);
            cx.unknown(
                name.span,
                "container or machine",
                name.value.as_str(),
                known,
            );
        }
        known
    }

    /// Reports a name that is no network of the tenant.
    pub(crate) fn network(&self, name: &At<Name>, cx: &mut Cx<'_>) -> bool {
        let known = self.networks.contains_key(&name.value);
        if !known {
            let known = self.networks.keys().map(Name::as_str);
            cx.unknown(name.span, "network", name.value.as_str(), known);
        }
        known
    }

    /// The file that `path` means in a document: beside the document, or from the root.
    pub(crate) fn file(
        &mut self,
        path: &At<super::scalar::RepoPath>,
        cx: &mut Cx<'_>,
    ) -> Option<String> {
        let found = self.find(&path.value.0, cx.file());
        match found.as_ref().map(|found| self.tree.entries.get(found)) {
            Some(Some(Entry::File(_))) => {}
            Some(Some(Entry::Symlink(_))) => {
                let message = format!("`{}` is a symbolic link", path.value.0);
                let help = "name a regular file of the repository".to_owned();
                cx.error_help(path.span, "symlink", message, help);
                self.used.extend(found);
                return None;
            }
            _ => {
                self.no_file(path, "file", cx);
                return None;
            }
        }
        self.used.extend(found.clone());
        found
    }

    /// The file or directory that `path` means in a document.
    pub(crate) fn file_or_directory(
        &mut self,
        path: &At<super::scalar::RepoPath>,
        cx: &mut Cx<'_>,
    ) -> Option<String> {
        let found = self.find(&path.value.0, cx.file());
        if found.is_none() {
            self.no_file(path, "file or directory", cx);
        }
        self.used.extend(found.clone());
        found
    }

    fn no_file(&self, path: &At<super::scalar::RepoPath>, what: &str, cx: &mut Cx<'_>) {
        let wanted = path.value.0.rsplit('/').next().unwrap_or_default();
        let directory = directory_of(cx.file());
        let beside = self
            .below(directory)
            .filter(|path| self.is_file(path))
            .take(200);
        let names = beside.filter_map(|path| Some((path.rsplit('/').next()?, path)));
        let names: BTreeMap<&str, &str> = names.collect();
        let nearest = super::suggest::nearest(wanted, names.keys().copied());
        let help = match nearest.and_then(|name| names.get(name)) {
            Some(path) => format!("did you mean `{path}`?"),
            None => "paths begin beside the document or at the root of the repository".into(),
        };
        let message = format!("there is no {what} `{}` in the repository", path.value.0);
        cx.error_help(path.span, "missing-file", message, help);
    }

    fn find(&self, path: &str, document: &str) -> Option<String> {
        let directory = directory_of(document);
        let beside = format!("{directory}{path}");
        [beside, path.to_owned()]
            .into_iter()
            .find(|path| self.is_file(path) || self.below(&format!("{path}/")).next().is_some())
    }

    fn is_file(&self, path: &str) -> bool {
        self.tree.entries.contains_key(path)
    }

    /// Paths below `directory`, which ends with `/` or is empty.
    pub(crate) fn below<'s>(
        &'s self,
        directory: &str,
    ) -> impl Iterator<Item = &'t str> + use<'s, 't> {
        let directory = directory.to_owned();
        let tree: &'t Tree = self.tree;
        tree.entries
            .range(directory.clone()..)
            .map(|(path, _)| path.as_str())
            .take_while(move |path| path.starts_with(&directory))
    }

    /// Takes a fixed address; a finding when somebody has it.
    pub(crate) fn take_address(&mut self, network: &Name, address: &At<Ipv4Addr>, cx: &mut Cx<'_>) {
        let origin = cx.origin(address.span);
        let key = (network.clone(), address.value);
        if let Some(first) = self.addresses.get(&key) {
            let message = format!("address {} is used twice, first at {first}", address.value);
            cx.error_help(
                address.span,
                "duplicate-address",
                message,
                "choose another address or `dhcp`".to_owned(),
            );
            return;
        }
        self.addresses.insert(key, origin);
    }

    /// Takes a MAC address; a finding when somebody has it.
    pub(crate) fn take_mac(&mut self, mac: &At<super::scalar::Mac>, cx: &mut Cx<'_>) {
        let origin = cx.origin(mac.span);
        if let Some(first) = self.macs.get(&mac.value.0) {
            let message = format!(
                "MAC address {} is used twice, first at {first}",
                mac.value.0
            );
            let help = "choose another one, or remove the key: the host derives one".to_owned();
            cx.error_help(mac.span, "duplicate-mac", message, help);
            return;
        }
        self.macs.insert(mac.value.0.clone(), origin);
    }

    /// Notes the size of a volume; a finding when another workload says another one.
    pub(crate) fn volume_size(
        &mut self,
        name: &Name,
        size: &At<crate::model::Bytes>,
        cx: &mut Cx<'_>,
    ) {
        let origin = cx.origin(size.span);
        let (first, place) = self
            .volumes
            .entry(name.clone())
            .or_insert((size.value.0, origin));
        if *first != size.value.0 {
            let text = super::scalar::format_bytes(*first);
            let message =
                format!("volume `{name}` is one volume of the tenant and has {text} at {place}");
            cx.error_help(
                size.span,
                "volume-size",
                message,
                format!("write `{text}` here too, or use another name"),
            );
        }
    }
}

/// The directory of `path` with its `/`; empty at the root.
pub(crate) fn directory_of(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..=at])
}
