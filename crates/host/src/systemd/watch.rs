//! What the real host tells about drift, and how it is put right: systemctl(1), journalctl(1), ip(8), networkctl(1), nft(8).

use super::SystemdHost;
use super::manager::{self, QUERY, parse_blocks};
use super::{links, witness};
use crate::host::{Host, HostError, Watch, Witness};
use crate::nftables;
use bitbuilder_core::drift::Interfaces;
use bitbuilder_core::plan::LinkFix;
use std::collections::{BTreeMap, BTreeSet};

impl Watch for SystemdHost {
    fn queued(&self) -> Result<BTreeSet<String>, HostError> {
        let arguments = [
            "list-jobs",
            "--no-legend",
            "--plain",
            "--full",
            "--no-pager",
        ];
        let answer = QUERY.check(&arguments)?;
        Ok(parse_jobs(&String::from_utf8_lossy(&answer)))
    }

    fn interfaces(&self) -> Result<Option<Interfaces>, HostError> {
        links::read().map(Interfaces::new).map(Some)
    }

    /// A host has a link for each workload: to ask for all of them takes longer than to look for one.
    fn has_link(&self, link: &str) -> Result<bool, HostError> {
        links::exists(link)
    }

    fn ruleset(&self) -> Result<Option<Vec<u8>>, HostError> {
        nftables::list().map(Some)
    }

    fn ruleset_version(&self) -> Option<u32> {
        nftables::version()
    }

    fn properties(
        &self,
        units: &[&str],
        names: &[&str],
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, HostError> {
        let wanted = format!("--property=Id,LoadState,{}", names.join(","));
        let mut arguments = vec!["show", &wanted, "--"];
        arguments.extend(units);
        let answer = QUERY.check(&arguments)?;
        let mut found = BTreeMap::new();
        for mut unit in parse_blocks(&answer) {
            let is_loaded = unit
                .remove("LoadState")
                .is_some_and(|load| load == "loaded");
            if let (Some(id), true) = (unit.remove("Id"), is_loaded) {
                found.insert(id, unit);
            }
        }
        Ok(found)
    }

    fn witness(&self, unit: &str) -> Result<Witness, HostError> {
        witness::ask(unit)
    }

    fn revert(&self, units: &[String]) -> Result<(), HostError> {
        for verb in [&["revert"][..], &["unmask"], &["unmask", "--runtime"]] {
            let mut arguments = vec!["--no-ask-password", "--no-reload", "--quiet"];
            arguments.extend(verb);
            arguments.push("--");
            arguments.extend(units.iter().map(String::as_str));
            QUERY.check(&arguments)?;
        }
        Ok(())
    }

    fn fix_links(&self, fixes: &[LinkFix]) -> Result<(), HostError> {
        links::fix(fixes)
    }

    fn reset_failed(&self, units: &[String]) -> Result<(), HostError> {
        let names: Vec<&str> = units.iter().map(String::as_str).collect();
        let failed: Vec<String> = manager::units(self.root(), &names)?
            .into_iter()
            .filter(|(_, state)| state.active == "failed")
            .map(|(unit, _)| unit)
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        let mut arguments = vec!["--no-ask-password", "reset-failed", "--"];
        arguments.extend(failed.iter().map(String::as_str));
        QUERY.check(&arguments).map(drop)
    }
}

/// The units in lines of `JOB UNIT TYPE STATE`. What is read again neither starts nor stops: a pass may be part of it.
fn parse_jobs(answer: &str) -> BTreeSet<String> {
    let unit = |line: &str| {
        let mut words = line.split_whitespace();
        words.next()?.parse::<u64>().ok()?;
        let unit = words.next()?;
        (words.next()? != "reload").then(|| unit.to_owned())
    };
    answer.lines().filter_map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_jobs() {
        let answer = "123 systemd-nspawn@shop-web.service start waiting\n124 tenant@shop.service start running\n";
        let units = ["systemd-nspawn@shop-web.service", "tenant@shop.service"];
        assert_eq!(parse_jobs(answer), units.map(str::to_owned).into());
        assert!(parse_jobs("No jobs running.\n").is_empty());
        assert!(parse_jobs("7 tenant@shop.service reload running\n").is_empty());
    }
}
